/** The assignment as the agent holds it: loaded from disk at start, moved by the control plane, heard by the loops. */
import type { AssignmentUpdate } from '../../contracts/agent/index.ts';
import type { Kind, KubeObject, ObjectKey, ObjectAt, ObjectsByKind } from '../../contracts/objects/index.ts';
import { keyOf } from '../../contracts/objects/key.ts';
import type { AssignmentSource, AssignmentView } from '../core/assignment.ts';
import type { AssignmentDisk } from '../ports/assignment-disk.ts';
import type { Log } from '../ports/log.ts';

export type MoveResult =
  | { readonly ok: true; readonly version: string }
  | {
      readonly ok: false;
      readonly code: 'StaleEpoch' | 'VersionMismatch';
      readonly message: string;
      readonly version: string | null;
    };

export interface AssignmentStore extends AssignmentSource {
  /** Whether an assignment was ever given; before that nothing on the node is anybody's to remove. */
  readonly loaded: boolean;
  readonly epoch: number;
  /** Version that a change may start from; null when it has to be sent whole. */
  readonly acceptedVersion: string | null;
  /** How many objects are in force. */
  readonly size: number;
  /** Of everything in force, sorted. */
  keys(): readonly ObjectKey[];
  /** Makes the change durable, then visible. One at a time. */
  move(update: AssignmentUpdate): Promise<MoveResult>;
}

/** Loads what is on disk. */
export async function openAssignment(disk: AssignmentDisk, log: Log): Promise<AssignmentStore> {
  const stored = await disk.load();
  const listeners = new Set<(changed: readonly ObjectKey[]) => void>();
  let epoch = stored.epoch;
  let acceptedVersion = stored.version;
  let loaded = stored.node !== '';
  // What came back without its Secrets is still in force: only the next change has to be whole.
  let view = makeView(
    loaded ? (stored.version ?? 'incomplete') : null,
    stored.node,
    new Map(stored.objects.map((object) => [keyOf(object), object])),
  );
  let turn: Promise<unknown> = Promise.resolve();

  async function move(update: AssignmentUpdate): Promise<MoveResult> {
    const refuse = (code: 'StaleEpoch' | 'VersionMismatch', message: string): MoveResult => ({
      ok: false,
      code,
      message,
      version: acceptedVersion,
    });
    if (update.epoch < epoch)
      return refuse('StaleEpoch', `this node follows a control plane of epoch ${epoch}; ${update.epoch} is older`);
    if (update.from !== null && update.from !== acceptedVersion)
      return refuse('VersionMismatch', `the assignment is at ${acceptedVersion ?? 'nothing'}, not at ${update.from}`);
    const whole = update.from === null;
    await disk.append({
      epoch: update.epoch,
      version: update.to,
      node: update.node,
      whole,
      upsert: update.upsert,
      remove: update.remove,
    });
    epoch = update.epoch;
    acceptedVersion = update.to;
    loaded = true;
    const before = view;
    const objects = new Map(whole ? [] : before.objects);
    for (const key of update.remove) objects.delete(key);
    for (const object of update.upsert) objects.set(keyOf(object), object);
    view = makeView(update.to, update.node, objects);
    const changed = whole
      ? [...new Set([...before.objects.keys(), ...objects.keys()])]
      : [...update.remove, ...update.upsert.map(keyOf)];
    log.info('assignment moved', {
      from: update.from,
      to: update.to,
      upserts: update.upsert.length,
      removals: update.remove.length,
    });
    for (const listener of listeners) listener(changed);
    return { ok: true, version: update.to };
  }

  return {
    get loaded() {
      return loaded;
    },
    get epoch() {
      return epoch;
    },
    get acceptedVersion() {
      return acceptedVersion;
    },
    get size() {
      return view.objects.size;
    },
    current: () => view,
    keys: () => [...view.objects.keys()].sort(),
    onChange(listener) {
      listeners.add(listener);
      if (view.version !== null)
        queueMicrotask(() => {
          if (listeners.has(listener)) listener([...view.objects.keys()]);
        });
      return () => listeners.delete(listener);
    },
    move(update) {
      const done = turn.then(() => move(update));
      turn = done.catch(() => undefined);
      return done;
    },
  };
}

interface HeldView extends AssignmentView {
  readonly objects: ReadonlyMap<ObjectKey, KubeObject>;
}

function makeView(version: string | null, node: string, objects: ReadonlyMap<ObjectKey, KubeObject>): HeldView {
  const lists = new Map<Kind, readonly KubeObject[]>();
  return {
    version,
    node,
    objects,
    get: <Key extends ObjectKey>(key: Key) => objects.get(key) as ObjectAt<Key> | undefined,
    list<K extends Kind>(kind: K) {
      let list = lists.get(kind);
      if (!list) {
        list = [...objects]
          .filter(([, object]) => object.kind === kind)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, object]) => object);
        lists.set(kind, list);
      }
      return list as readonly ObjectsByKind[K][];
    },
  };
}
