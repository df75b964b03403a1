/** The plan: what a revision would change, shown by `plumb plan` and the push hook, executed by the sync controller. */
import type { KubeObject, ObjectKey, Stored } from '../../../contracts/objects/index.ts';
import type { DesiredState, Position } from '../manifests/types.ts';

/** RFC 6902 operation, of the kinds that we emit. */
export type PatchOperation =
  | { readonly op: 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/**
 * Annotation that marks a live object as coming from Git; its value is the Source's name. Only such objects are ever
 * pruned.
 */
export const SOURCE_ANNOTATION = 'plumbline.dev/source';
/** Annotation with `path:line` of the manifest. */
export const ORIGIN_ANNOTATION = 'plumbline.dev/origin';

export interface PlanInput {
  readonly sourceName: string;
  /**
   * The state that was applied last; empty when unknown. Fields it had and `desired` lacks are removed from live
   * objects.
   */
  readonly applied: DesiredState;
  readonly desired: DesiredState;
  /** Live objects, by key. For an offline plan: the applied objects themselves. */
  readonly live: ReadonlyMap<ObjectKey, Stored | KubeObject>;
}

/** A field that somebody else owns, and that Git writes with another value for the first time. */
export interface Conflict {
  /** `spec.replicas`. */
  readonly field: string;
  /** The manager that owns it until then. */
  readonly owner: string;
  /** What Git sets; of a secret value only that there is one. */
  readonly writes: unknown;
}

export type PlanItem =
  | { readonly action: 'create'; readonly key: ObjectKey; readonly object: KubeObject; readonly position: Position }
  | {
      readonly action: 'update';
      readonly key: ObjectKey;
      /** The live object before the patch. */
      readonly before: KubeObject;
      /** The live object after the patch. */
      readonly object: KubeObject;
      /** Against the live object. */
      readonly patch: readonly PatchOperation[];
      /** `commit`: the manifest changed. `drift`: the live object was changed by someone else and is put back. */
      readonly reason: 'commit' | 'drift';
      readonly position: Position;
      /** Fields that Git takes from others; absent where there are none. */
      readonly conflicts?: readonly Conflict[];
    }
  | { readonly action: 'delete'; readonly key: ObjectKey; readonly object: KubeObject };

export interface Plan {
  /** Creates and updates by wave, then deletes by reverse wave; by key within a wave. */
  readonly items: readonly PlanItem[];
  readonly counts: { readonly create: number; readonly update: number; readonly delete: number };
}
