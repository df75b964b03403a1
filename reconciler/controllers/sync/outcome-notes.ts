/** Brings the notes of a repository to what its Source says of each revision. */
import type { SourceStatus } from '../../../contracts/objects/index.ts';
import { PlumbError, RetryableError } from '../../core/errors.ts';
import { mergedNote, newNotePath, notePaths, NOTES_REF, outcomeNote } from '../../core/revisions/outcome-note.ts';
import { blobId } from '../../core/sources/blob-id.ts';
import type { GitPublisher, Published } from '../../ports/git-publisher.ts';

/** Who writes. */
export const PUBLISHER = { name: 'plumbline', email: 'plumbline@localhost' };

/** How often what was read is decided on anew, where others write too. */
const MAX_ROUNDS = 5;
/** A note that others made longer is left to them. */
const MAX_NOTE_BYTES = 64 * 1024;
const SHORT = 12;

interface Change {
  readonly put: ReadonlyMap<string, Uint8Array>;
  readonly message: string;
}

/**
 * One commit for all notes that are to change, and none where they are as they should be. Throws RetryableError `RefContended`
 * where others keep writing, and what {@link GitPublisher} throws.
 */
export async function writeOutcomes(
  publisher: GitPublisher,
  status: SourceStatus,
  { sourceName, now }: { readonly sourceName: string; readonly now: () => Date },
  signal: AbortSignal,
): Promise<void> {
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const onto = await publisher.read(NOTES_REF, signal);
    const change = await changeOf(onto, status, sourceName, signal);
    if (change === undefined) return;
    const order = { ref: NOTES_REF, onto, remove: new Set<string>(), author: PUBLISHER, at: now(), ...change };
    if ((await publisher.commit(order, signal)) !== 'moved') return;
  }
  throw new RetryableError(
    'RefContended',
    `${NOTES_REF} of ${publisher.url} moved ${MAX_ROUNDS} times while it was written: others write it too`,
  );
}

async function changeOf(
  onto: Published | undefined,
  { history }: SourceStatus,
  sourceName: string,
  signal: AbortSignal,
): Promise<Change | undefined> {
  const paths = notePaths(onto?.files.keys() ?? []);
  const put = new Map<string, Uint8Array>();
  const told: string[] = [];
  // Oldest first: that is the order in which they had their outcomes.
  for (const record of history.toReversed()) {
    const ours = outcomeNote(record, sourceName);
    if (ours === undefined) continue;
    const path = paths.get(record.revision);
    if (path !== undefined && onto?.files.get(path) === blobId(Buffer.from(ours))) continue;
    const before = onto && path !== undefined ? await noteAt(onto, path, signal) : { text: undefined };
    const note = before && mergedNote(before.text, ours, record);
    if (note === undefined) continue;
    put.set(path ?? newNotePath(record.revision), Buffer.from(note));
    told.push(`${record.revision.slice(0, SHORT)}: ${record.outcome}`);
  }
  if (put.size === 0) return undefined;
  const message =
    told.length === 1 ? `Outcome of ${told[0]}` : `Outcomes of ${told.length} revisions\n\n${told.join('\n')}`;
  return { put, message };
}

/** Undefined where it is too long to be read. */
async function noteAt(onto: Published, path: string, signal: AbortSignal): Promise<{ text: string } | undefined> {
  try {
    return { text: Buffer.from(await onto.content(path, MAX_NOTE_BYTES, signal)).toString('utf8') };
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'BlobTooLarge') return undefined;
    throw error;
  }
}
