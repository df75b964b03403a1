/**
 * The assignment on disk: a snapshot, and a journal of the changes since, one JSON object a line. A change is one
 * appended line and one flush; the snapshot is written anew when the journal has grown past it. Secrets' data is left
 * out of both and kept in one file of the memory-backed folder. The highest epoch is in a file of its own as well: it
 * holds whatever becomes of the other two.
 *
 * On a full disk the journal's reserve takes changes, but for those that bring a pod: what is left is for pods to end,
 * which frees the disk.
 */
import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject, ObjectKey, Secret } from '../../../contracts/objects/index.ts';
import { keyOf } from '../../../contracts/objects/key.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { DiskFullError, type AssignmentChange, type AssignmentDisk } from '../../ports/assignment-disk.ts';
import { makeFolder, readIfThere, syncFolder, writeAll, writeDurably } from './durable.ts';
import { journalFile } from './journal-file.ts';
import {
  readJournalLine,
  readSecretData,
  readSnapshot,
  type JournalLine,
  type SecretData,
  type Snapshot,
} from './kept-assignment.ts';

/** A journal smaller than this is not worth a snapshot. */
const SMALLEST_COMPACTION_BYTES = 1024 * 1024;
/** A snapshot that could not be written is tried again when the journal has grown by this. */
const COMPACT_AGAIN_BYTES = 128 * 1024;
const OWNER_ONLY = 0o600;
const EPOCH_DIGITS = 20;

interface State {
  seq: number;
  epoch: number;
  version: string | null;
  node: string;
  objects: Map<ObjectKey, KubeObject>;
}

/** `stateFolder` is on disk, `runFolder` backed by memory. */
export function assignmentFile(stateFolder: string, runFolder: string): AssignmentDisk {
  const paths = {
    snapshot: join(stateFolder, 'assignment.json'),
    journal: join(stateFolder, 'assignment.journal'),
    epoch: join(stateFolder, 'epoch'),
    secrets: join(runFolder, 'secrets.json'),
  };
  const state: State = { seq: 0, epoch: 0, version: null, node: '', objects: new Map() };
  const journal = journalFile(paths.journal);
  let fence = 0;
  let compactAt = SMALLEST_COMPACTION_BYTES;
  let secrets: SecretData = {};
  let queue: Promise<void> = Promise.resolve();

  async function append(change: AssignmentChange): Promise<void> {
    const line: JournalLine = { ...change, seq: state.seq + 1, upsert: change.upsert.map(withoutSecretData) };
    const text = JSON.stringify(line);
    const bringsPods = change.upsert.some((object) => object.kind === 'Pod' && !state.objects.has(keyOf(object)));
    if (bringsPods && !(await journal.hasRoom(text))) throw new DiskFullError(stateFolder);
    if (change.epoch > fence) await raiseFence(change.epoch).catch(orDiskFull(stateFolder));
    const secretsBefore = secrets;
    await saveSecrets(secretsAfter(secrets, change)).catch(orDiskFull(runFolder));
    try {
      await journal.append(text).catch(orDiskFull(stateFolder));
    } catch (cause) {
      await saveSecrets(secretsBefore).catch(() => undefined);
      throw cause;
    }
    applyLine(state, line);
    if (journal.bytes > compactAt)
      await compact().catch(() => {
        compactAt = journal.bytes + COMPACT_AGAIN_BYTES;
      });
  }

  async function compact(): Promise<void> {
    const snapshot: Snapshot = {
      seq: state.seq,
      epoch: state.epoch,
      version: state.version,
      node: state.node,
      objects: [...state.objects.values()],
    };
    const text = JSON.stringify(snapshot);
    await writeDurably(paths.snapshot, text, OWNER_ONLY);
    // Lines that stay through a crash here are skipped by their numbers.
    await journal.clear();
    compactAt = Math.max(SMALLEST_COMPACTION_BYTES, text.length);
  }

  /**
   * One short text over another of the same length: needs no room, and is one sector, which a disk writes whole or not
   * at all.
   */
  async function raiseFence(epoch: number): Promise<void> {
    const file = await open(paths.epoch, constants.O_RDWR | constants.O_CREAT, OWNER_ONLY);
    try {
      await writeAll(file, Buffer.from(`${String(epoch).padStart(EPOCH_DIGITS, '0')}\n`), 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (fence === 0) await syncFolder(stateFolder);
    fence = epoch;
  }

  async function saveSecrets(next: SecretData): Promise<void> {
    const text = JSON.stringify(next);
    if (text !== JSON.stringify(secrets)) await writeDurably(paths.secrets, text, OWNER_ONLY);
    secrets = next;
  }

  return {
    async load() {
      await makeFolder(stateFolder, 0o700);
      const snapshotText = await readIfThere(paths.snapshot);
      const snapshot = await readOrAside(paths.snapshot, snapshotText, readSnapshot);
      if (snapshot) {
        const { seq, epoch, version, node, objects } = snapshot;
        Object.assign(state, { seq, epoch, version, node });
        state.objects = new Map(objects.map((object) => [keyOf(object), object]));
        compactAt = Math.max(SMALLEST_COMPACTION_BYTES, snapshotText?.length ?? 0);
      }
      await journal.load((text) => {
        const line = readJournalLine(text);
        if (!line) return false;
        // One that replaces everything needs nothing before it.
        if (line.seq === state.seq + 1 || (line.whole && line.seq > state.seq)) applyLine(state, line);
        return true;
      });
      fence = Number((await readIfThere(paths.epoch)) ?? 0);
      if (!Number.isSafeInteger(fence)) fence = 0;
      state.epoch = Math.max(state.epoch, fence);
      const secretText = await readIfThere(paths.secrets);
      secrets = (await readOrAside(paths.secrets, secretText, readSecretData)) ?? {};
      const objects = [...state.objects.values()].map((object) => withSecretData(object, secrets));
      const complete = objects.every((object) => object.kind !== 'Secret' || 'data' in object);
      return { epoch: state.epoch, version: complete ? state.version : null, node: state.node, objects };
    },
    append(change) {
      const done = queue.then(() => append(change));
      queue = done.catch(() => undefined);
      return done;
    },
    async close() {
      await queue;
      await journal.close();
    },
  };
}

function applyLine(state: State, line: JournalLine): void {
  state.seq = line.seq;
  state.epoch = line.epoch;
  state.version = line.version;
  state.node = line.node;
  if (line.whole) state.objects = new Map();
  for (const key of line.remove) state.objects.delete(key);
  for (const object of line.upsert) state.objects.set(keyOf(object), object);
}

function withoutSecretData(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret') return object;
  const { data: _data, ...rest } = object;
  return rest as Secret;
}

function withSecretData(object: KubeObject, secrets: SecretData): KubeObject {
  const data = object.kind === 'Secret' ? readKey(secrets, keyOf(object)) : undefined;
  return data && object.kind === 'Secret' ? { ...object, data } : object;
}

function secretsAfter(secrets: SecretData, change: AssignmentChange): SecretData {
  const next: SecretData = change.whole ? {} : { ...secrets };
  for (const key of change.remove) delete next[key];
  for (const object of change.upsert) if (object.kind === 'Secret') next[keyOf(object)] = object.data;
  return next;
}

/** A file that cannot be read is put aside for a person to look at. Undefined also where there is none. */
async function readOrAside<T>(
  path: string,
  text: string | undefined,
  read: (text: string) => T | undefined,
): Promise<T | undefined> {
  const value = text === undefined ? undefined : read(text);
  if (text !== undefined && value === undefined) {
    await rename(path, `${path}.damaged`).catch(() => undefined);
    await syncFolder(join(path, '..')).catch(() => undefined);
  }
  return value;
}

function orDiskFull(folder: string): (cause: unknown) => never {
  return (cause) => {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === 'ENOSPC' || code === 'EDQUOT' ? new DiskFullError(folder, { cause }) : cause;
  };
}
