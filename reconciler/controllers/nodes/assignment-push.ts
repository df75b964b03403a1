/**
 * Brings one agent's assignment to what the tracker wants: a delta where the agent stands where we think, else
 * everything.
 */
import { objectKey } from '../../../contracts/objects/index.ts';
import { RetryableError, WaitingError } from '../../core/errors.ts';
import type { AssignmentDelta, AssignmentTracker } from '../../core/nodes/assignment-tracker.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { AgentClient } from './agent-client.ts';

export interface PushOptions {
  readonly node: string;
  readonly client: AgentClient;
  readonly tracker: AssignmentTracker;
  readonly store: Pick<ObjectStore, 'get'>;
  readonly epoch: number;
  readonly takesGzip: boolean;
  readonly holdsNothing: boolean;
  readonly signal: AbortSignal;
}

export interface PushResult {
  /** Updates sent; 0 when the agent was up to date. */
  readonly sent: number;
}

/**
 * More than this many moves in one push: something feeds the tracker as fast as it is emptied; the queue has to share
 * out.
 */
const MOST_MOVES = 8;
const LOOK_AGAIN_MS = 1_000;

/**
 * Throws what the agent's and the store's calls throw, and RetryableError `AssignmentRejected` when the agent takes not
 * even a whole one.
 */
export async function pushAssignment(options: PushOptions): Promise<PushResult> {
  const { node, client, tracker, epoch, takesGzip, signal } = options;
  let sent = 0;
  for (let whole = false; sent < MOST_MOVES && tracker.isBehind(node);) {
    const delta =
      tracker.delta(node) ?? (await wholeDelta({ ...options, holdsNothing: options.holdsNothing && sent === 0 }));
    if (delta.from === null || delta.remove.length > 0) await checkStore(options);
    const answer = await client.assign({ epoch, node, ...delta }, signal, takesGzip);
    if (answer.outcome === 'taken') {
      tracker.acknowledge(node, delta);
      sent += 1;
      continue;
    }
    if (whole)
      throw new RetryableError(
        'AssignmentRejected',
        `node ${node} takes no whole assignment: it says it is at ${answer.version ?? 'nothing'}`,
      );
    whole = true;
    tracker.forget(node);
  }
  return { sent };
}

/**
 * What the agent holds is asked for, so that what the store does not have yet (Secrets after a recovery) is not taken
 * away, and no ending pod revived. An agent that holds nothing is not asked.
 */
async function wholeDelta({ node, client, tracker, holdsNothing, signal }: PushOptions): Promise<AssignmentDelta> {
  if (holdsNothing) return tracker.wholeDelta(node);
  const { info, keys, claims } = await client.inventory(signal, { ofPods: true });
  const ending = claims.flatMap((claim) =>
    claim.kind === 'Pod' && claim.metadata.deletionTimestamp !== undefined ? [claim.metadata.uid] : [],
  );
  return tracker.wholeDelta(node, { version: info.assignmentVersion, keys, ending });
}

/** Nothing is ever taken from a node on the word of a store that was emptied: a lost store throws `StoreLost` here. */
async function checkStore({ node, store, signal }: PushOptions): Promise<void> {
  if (await store.get(objectKey('Machine', undefined, node), signal)) return;
  throw new WaitingError(
    'MachineUnknown',
    `the store has no Machine ${node}: its assignment is left as it is`,
    LOOK_AGAIN_MS,
  );
}
