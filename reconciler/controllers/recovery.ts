/** After the store was lost: reads what every machine that answers holds, and fills the store with it, before anyone acts. */
import { keyOf, type KubeObject, type Machine, type Stored } from '../../contracts/objects/index.ts';
import { NODE_PATHS } from '../../contracts/agent/index.ts';
import { PlumbError } from '../core/errors.ts';
import { mergeInventories, type FoundInventory } from '../core/nodes/merge-inventories.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore, WriteOp } from '../ports/object-store.ts';
import { AgentClient } from './nodes/agent-client.ts';

export interface RecoveryOptions {
  /** Opened, fresh. */
  readonly store: ObjectStore;
  /** As Git names them. */
  readonly machines: readonly Machine[];
  readonly transport: NodeTransport;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** A machine that has not told its inventory by then is left as it is. */
  readonly perNodeTimeoutMs?: number;
}

export interface RecoveryResult {
  /** Higher than every epoch found: the fence of the new store. */
  readonly epoch: number;
  readonly imported: number;
  /** Machines by name. */
  readonly answered: readonly string[];
  readonly unanswered: readonly string[];
}

const PER_NODE_TIMEOUT_MS = 10_000;
const RETRY_MS = 200;
/** Objects in one round trip. */
const BATCH = 200;

/** Ends with `markReady`. Safe to repeat after a failure: what is there already stays. */
export async function recover(options: RecoveryOptions): Promise<RecoveryResult> {
  const { store, machines, clock, log, signal } = options;
  const asked = await Promise.all(machines.map(async (machine) => ({ name: machine.metadata.name, inventory: await inventoryOf(machine, options) })));
  signal.throwIfAborted();
  const found = asked.flatMap(({ name, inventory }): FoundInventory[] => (inventory ? [{ node: name, inventory }] : []));
  const { objects, epoch } = mergeInventories(found);
  for (let i = 0; i < objects.length; i += BATCH) await importBatch(store, objects.slice(i, i + BATCH), signal);
  await store.markReady(signal);
  const answered = found.map(({ node }) => node);
  const unanswered = asked.filter(({ inventory }) => !inventory).map(({ name }) => name);
  if (machines.length > 0) log.info('recovered from the nodes', { imported: objects.length, answered, unanswered });
  return { epoch: Math.max(clock.now().getTime(), epoch + 1), imported: objects.length, answered, unanswered };
}

/** Undefined when the machine does not answer in time, has no agent, or must not be talked to. */
async function inventoryOf(machine: Machine, { transport, clock, log, signal, perNodeTimeoutMs }: RecoveryOptions): Promise<FoundInventory['inventory'] | undefined> {
  const { name } = machine.metadata;
  const { address, port, user, hostKey } = machine.spec;
  const timeoutMs = perNodeTimeoutMs ?? PER_NODE_TIMEOUT_MS;
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let last: unknown = new Error(`no answer within ${timeoutMs} ms`);
  while (!stop.aborted) {
    try {
      const connection = await transport.connect({ name, address, port, user, hostKey }, stop);
      try {
        return await new AgentClient(connection).inventory(stop, timeoutMs);
      } catch (error) {
        // A machine that never had an agent will not have one by waiting.
        if (!stop.aborted && (await connection.run(['test', '-e', `${NODE_PATHS.install}/current`], { signal: stop })).code !== 0) return undefined;
        throw error;
      } finally {
        await connection.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!stop.aborted) last = error;
      if (error instanceof PlumbError && error.retry === 'never') break;
    }
    await clock.sleep(RETRY_MS, stop).catch(() => undefined);
  }
  signal.throwIfAborted();
  log.warn('a machine told no inventory: it is left as it is', { node: name, error: last instanceof Error ? last.message : String(last) });
  return undefined;
}

/** Creates the objects, then gives those their status that a create left without. */
async function importBatch(store: ObjectStore, objects: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  const created = await store.write(objects.map((object): WriteOp => ({ op: 'create', object })), signal);
  const statuses = created.flatMap((result, index): WriteOp[] => {
    const wanted = objects[index];
    if (!result.ok || !wanted || !('status' in wanted) || wanted.status === undefined || ('status' in result.object && result.object.status !== undefined)) return [];
    return [{ op: 'updateStatus', object: { ...result.object, status: wanted.status } as Stored }];
  });
  if (statuses.length > 0) await store.write(statuses, signal);
  for (const [index, result] of created.entries()) {
    const object = objects[index];
    if (!result.ok && result.reason !== 'AlreadyExists' && object) throw new Error(`${keyOf(object)} cannot be imported: ${result.message}`);
  }
}
