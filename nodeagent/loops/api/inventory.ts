/**
 * `GET /v1/inventory/lines`, `?claims=KIND` for objects of that kind alone. One line after the other, so that neither
 * side has a big cluster's answer in memory at once.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AgentInfo, InventoryLine } from '../../../contracts/agent/index.ts';
import { CLAIMED_KINDS } from '../../../contracts/agent/claimed-kinds.ts';
import type { Kind, PersistentVolume } from '../../../contracts/objects/index.ts';
import { parseKey } from '../../../contracts/objects/key.ts';
import type { PersistentFolders } from '../../ports/persistent-folders.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import type { StatusHub } from '../status-hub.ts';

const KEYS_PER_LINE = 500;

export async function streamInventory(
  response: ServerResponse,
  info: AgentInfo,
  assignment: AssignmentStore,
  hub: StatusHub,
  volumes: PersistentFolders,
  only: string | null = null,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  const kept = isClaimed('PersistentVolume', only) ? (await volumes.records()).flatMap(recordOf) : [];
  for (const line of inventoryLines(info, assignment, hub, kept, only)) {
    if (gone.signal.aborted) return;
    if (!response.write(`${JSON.stringify(line)}\n`))
      await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

function isClaimed(kind: Kind, only: string | null): boolean {
  return only === null || kind === only;
}

/** What the agent stands for, what only it may know, the names of all else that it holds, and how its pods are. */
export function* inventoryLines(
  info: AgentInfo,
  assignment: Pick<AssignmentStore, 'current' | 'keys'>,
  hub: Pick<StatusHub, 'pods'>,
  kept: readonly PersistentVolume[],
  only: string | null = null,
): Generator<InventoryLine> {
  const view = assignment.current();
  const claimed = new Set<Kind>(CLAIMED_KINDS.filter((kind) => isClaimed(kind, only)));
  const keys = assignment.keys().filter((key) => !claimed.has(parseKey(key).kind));
  yield { info };
  for (const kind of claimed) for (const object of view.list(kind)) yield { object };
  const known = new Set(view.list('PersistentVolume').map(({ metadata }) => metadata.name));
  for (const object of kept) if (!known.has(object.metadata.name)) yield { object };
  for (let first = 0; first < keys.length; first += KEYS_PER_LINE)
    yield { held: keys.slice(first, first + KEYS_PER_LINE) };
  for (const pod of hub.pods()) yield { pod };
  yield { end: true };
}

/** What it says is judged by who asks. */
function recordOf(text: string): readonly PersistentVolume[] {
  try {
    const record = JSON.parse(text) as PersistentVolume;
    return typeof record.metadata.name === 'string' ? [record] : [];
  } catch {
    return [];
  }
}
