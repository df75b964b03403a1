/** A write that somebody asks for, as the members of the chain see it. */
import type {
  AnyKey,
  AnyObject,
  AnyStored,
  Kind,
  ObjectKey,
  StoredAt,
  StoredOf,
  StoredResourceQuota,
} from '../../../contracts/objects/index.ts';
import type { CustomView } from '../kinds/custom.ts';
import type { Counted } from '../quota/counts.ts';
import type { DeletionPropagation } from '../step.ts';

/** Who writes: a controller's name, `git:SOURCE` or `user:NAME`. */
export type Author = string;

/** What a member may look at besides the object. */
export interface AdmissionView {
  readonly custom: Pick<CustomView, 'kinds' | 'get'>;
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  /** `namespace`: only what is in it. */
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[];
  /** What the quota counts, kept up as objects change; where it is absent, its namespace is counted each time. */
  quotaCount?(quota: StoredResourceQuota): Counted;
  /** The newest resourceVersion of all that was seen. */
  readonly newest?: string;
  /** Whether an object that was made after that version has been seen to go, not long ago. */
  hasGone?(key: ObjectKey, since: string): boolean;
}

interface Asked {
  readonly by: Author;
  readonly view: AdmissionView;
  readonly now: Date;
}
export interface CreateRequest extends Asked {
  readonly operation: 'create';
  readonly object: AnyObject;
}
/** `old` is the stored object of the version that `object` was made from. */
export interface UpdateRequest extends Asked {
  readonly operation: 'update' | 'updateStatus';
  readonly object: AnyStored;
  readonly old: AnyStored;
}
export interface DeleteRequest extends Asked {
  readonly operation: 'delete';
  readonly old: AnyStored;
  /** As in the step of that name. */
  readonly graceSeconds?: number;
  readonly gone?: true;
  readonly propagation?: DeletionPropagation;
}
export type AdmissionRequest = CreateRequest | UpdateRequest | DeleteRequest;

/**
 * Why a write is not made. `Invalid`: the object is at fault. `Forbidden`: the moment or the place is.
 * `NamespaceTerminating`: the place goes. Source: Kubernetes, NamespaceTerminatingCause.
 */
export interface Refusal {
  readonly reason: 'Invalid' | 'Forbidden' | 'NamespaceTerminating';
  /** What is wrong, where, and what to do. */
  readonly message: string;
}

/** What is asked of the store: always compare-and-set on the version that the chain has seen. */
export type AdmittedWrite =
  | { readonly op: 'create'; readonly object: AnyObject }
  | { readonly op: 'update' | 'updateStatus'; readonly object: AnyStored }
  | { readonly op: 'delete'; readonly key: AnyKey; readonly uid: string; readonly resourceVersion: string };

/** `write` is undefined where all is as it was asked for already. */
export type Verdict =
  { readonly admitted: true; readonly write: AdmittedWrite | undefined } | ({ readonly admitted: false } & Refusal);
