/**
 * After the store was lost: reads what every machine that answers holds, and fills the store with what Git and they
 * give together, before anyone acts. Nodes are witnesses, not authorities: docs/adr/0004 says what is taken from whom.
 */
import { errorText } from '../../contracts/errors.ts';
import {
  displayKey,
  keyOf,
  type KubeObject,
  type Machine,
  type Source,
  type Stored,
} from '../../contracts/objects/index.ts';
import { NODE_PATHS } from '../../contracts/agent/index.ts';
import { PlumbError } from '../core/errors.ts';
import { unexplainedIn, type RefusedClaim } from '../core/nodes/claim-sorting.ts';
import { eachSaid } from '../core/nodes/alike-claims.ts';
import type { PodTemplates } from '../core/nodes/claimed-template.ts';
import { judgeEpochs } from '../core/nodes/epoch.ts';
import { withinPlaces, type NodeWord } from '../core/nodes/node-word.ts';
import { recovering } from '../core/nodes/recovered-state.ts';
import { Votes } from '../core/nodes/votes.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { NodeTransport } from '../ports/node-transport.ts';
import type { ObjectStore, WriteOp } from '../ports/object-store.ts';
import { AgentClient } from './nodes/agent-client.ts';
import { AlikeParts } from './nodes/alike-parts.ts';
import { AlikeLines, type Inventory } from './nodes/inventory.ts';
import type { RecoveryHistory } from './recovery-history.ts';
import { inSlices, turns } from './runtime/slices.ts';

export interface RecoveryOptions {
  /** Opened, fresh. */
  readonly store: ObjectStore;
  readonly incarnation: string;
  /** As Git names them. */
  readonly machines: readonly Machine[];
  readonly source: { readonly name: string } & Source['spec'];
  readonly history: RecoveryHistory;
  readonly transport: NodeTransport;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /**
   * A machine that does not let itself be connected to by then is left as it is, and so is one that takes as long again
   * to tell its inventory.
   */
  readonly perNodeTimeoutMs?: number;
}

export interface RecoveryResult {
  /** Higher than every plausible one found: the fence of the new store. */
  readonly epoch: number;
  readonly imported: number;
  /** Machines by name. Without an agent counts as answered. */
  readonly answered: readonly string[];
  readonly unanswered: readonly string[];
  readonly refused: readonly RefusedClaim[];
}

const PER_NODE_TIMEOUT_MS = 10_000;
const RETRY_MS = 200;
/** Inventories read at once: bounds what nodes can make us hold. */
const READ_AT_ONCE = 32;
/** Objects in one round trip. */
const BATCH = 200;
/** Claims told one by one in the log. */
const TOLD = 20;

type Answer =
  { readonly is: 'told'; readonly inventory: Inventory } | { readonly is: 'empty' } | { readonly is: 'silent' };

/** Ends with `markReady`. Safe to repeat after a failure: what is there already stays. */
export async function recover(options: RecoveryOptions): Promise<RecoveryResult> {
  const { store, machines, history, clock, log, signal, source, incarnation } = options;
  const answers = await ask(options);
  signal.throwIfAborted();
  const epochs = judgeEpochs(
    new Map(
      [...answers].flatMap(([name, answer]) =>
        answer.is === 'told' ? [[name, answer.inventory.info.epoch] as const] : [],
      ),
    ),
    clock.now().getTime(),
  );
  for (const node of epochs.implausible) {
    answers.set(node, { is: 'silent' });
    log.error('a node claims an epoch that no control plane gave it: its word does not count, and it is left alone', {
      node,
    });
  }
  const words: NodeWord[] = [];
  for (const { metadata, spec } of machines) {
    if (turns.isOver) await turns.next();
    const answer = answers.get(metadata.name);
    if (answer?.is !== 'told') continue;
    const { claims, pods, alike } = answer.inventory;
    const word = withinPlaces({ node: metadata.name, claims, pods, ...(alike && { alike }) }, spec.maxPods);
    const beyond = claims.length - word.claims.length;
    if (beyond > 0)
      log.warn('a node claims more pods than it has places for: the others are left out', {
        node: metadata.name,
        pods: beyond,
      });
    words.push(word);
  }
  const named = (is: Answer['is']): string[] =>
    [...answers].filter(([, answer]) => answer.is === is).map(([name]) => name);
  const revisions = new Votes();
  const pins = new Votes();
  const counting = eachSaid(words, 'Source', ({ metadata, status }, nodes) => {
    if (metadata.name !== source.name) return;
    revisions.add('', status.appliedRevision, nodes);
    for (const { id, commit = 'none' } of new Map(status.sources?.map((pin) => [pin.id, pin])).values())
      pins.add(id, commit, nodes);
  });
  await inSlices(counting, signal);
  const unanswered = named('silent');
  // Half of the machines answer, and none holds anything: a cluster that never ran. Fewer may be new ones, and the
  // silent ones those with the pods.
  const isNew =
    unanswered.length * 2 <= machines.length &&
    words.every(({ claims, alike = [] }) => claims.length + alike.length === 0);
  const silent = isNew ? [] : unanswered;
  const applied = await history.applied(
    revisions.ranked('').map(({ value }) => value),
    signal,
    (id) => pins.ranked(id)[0]?.value ?? 'newest',
  );
  const state = words.length > 0 || silent.length > 0 ? applied.state : new Map();
  const unexplained = await inSlices(unexplainedIn(words, state), signal);
  const isEnough = async (found: PodTemplates): Promise<boolean> => !(await inSlices(unexplained(found), signal));
  const templates = await history.templates(state, isEnough, signal);
  const rebuilding = recovering({
    words,
    silent,
    machines,
    source,
    appliedRevision: applied.revision,
    ...(applied.sources && { sources: applied.sources }),
    applied: state,
    templates,
    incarnation,
    now: clock.now(),
  });
  const { objects, refused } = await inSlices(rebuilding, signal);
  for (let i = 0; i < objects.length; i += BATCH) await importObjects(store, objects.slice(i, i + BATCH), signal);
  const epoch = await store.nextEpoch(epochs.highest, signal);
  await store.markReady(signal);
  for (const { node, key, why } of refused.slice(0, TOLD))
    log.warn('a pod that a node claims is not followed', { node, key, why });
  if (machines.length > 0)
    log.info('recovered from Git and the nodes', {
      imported: objects.length,
      revision: applied.revision,
      answered: machines.length - unanswered.length,
      unanswered,
      refused: refused.length,
    });
  return {
    epoch,
    imported: objects.length,
    answered: [...named('told'), ...named('empty')].sort(),
    unanswered,
    refused,
  };
}

async function ask(options: RecoveryOptions): Promise<Map<string, Answer>> {
  // Each node knows of all nodes: what they hold alike is asked of one, and what they say alike is read and held once.
  const alike = new AlikeLines();
  const parts = new AlikeParts(options.clock, options.signal);
  let free = READ_AT_ONCE;
  const waiting: (() => void)[] = [];
  const turn = async <T>(read: () => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    try {
      return await read();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
  return new Map(
    await Promise.all(
      options.machines.map(async (machine) => {
        if (turns.isOver) await turns.next();
        return [machine.metadata.name, await answerOf(machine, options, { alike, parts }, turn)] as const;
      }),
    ),
  );
}

/** Silent: it does not answer in time, or must not be talked to. Empty: it has no agent. */
async function answerOf(
  machine: Machine,
  { transport, clock, log, signal, perNodeTimeoutMs }: RecoveryOptions,
  shared: { readonly alike: AlikeLines; readonly parts: AlikeParts },
  turn: <T>(read: () => Promise<T>) => Promise<T>,
): Promise<Answer> {
  const { name } = machine.metadata;
  const { address, port, user, hostKey } = machine.spec;
  const timeoutMs = perNodeTimeoutMs ?? PER_NODE_TIMEOUT_MS;
  using limit = clock.deadline(timeoutMs, signal);
  const stop = limit.signal;
  let last: unknown = new Error(`no answer within ${timeoutMs} ms`);
  while (!stop.aborted) {
    try {
      const connection = await transport.connect({ name, address, port, user, hostKey }, stop);
      try {
        return {
          is: 'told',
          inventory: await turn(() => new AgentClient(connection, clock).inventory(signal, { timeoutMs, ...shared })),
        };
      } catch (error) {
        // A machine that never had an agent will not have one by waiting.
        if (
          !stop.aborted &&
          (await connection.run(['test', '-e', `${NODE_PATHS.install}/current`], { signal: stop })).code !== 0
        )
          return { is: 'empty' };
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
  log.warn('a machine told no inventory: it is left as it is', {
    node: name,
    error: errorText(last),
  });
  return { is: 'silent' };
}

/** Creates the objects, then gives those their status that a create left without. What is there already stays. */
export async function importObjects(
  store: Pick<ObjectStore, 'write'>,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  const created = await store.write(
    objects.map((object): WriteOp => ({ op: 'create', object })),
    signal,
  );
  const statuses = created.flatMap((result, index): WriteOp[] => {
    const wanted = objects[index];
    if (
      !result.ok ||
      !wanted ||
      !('status' in wanted) ||
      wanted.status === undefined ||
      ('status' in result.object && result.object.status !== undefined)
    )
      return [];
    return [{ op: 'updateStatus', object: { ...result.object, status: wanted.status } as Stored }];
  });
  if (statuses.length > 0) await store.write(statuses, signal);
  for (const [index, result] of created.entries()) {
    const object = objects[index];
    if (!result.ok && result.reason !== 'AlreadyExists' && object)
      throw new Error(`${displayKey(keyOf(object))} cannot be imported: ${result.message}`);
  }
}
