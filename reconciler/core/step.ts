/** What a controller decided, as plain data. Produced by core, executed by controllers/runtime, shown by the CLI. */
import {
  isCustom,
  isCustomKey,
  type AnyObject,
  type KeyOf,
  type KubeObject,
  type StoredForm,
} from '../../contracts/objects/index.ts';

/**
 * What becomes of the objects that the deleted one owns: they are deleted after it, before it, or stay without it.
 * Source: Kubernetes, meta/v1 DeletionPropagation.
 */
export type DeletionPropagation = 'Background' | 'Foreground' | 'Orphan';

export type Step<T extends AnyObject = KubeObject> =
  | { readonly do: 'create'; readonly object: T }
  /** Compare-and-set replace of everything but status. */
  | { readonly do: 'update'; readonly object: StoredForm<T> }
  | { readonly do: 'updateStatus'; readonly object: StoredForm<T> }
  /**
   * An object with finalizers, and a bound pod, is marked (deletionTimestamp); the last finalizer that is removed, and
   * the node's word, let it go. Anything else goes at once. Whatever changed in between, it is the object of that uid
   * that goes.
   */
  | {
      readonly do: 'delete';
      readonly key: KeyOf<T>;
      readonly uid: string;
      /** Instead of the pod's own grace period. */
      readonly graceSeconds?: number;
      /** The pod's node said that nothing of it is left, or there is no such node any more. */
      readonly gone?: true;
      /** When absent: what a finalizer of the object says, otherwise `Background`. */
      readonly propagation?: DeletionPropagation;
    }
  | {
      readonly do: 'event';
      readonly regarding: T;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    };

/** Of any object, of a custom kind too. */
export type AnyStep = Step<AnyObject>;

export function isTyped(step: AnyStep): step is Step {
  switch (step.do) {
    case 'delete':
      return !isCustomKey(step.key);
    case 'event':
      return !isCustom(step.regarding);
    default:
      return !isCustom(step.object);
  }
}

/** What one look at one object came to. */
export interface Decision<S extends AnyStep = Step> {
  readonly steps: readonly S[];
  /**
   * Look again after this long even if nothing changes (a deadline, a minReadySeconds). A pass's own status write is no
   * change that it is asked for again: 0 where that leaves something to decide.
   */
  readonly requeueAfterMs?: number;
}
export type AnyDecision = Decision<AnyStep>;
