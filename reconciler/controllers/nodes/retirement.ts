/** The agent of a server that is the cluster's no more is told to end its pods: others run them now. */
import { errorText } from '../../../contracts/errors.ts';
import { objectKey, type StoredMachine } from '../../../contracts/objects/index.ts';
import type { AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import { reconnectDelayMs } from '../../core/nodes/reconnect.ts';
import { isSameHost, isSamePlace } from '../../core/nodes/same-host.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeTransport } from '../../ports/node-transport.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { StoreCache } from '../runtime/cache.ts';
import { AgentClient } from './agent-client.ts';

export interface RetirementDeps {
  readonly cache: Pick<StoreCache, 'withAddress'>;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly transport: NodeTransport;
  readonly tracker: Pick<AssignmentTracker, 'gave'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly epoch: number;
  /** Between 0 and 1, for jitter. */
  readonly random: () => number;
}

/** Of each attempt. */
const TIMEOUT_MS = 10_000;
/**
 * For how long a server that does not answer is tried: it may be starting anew, or be cut off. Of one that comes back
 * later nothing is known any more; `plumb node clean` is for that.
 */
const TRIED_MS = 3_600_000;

/**
 * Tells it, unless the store has the server under its name again, or a Machine of another name is where it is: that one's
 * assignment takes away what is not its own. Throws when the store was emptied: then nobody removed the Machine.
 */
export async function tellRetired(
  { metadata: { name }, spec }: StoredMachine,
  client: AgentClient,
  { cache, store, epoch, log }: Pick<RetirementDeps, 'cache' | 'store' | 'epoch' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const now = await store.get(objectKey('Machine', undefined, name), signal);
  if (now?.kind === 'Machine' && isSameHost(now.spec, spec)) return;
  if (cache.withAddress(spec.address).some((at) => at.kind === 'Machine' && isSamePlace(at.spec, spec))) return;
  await client.assign({ epoch, node: name, from: null, to: 'retired', upsert: [], remove: [] }, signal);
  log.info('machine removed: its agent was told to stop everything', { node: name, address: spec.address });
}

/** Tries until the server was told, or `signal` aborts; never rejects. */
export async function tellWhenBack(machine: StoredMachine, deps: RetirementDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, random } = deps;
  const { name } = machine.metadata;
  const end = clock.monotonic() + TRIED_MS;
  for (let failures = 1; ; failures += 1) {
    try {
      using limit = clock.deadline(TIMEOUT_MS, signal);
      await tellOnce(machine, deps, limit.signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (clock.monotonic() >= end) {
        log.warn('machine removed, but its agent was never reached: should it come back, use plumb node clean', {
          node: name,
          address: machine.spec.address,
          error: errorText(error),
        });
        return;
      }
      await clock.sleep(reconnectDelayMs(failures, error, random()), signal).catch(() => undefined);
    }
  }
}

async function tellOnce(machine: StoredMachine, deps: RetirementDeps, signal: AbortSignal): Promise<void> {
  const { address, port, user, hostKey } = machine.spec;
  const target = { name: machine.metadata.name, address, port, user, hostKey };
  const connection = await deps.transport.connect(target, signal);
  try {
    const client = new AgentClient(connection, deps.clock);
    const { assignmentVersion } = await client.info(signal);
    // Meanwhile it may have become another cluster's, or none's.
    if (assignmentVersion !== null && deps.tracker.gave(assignmentVersion))
      await tellRetired(machine, client, deps, signal);
  } finally {
    await connection.close();
  }
}
