/**
 * What a write makes of the object that is there: the object store's rules, for what keeps objects in memory. Source:
 * Kubernetes API conventions, "Concurrency Control and Consistency" and "Metadata".
 */
import {
  displayKey,
  keyOf,
  type AnyObject,
  type AnyStored,
  type KeyOf,
  type KubeObject,
  type Stored,
  type StoredForm,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from './canonical-json.ts';
import { kubeTime, putTogether, takeApart, type ServerMeta } from './object-form.ts';

/** To objects of our kinds; of custom kinds too: {@link AnyWriteOp}. */
export type WriteOp<T extends AnyObject = KubeObject> =
  /**
   * Sets uid (kept when given: recovery), resourceVersion, generation 1, creationTimestamp (kept when given). Fails
   * with AlreadyExists.
   */
  | { readonly op: 'create'; readonly object: T }
  /**
   * Replaces everything but status. `metadata.resourceVersion` must be the current one, else Conflict. Generation rises
   * when anything outside metadata and status changed.
   */
  | { readonly op: 'update'; readonly object: StoredForm<T> }
  /** Replaces status only; compare-and-set as `update`. Writing an equal status is no write. */
  | { readonly op: 'updateStatus'; readonly object: StoredForm<T> }
  /** Removes at once. NotFound where there is none; Conflict where uid or resourceVersion differ. */
  | { readonly op: 'delete'; readonly key: KeyOf<T>; readonly uid?: string; readonly resourceVersion?: string };

export type AnyWriteOp = WriteOp<AnyObject>;

/** What the store gives to an object. `version` is asked for once, and only where there is something to write. */
export interface Stamps {
  uid(): string;
  version(): string;
  readonly now: Date;
}

export type Applied<S extends AnyStored = AnyStored> =
  | { readonly is: 'refused'; readonly reason: 'AlreadyExists' | 'Conflict' | 'NotFound'; readonly message: string }
  /** It is so already. */
  | { readonly is: 'unchanged'; readonly object: S }
  | { readonly is: 'put'; readonly object: S }
  /** The object as it was last, of the version of its deletion. */
  | { readonly is: 'delete'; readonly object: S };

/** Shares with `current` and `op` what stays: neither may be changed afterwards. */
export function applyWrite(op: WriteOp, current: Stored | undefined, stamps: Stamps): Applied<Stored>;
export function applyWrite(op: AnyWriteOp, current: AnyStored | undefined, stamps: Stamps): Applied;
export function applyWrite(op: AnyWriteOp, current: AnyStored | undefined, stamps: Stamps): Applied {
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

function created(object: AnyObject, stamps: Stamps): AnyStored {
  const { body, status } = takeApart(object);
  return putTogether(body, status, {
    uid: object.metadata.uid ?? stamps.uid(),
    resourceVersion: stamps.version(),
    generation: 1,
    creationTimestamp: object.metadata.creationTimestamp ?? kubeTime(stamps.now),
  });
}

function updated(current: AnyStored, wanted: AnyStored, stamps: Stamps): Applied {
  const before = takeApart(current);
  const after = takeApart(wanted);
  const rises = !sameMembers(before.specPart, after.specPart);
  if (!rises && sameMembers(before.body, after.body)) return { is: 'unchanged', object: current };
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

function statusUpdated(current: AnyStored, wanted: AnyStored, stamps: Stamps): Applied {
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
