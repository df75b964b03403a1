/**
 * The live state. Kubernetes' storage contract: compare-and-set on resourceVersion, a change stream that a watcher
 * resumes.
 */
import type { AnyStored, Kind, ObjectKey, Stored } from '../../contracts/objects/index.ts';
import type { AnyWriteOp, WriteOp } from '../core/storage/apply-write.ts';

export type { AnyWriteOp, WriteOp };

export type WriteResult =
  | { readonly ok: true; readonly object: AnyStored; readonly resourceVersion: string }
  | { readonly ok: false; readonly reason: 'AlreadyExists' | 'Conflict' | 'NotFound'; readonly message: string };

/** Of any object: there is one sequence of changes. */
export type ChangeEvent =
  | { readonly type: 'put'; readonly object: AnyStored }
  /** The object as it was last; its resourceVersion is that of the deletion. */
  | { readonly type: 'delete'; readonly object: AnyStored };

/** Objects at one instant of the store. */
export interface Listing<S extends AnyStored = Stored> {
  readonly objects: readonly S[];
  readonly resourceVersion: string;
}

export type WatchBatch =
  | { readonly type: 'events'; readonly events: readonly ChangeEvent[]; readonly resourceVersion: string }
  /** The stream no longer reaches back to where the watcher was: list again, then watch from there. */
  | { readonly type: 'relist' };

export interface ObjectStore {
  /** What keeps the store from answering, or from taking writes, in words for people; undefined while all is well. */
  readonly problem: string | undefined;
  /**
   * Claims the store. `fresh`: it was empty, so a recovery has to run before anyone acts on it. The incarnation is kept
   * until the store is emptied, or comes back with older data or without some of it; from then on every call of this
   * instance throws RetryableError `StoreLost` until it is opened again, and a store that went back is opened as a
   * fresh one. RetryableError `StoreTampered` in the same way where somebody else changed what is there.
   */
  open(signal: AbortSignal): Promise<{ readonly incarnation: string; readonly fresh: boolean }>;
  /**
   * Counts the store's epoch up and answers it: higher than every one that was given out before, by whatever instance,
   * and than `above`. The first one of a store is read off the clock, so that agents which followed an earlier store
   * and cannot be asked are below it.
   */
  nextEpoch(above: number, signal: AbortSignal): Promise<number>;
  /**
   * From now on this instance writes as a member of `Leases`: once that one is expelled, or has left, its writes throw
   * RetryableError `LeaseLost` and change nothing.
   */
  writeAs(member: string): void;
  /** Marks recovery as complete: later opens are not fresh. */
  markReady(signal: AbortSignal): Promise<void>;
  get(key: ObjectKey, signal?: AbortSignal): Promise<Stored | undefined>;
  list(kind: Kind, signal?: AbortSignal): Promise<Listing>;
  /** All that is there, objects of custom kinds among them. */
  list(kind: undefined, signal?: AbortSignal): Promise<Listing<AnyStored>>;
  /**
   * Independent writes in one round trip, applied in order; results in the same order. An op that fails does not stop
   * the others.
   */
  write(ops: readonly AnyWriteOp[], signal?: AbortSignal): Promise<readonly WriteResult[]>;
  /** Changes after `resourceVersion`, in order, without gaps, each within milliseconds of its write. */
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<WatchBatch>;
  close(): Promise<void>;
}
