/** What a controller decided, as plain data. Produced by core, executed by controllers/runtime, shown by the CLI. */
import type { KubeObject, ObjectKey, Stored } from '../../contracts/objects/index.ts';

/**
 * What becomes of the objects that the deleted one owns: they are deleted after it, before it, or stay without it.
 * Source: Kubernetes, meta/v1 DeletionPropagation.
 */
export type DeletionPropagation = 'Background' | 'Foreground' | 'Orphan';

export type Step =
  | { readonly do: 'create'; readonly object: KubeObject }
  /** Compare-and-set replace of everything but status. */
  | { readonly do: 'update'; readonly object: Stored }
  | { readonly do: 'updateStatus'; readonly object: Stored }
  /**
   * An object with finalizers, and a bound pod, is marked (deletionTimestamp); the last finalizer that is removed, and
   * the node's word, let it go. Anything else goes at once. Whatever changed in between, it is the object of that uid
   * that goes.
   */
  | {
      readonly do: 'delete';
      readonly key: ObjectKey;
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
      readonly regarding: KubeObject;
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    };

/** What one look at one object came to. */
export interface Decision {
  readonly steps: readonly Step[];
  /** Look again after this long even if nothing changes (a deadline, a minReadySeconds). */
  readonly requeueAfterMs?: number;
}
