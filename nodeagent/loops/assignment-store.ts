/** The assignment as the agent holds it: loaded from disk at start, moved by the control plane, heard by the loops. */
import type { AssignmentUpdate } from '../../contracts/agent/index.ts';
import type { ObjectKey } from '../../contracts/objects/index.ts';
import { keyOf } from '../../contracts/objects/key.ts';
import type { AssignmentSource } from '../core/assignment.ts';
import { AssignmentVersion } from '../core/assignment-version.ts';
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
  let view = AssignmentVersion.of(loaded ? (stored.version ?? 'incomplete') : null, stored.node, stored.objects);
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
    const { to: version, node, upsert, remove } = update;
    view = whole ? AssignmentVersion.of(version, node, upsert) : before.next({ version, node, upsert, remove });
    const changed = whole ? [...new Set([...before.keys(), ...view.keys()])] : [...remove, ...upsert.map(keyOf)];
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
      return view.size;
    },
    current: () => view,
    keys: () => [...view.keys()].sort(),
    onChange(listener) {
      listeners.add(listener);
      if (view.version !== null)
        queueMicrotask(() => {
          if (listeners.has(listener)) listener([...view.keys()]);
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
