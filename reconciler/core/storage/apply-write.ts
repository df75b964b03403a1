/**
 * What a write makes of the object that is there: the object store's rules, for what keeps objects in memory. Source:
 * Kubernetes API conventions, "Concurrency Control and Consistency" and "Metadata".
 */
import { displayKey, keyOf, type KubeObject, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { canonicalJson } from './canonical-json.ts';
import { kubeTime, putTogether, takeApart, type ServerMeta } from './object-form.ts';

export type WriteOp =
  /**
   * Sets uid (kept when given: recovery), resourceVersion, generation 1, creationTimestamp (kept when given). Fails
   * with AlreadyExists.
   */
  | { readonly op: 'create'; readonly object: KubeObject }
  /**
   * Replaces everything but status. `metadata.resourceVersion` must be the current one, else Conflict. Generation rises
   * when anything outside metadata and status changed.
   */
  | { readonly op: 'update'; readonly object: Stored }
  /** Replaces status only; compare-and-set as `update`. Writing an equal status is no write. */
  | { readonly op: 'updateStatus'; readonly object: Stored }
  /** Removes at once. NotFound where there is none; Conflict where uid or resourceVersion differ. */
  | { readonly op: 'delete'; readonly key: ObjectKey; readonly uid?: string; readonly resourceVersion?: string };

/** What the store gives to an object. `version` is asked for once, and only where there is something to write. */
export interface Stamps {
  uid(): string;
  version(): string;
  readonly now: Date;
}

export type Applied =
  | { readonly is: 'refused'; readonly reason: 'AlreadyExists' | 'Conflict' | 'NotFound'; readonly message: string }
  /** It is so already. */
  | { readonly is: 'unchanged'; readonly object: Stored }
  | { readonly is: 'put'; readonly object: Stored }
  /** The object as it was last, of the version of its deletion. */
  | { readonly is: 'delete'; readonly object: Stored };

/** Shares with `current` and `op` what stays: neither may be changed afterwards. */
export function applyWrite(op: WriteOp, current: Stored | undefined, stamps: Stamps): Applied {
  const key = op.op === 'delete' ? op.key : keyOf(op.object);
  if (op.op === 'create')
    return current
      ? refused(
          'AlreadyExists',
          `create ${displayKey(key)}: there is one already, at resourceVersion ${current.metadata.resourceVersion}`,
        )
      : { is: 'put', object: created(op.object, stamps) };
  if (!current) return refused('NotFound', `${op.op} ${displayKey(key)}: there is no such object`);
  const { uid, resourceVersion } = op.op === 'delete' ? op : op.object.metadata;
  const { metadata } = current;
  if (uid !== undefined && uid !== metadata.uid)
    return refused('Conflict', `${op.op} ${displayKey(key)}: the stored object has uid ${metadata.uid}`);
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    return refused(
      'Conflict',
      `${op.op} ${displayKey(key)}: the stored object has resourceVersion ${metadata.resourceVersion}`,
    );
  switch (op.op) {
    case 'delete':
      return {
        is: 'delete',
        object: { ...current, metadata: { ...metadata, resourceVersion: stamps.version() } },
      };
    case 'update':
      return updated(current, op.object, stamps);
    case 'updateStatus':
      return statusUpdated(current, op.object, stamps);
  }
}

function refused(reason: 'AlreadyExists' | 'Conflict' | 'NotFound', message: string): Applied {
  return { is: 'refused', reason, message };
}

function created(object: KubeObject, stamps: Stamps): Stored {
  const { body, status } = takeApart(object);
  return putTogether(body, status, {
    uid: object.metadata.uid ?? stamps.uid(),
    resourceVersion: stamps.version(),
    generation: 1,
    creationTimestamp: object.metadata.creationTimestamp ?? kubeTime(stamps.now),
  });
}

function updated(current: Stored, wanted: Stored, stamps: Stamps): Applied {
  const before = takeApart(current);
  const after = takeApart(wanted);
  const rises = !sameMembers(before.specPart, after.specPart);
  if (!rises && sameMembers(before.body.metadata, after.body.metadata)) return { is: 'unchanged', object: current };
  const { metadata } = current;
  return {
    is: 'put',
    object: putTogether(after.body, before.status, {
      ...serverMeta(metadata),
      resourceVersion: stamps.version(),
      generation: metadata.generation + (rises ? 1 : 0),
    }),
  };
}

function statusUpdated(current: Stored, wanted: Stored, stamps: Stamps): Applied {
  const before = takeApart(current);
  const { status } = takeApart(wanted);
  if (sameJson(before.status, status)) return { is: 'unchanged', object: current };
  return {
    is: 'put',
    object: putTogether(before.body, status, {
      ...serverMeta(current.metadata),
      resourceVersion: stamps.version(),
    }),
  };
}

function serverMeta({ uid, resourceVersion, generation, creationTimestamp }: Stored['metadata']): ServerMeta {
  return { uid, resourceVersion, generation, creationTimestamp };
}

/** As {@link sameJson}, member by member: what two objects share is not looked at. */
function sameMembers(a: object, b: object): boolean {
  const members = new Map<string, unknown>(Object.entries(a));
  const same = Object.entries(b).every(([name, member]) => sameJson(members.get(name), member));
  const others = new Set(Object.keys(b));
  return same && [...members].every(([name, member]) => others.has(name) || sameJson(member, undefined));
}

function sameJson(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
