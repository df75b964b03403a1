/**
 * What a controller is. One file per kind; the runtime feeds it keys from the `controllers` queue and executes its
 * decision.
 */
import type {
  AnyKey,
  CustomKey,
  Kind,
  ObjectKey,
  ObjectsByKind,
  Stored,
  StoredAt,
  StoredOf,
  StoredResourceQuota,
  StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import type { CustomView } from '../../core/kinds/custom.ts';
import type { Paced } from '../../core/paced.ts';
import type { Counted } from '../../core/quota/counts.ts';
import type { Claim } from '../../core/services/claims.ts';
import type { AnyDecision } from '../../core/step.ts';
import type { RefusedWrite } from '../../core/workloads/refused-pods.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';

/**
 * The in-process indexed cache of the store. Reads are synchronous and see this process's own writes at once.
 * Objects are shared: never mutate one.
 */
export interface StoreView {
  /** Objects of custom kinds: nothing else here has them. */
  readonly custom: CustomView;
  get<Key extends ObjectKey>(key: Key): StoredAt<Key> | undefined;
  /** All of a kind, or of one namespace of it, ordered by key. */
  list<K extends Kind>(kind: K, namespace?: string): readonly StoredOf<K>[];
  /** Objects of `kind` whose controller owner reference has this uid. */
  ownedBy<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
  /** Objects of `kind` that have this uid among their owners, whether as their controller or beside it. */
  dependents<K extends Kind>(kind: K, ownerUid: string): readonly StoredOf<K>[];
  /** Pods bound to a node. */
  podsOnNode(nodeName: string): readonly StoredOf<'Pod'>[];
  /** Pods without a node that are not being deleted. */
  pendingPods(): readonly StoredOf<'Pod'>[];
  /** Objects that have the label key=value. */
  labelled<K extends Kind>(kind: K, key: string, value: string, namespace?: string): readonly StoredOf<K>[];
  /** Objects that came from this source, ordered by key. */
  fromSource<K extends Kind>(kind: K, sourceName: string): readonly StoredOf<K>[];
  /** Of the pod's namespace, those whose selector of labels wants it: only Services have one that is looked up so. */
  selecting<K extends Kind>(kind: K, pod: StoredOf<'Pod'>): readonly StoredOf<K>[];
  /** Those that have the pod with this uid among their endpoints. */
  pointingAt<K extends Kind>(kind: K, podUid: string): readonly StoredOf<K>[];
  /** Those that have this address or port, or wait for one: only Services do. */
  claiming<K extends Kind>(kind: K, claim: Claim): readonly StoredOf<K>[];
  /** What the quota counts, kept up as objects change; where it is absent, its namespace is counted each time. */
  quotaCount?(quota: StoredResourceQuota): Counted;
}

export interface PassContext {
  readonly view: StoreView;
  readonly now: Date;
  /** Reading of the monotonic clock, ms: what is remembered from pass to pass is measured by it. */
  readonly monotonic: number;
  readonly signal: AbortSignal;
  /** For generated names and uids. */
  readonly ids: { uid(): string; suffix(length: number): string };
}

export interface Controller {
  /**
   * Its name in logs, events (`source.component`) and job keys: the kind's controller, such as `deployment-controller`.
   */
  readonly name: string;
  /** Keys of this kind, or of these kinds, are its work. */
  readonly kind: Kind | readonly Kind[];
  /**
   * Whether an object of its own kind asks for a pass when it changed, or is looked at again; when absent, all do.
   * `previous` is the object before the change, undefined for one that is new or looked at again: then what is there
   * decides. `view` shows the change. False where a pass would do nothing, and what could change that is watched: most
   * changes are such, and a pass costs some forty commands of Redis. What is gone asks where `worksOnGone` says so. A
   * predicate of controller-runtime.
   */
  readonly concerns?: (object: Stored, previous: Stored | undefined, view: StoreView) => boolean;
  /**
   * Whether a change of an object of a kind that it watches says nothing that it goes by, whomever it belongs to; when
   * absent, no change is such. As {@link concerns}: true only where no pass would do anything for it.
   */
  readonly ignores?: (object: Stored, previous: Stored) => boolean;
  /** It acts now and then by itself, whether anything changed or not: no part of what a plan brings about. */
  readonly actsByTheClock?: boolean;
  /** Whether heartbeats of nodes, changes that say nothing but that the node lives, concern it. Default: no. */
  readonly hearsHeartbeats?: boolean;
  /**
   * Whether the end of an object of its kind begins work of its own; what hangs on the object is watched, or collected.
   * Every control plane asks for that pass, not only the holder: what exists is found by whoever takes over, what is gone
   * would be lost with a holder that dies.
   */
  readonly worksOnGone?: boolean;
  /**
   * Which keys of its kind a change to another object concerns. Pure and cheap: it runs on every change of these kinds.
   */
  readonly watches: {
    readonly [K in Kind]?: (
      object: Stored<ObjectsByKind[K]>,
      view: StoreView,
      event: ChangeEvent['type'],
    ) => readonly AnyKey[];
  };
  /** Its work on objects of custom kinds; when absent it has none. */
  readonly custom?: CustomWork;
  /**
   * One pass: reads the view, decides. Called with the key of a deleted object too. May run twice; must then change
   * nothing.
   */
  decide(key: ObjectKey, context: PassContext): AnyDecision | Paced<AnyDecision>;
  /**
   * What it makes of a pass of which admission refused some writes, and did the others: tells it where people look, and
   * when it tries again. When absent the pass has failed, and is not repeated before something changes.
   */
  refused?(key: ObjectKey, refused: readonly RefusedWrite[], context: PassContext): AnyDecision;
}

/** As the members of {@link Controller}, for objects of all custom kinds. */
export interface CustomWork {
  concerns(object: StoredUnstructured, previous: StoredUnstructured | undefined, view: StoreView): boolean;
  /** Keys of its work, besides the object's own, that a change concerns. */
  watch(object: StoredUnstructured, view: StoreView, event: ChangeEvent['type']): readonly AnyKey[];
  decide(key: CustomKey, context: PassContext): AnyDecision;
}

export function worksOn(controller: Controller, other: Kind): boolean {
  return kindsOf(controller).includes(other);
}

export function kindsOf({ kind }: Controller): readonly Kind[] {
  return typeof kind === 'string' ? [kind] : kind;
}
