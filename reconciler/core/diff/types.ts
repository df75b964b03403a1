/** The plan: what a revision would change, shown by `plumb plan` and the push hook, executed by the sync controller. */
import type {
  AnyKey,
  AnyObject,
  CustomKey,
  FieldSemantics,
  KubeObject,
  ObjectKey,
  Stored,
  Unstructured,
} from '../../../contracts/objects/index.ts';
import type { CustomState, DesiredState, Position } from '../manifests/types.ts';
import type { PlannedHook } from './planned-hooks.ts';

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
  /** What may go without an acknowledgement, whatever kind it is of: a pull request was closed. */
  readonly disposable?: ReadonlySet<AnyKey>;
  /** The same of objects of custom kinds; when absent, there are none. */
  readonly custom?: CustomPlanInput;
}

export interface CustomPlanInput {
  readonly applied: CustomState;
  readonly desired: CustomState;
  readonly live: ReadonlyMap<CustomKey, Unstructured>;
  /** Of all objects of a resource, by the definitions that the revision has. */
  semanticsOf(resource: string): FieldSemantics;
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

export type PlanItem = ItemOf<KubeObject, ObjectKey>;
export type CustomPlanItem = ItemOf<Unstructured, CustomKey>;
export type AnyPlanItem = ItemOf<AnyObject, AnyKey>;

type ItemOf<T extends AnyObject, Key extends AnyKey> =
  | { readonly action: 'create'; readonly key: Key; readonly object: T; readonly position: Position }
  | {
      readonly action: 'update';
      readonly key: Key;
      /** The live object before the patch. */
      readonly before: T;
      /** The live object after the patch. */
      readonly object: T;
      /** Against the live object. */
      readonly patch: readonly PatchOperation[];
      /** `commit`: the manifest changed. `drift`: the live object was changed by someone else and is put back. */
      readonly reason: 'commit' | 'drift';
      readonly position: Position;
      /** Fields that Git takes from others; absent where there are none. */
      readonly conflicts?: readonly Conflict[];
    }
  | { readonly action: 'delete'; readonly key: Key; readonly object: T };

/** What is in no manifest any more, and stays all the same. */
export interface Kept {
  readonly key: AnyKey;
  /** The annotation that says so, or what it holds. */
  readonly by: string;
}

export interface Plan {
  /** Creates and updates by wave, then deletes by reverse wave; by key within a wave. */
  readonly items: readonly PlanItem[];
  /**
   * Objects of custom kinds: creates and updates, then deletes, by key. They are made last and deleted first, as they
   * are told to somebody who runs, and their definition is among {@link items}. See {@link itemsInOrder}.
   */
  readonly custom: readonly CustomPlanItem[];
  /** By key. None of them is an item. */
  readonly kept: readonly Kept[];
  /** Those that this plan runs. What a hook is made of is no item. */
  readonly hooks: readonly PlannedHook[];
  /** Of both. */
  readonly counts: { readonly create: number; readonly update: number; readonly delete: number };
}
