/** Changes that say nothing but that a node lives: there are more of them than of all others. */
import { isDeepStrictEqual } from 'node:util';
import type { NodeStatus, Stored } from '../../../contracts/objects/index.ts';

/** Whether `after` differs from `before` in nothing but the times of heartbeats. */
export function isHeartbeat(before: Stored, after: Stored): boolean {
  if (before.kind !== 'Node' || after.kind !== 'Node') return false;
  if (before.metadata.generation !== after.metadata.generation || before.metadata.uid !== after.metadata.uid)
    return false;
  return (
    isDeepStrictEqual({ ...before.metadata, resourceVersion: '' }, { ...after.metadata, resourceVersion: '' }) &&
    isDeepStrictEqual(withoutBeats(before.status), withoutBeats(after.status))
  );
}

function withoutBeats(status: NodeStatus | undefined): unknown {
  return { ...status, conditions: status?.conditions?.map(({ lastHeartbeatTime: _beat, ...rest }) => rest) };
}
