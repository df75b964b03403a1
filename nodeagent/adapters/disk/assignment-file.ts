/**
 * The assignment on disk: a snapshot, and a journal of the changes since, one JSON object a line. A change is one appended line and one
 * flush; the snapshot is written anew when the journal has grown past it. Secrets' data is left out of both and kept in one file of the
 * memory-backed folder.
 */
import { open, rename, truncate, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject, ObjectKey, Secret } from '../../../contracts/objects/index.ts';
import { keyOf } from '../../../contracts/objects/key.ts';
import type { AssignmentChange, AssignmentDisk, StoredAssignment } from '../../ports/assignment-disk.ts';
import { makeFolder, readIfThere, syncFolder, writeDurably } from './durable.ts';

/** A journal smaller than this is not worth a snapshot. */
const SMALLEST_COMPACTION_BYTES = 1024 * 1024;
const OWNER_ONLY = 0o600;

interface Snapshot extends Omit<StoredAssignment, 'objects'> {
  /** Number of the last change that is in it. */
  readonly seq: number;
  readonly objects: readonly KubeObject[];
}
interface JournalLine extends AssignmentChange {
  readonly seq: number;
}
type SecretData = Record<string, Readonly<Record<string, string>>>;

interface State {
  seq: number;
  epoch: number;
  version: string | null;
  node: string;
  objects: Map<ObjectKey, KubeObject>;
}

/** `stateFolder` is on disk, `runFolder` backed by memory. */
export function assignmentFile(stateFolder: string, runFolder: string): AssignmentDisk {
  const paths = { snapshot: join(stateFolder, 'assignment.json'), journal: join(stateFolder, 'assignment.journal'), secrets: join(runFolder, 'secrets.json') };
  const state: State = { seq: 0, epoch: 0, version: null, node: '', objects: new Map() };
  let journal: FileHandle | undefined;
  let journalBytes = 0;
  let snapshotBytes = 0;
  let secrets: SecretData = {};
  let queue: Promise<void> = Promise.resolve();

  async function append(change: AssignmentChange): Promise<void> {
    const secretsChanged = takeSecrets(change);
    const line: JournalLine = { ...change, seq: state.seq + 1, upsert: change.upsert.map(withoutSecretData) };
    if (secretsChanged) await writeDurably(paths.secrets, JSON.stringify(secrets), OWNER_ONLY);
    journal ??= await open(paths.journal, 'a', OWNER_ONLY);
    const text = Buffer.from(`${JSON.stringify(line)}\n`);
    await journal.write(text);
    await journal.datasync();
    journalBytes += text.length;
    applyLine(state, line);
    if (journalBytes > Math.max(SMALLEST_COMPACTION_BYTES, snapshotBytes)) await compact();
  }

  async function compact(): Promise<void> {
    const snapshot: Snapshot = { seq: state.seq, epoch: state.epoch, version: state.version, node: state.node, objects: [...state.objects.values()] };
    const text = JSON.stringify(snapshot);
    await writeDurably(paths.snapshot, text, OWNER_ONLY);
    snapshotBytes = text.length;
    // Lines that stay through a crash here are skipped by their numbers.
    await journal?.close();
    journal = undefined;
    await truncate(paths.journal).catch(() => undefined);
    journalBytes = 0;
  }

  /** Keeps the data of the Secrets in a change; tells whether anything is different. */
  function takeSecrets(change: AssignmentChange): boolean {
    const next: SecretData = change.whole ? {} : { ...secrets };
    for (const key of change.remove) delete next[key];
    for (const object of change.upsert) if (object.kind === 'Secret') next[keyOf(object)] = object.data;
    const changed = JSON.stringify(next) !== JSON.stringify(secrets);
    secrets = next;
    return changed;
  }

  return {
    async load() {
      await makeFolder(stateFolder, 0o700);
      const snapshotText = await readIfThere(paths.snapshot);
      const snapshot = snapshotText === undefined ? undefined : await parsed<Snapshot>(paths.snapshot, snapshotText);
      if (snapshot) {
        Object.assign(state, { seq: snapshot.seq, epoch: snapshot.epoch, version: snapshot.version, node: snapshot.node });
        state.objects = new Map(snapshot.objects.map((object) => [keyOf(object), object]));
        snapshotBytes = snapshotText?.length ?? 0;
      }
      const journalText = (await readIfThere(paths.journal)) ?? '';
      const lines = journalText.split('\n');
      // A line without its end was cut off by a power cut, before it was acknowledged.
      const torn = lines.pop() ?? '';
      for (const text of lines) {
        const line = text === '' ? undefined : await parsed<JournalLine>(paths.journal, text);
        if (text !== '' && !line) break;
        if (line && line.seq === state.seq + 1) applyLine(state, line);
      }
      journalBytes = Buffer.byteLength(journalText);
      if (torn !== '') await compact();
      const secretText = await readIfThere(paths.secrets);
      secrets = (secretText === undefined ? undefined : await parsed<SecretData>(paths.secrets, secretText)) ?? {};
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
      await journal?.close();
      journal = undefined;
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
  const data = object.kind === 'Secret' ? secrets[keyOf(object)] : undefined;
  return data && object.kind === 'Secret' ? { ...object, data } : object;
}

/** A file that is no JSON is put aside for a person to look at. */
async function parsed<T>(path: string, text: string): Promise<T | undefined> {
  try {
    return JSON.parse(text) as T;
  } catch {
    await rename(path, `${path}.damaged`).catch(() => undefined);
    await syncFolder(join(path, '..')).catch(() => undefined);
    return undefined;
  }
}
