/**
 * `GET /v1/inventory/lines`, `?claims=KIND` for objects of that kind alone, `?alike=digests` for what all nodes hold alike as
 * digests, without keys; `GET /v1/inventory/alike?parts=0,5` for what is behind those. One line after the other, so that neither side has
 * a big cluster's answer in memory at once.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AgentInfo, InventoryLine } from '../../../contracts/agent/index.ts';
import { ALIKE_KINDS, alikeParts, type AlikeText } from '../../../contracts/agent/alike.ts';
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
  asked: InventoryAsked = {},
): Promise<void> {
  const kept = isClaimed('PersistentVolume', asked.claims) ? (await volumes.records()).flatMap(recordOf) : [];
  await streamLines(response, jsonLines(inventoryLines(info, assignment, hub, kept, asked)));
}

/** `parts`: numbers, with commas between them. */
export async function streamAlike(
  response: ServerResponse,
  assignment: Pick<AssignmentStore, 'current'>,
  parts: string | null,
): Promise<void> {
  await streamLines(response, alikeLines(alikeHeld(assignment), (parts ?? '').split(',').map(Number)));
}

async function streamLines(response: ServerResponse, lines: Iterable<string>): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  for (const line of lines) {
    if (gone.signal.aborted) return;
    if (!response.write(`${line}\n`)) await once(response, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
  response.end();
}

function* jsonLines(lines: Iterable<InventoryLine>): Generator<string> {
  for (const line of lines) yield JSON.stringify(line);
}

function alikeHeld(assignment: Pick<AssignmentStore, 'current'>): ReadonlyMap<number, AlikeText> {
  const view = assignment.current();
  return alikeParts(ALIKE_KINDS.flatMap((kind) => view.list(kind)));
}

/** Of parts that it does not have nothing is told. */
export function* alikeLines(held: ReadonlyMap<number, AlikeText>, parts: readonly number[]): Generator<string> {
  for (const part of new Set(parts)) {
    const lines = held.get(part)?.lines;
    if (!lines) continue;
    yield JSON.stringify({ part });
    yield* lines;
  }
  yield JSON.stringify({ end: true });
}

/** The question's parameters; null or absent: not given. */
export interface InventoryAsked {
  readonly claims?: string | null;
  readonly alike?: string | null;
}

function isClaimed(kind: Kind, only: string | null | undefined): boolean {
  return only == null || kind === only;
}

/** What the agent stands for, what only it may know, the names of all else that it holds, and how its pods are. */
export function* inventoryLines(
  info: AgentInfo,
  assignment: Pick<AssignmentStore, 'current' | 'keys'>,
  hub: Pick<StatusHub, 'pods'>,
  kept: readonly PersistentVolume[],
  { claims, alike }: InventoryAsked = {},
): Generator<InventoryLine> {
  const view = assignment.current();
  const claimed = new Set<Kind>(CLAIMED_KINDS.filter((kind) => isClaimed(kind, claims)));
  const digested = new Set<Kind>(alike === 'digests' ? ALIKE_KINDS : []);
  // There are many that all nodes hold: who asks for digests of those does not want to hear each node name them.
  const keys = digested.size > 0 ? [] : assignment.keys().filter((key) => !claimed.has(parseKey(key).kind));
  yield { info };
  if (digested.size > 0) yield { alike: [...alikeHeld(assignment)].map(([part, { digest }]) => [part, digest]) };
  for (const kind of claimed) if (!digested.has(kind)) for (const object of view.list(kind)) yield { object };
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
