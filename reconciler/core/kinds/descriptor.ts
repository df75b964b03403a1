/**
 * What Plumbline has to know of a kind, in one place. Everything that goes through kinds (garbage collection, `get`,
 * `status`, `explain`, budgets, what nodes hold, recovery, plan checks) is derived from these facets, and none of it
 * names a kind. A facet that a kind has not is said with a word for that, so that the compiler refuses a descriptor
 * that forgot one; `test/unit/kinds/descriptors.test.ts` holds the facets against each other. How a kind is added:
 * docs/add-a-kind.md.
 *
 * A descriptor decides nothing: it points at the pure functions that do. Shape, names and scope are in
 * contracts/objects, because a node agent shares them.
 */
import type { Claim } from '../../../contracts/agent/index.ts';
import type {
  Kind,
  KindInfo,
  KubeObject,
  LabelSelector,
  ObjectsByKind,
  PodTemplateSpec,
  Stored,
  StoredNode,
  StoredOf,
} from '../../../contracts/objects/index.ts';
import type { FixedField } from '../diff/fixed-fields.ts';
import type { Health, HealthView } from '../health/health.ts';
import type { CheckContext } from '../manifests/checks/context.ts';
import type { FieldPath } from '../manifests/yaml-tree.ts';
import type { Column } from './columns.ts';

export interface KindDescriptor<K extends Kind> {
  /** API version, names, scope, schema of the manifest. */
  readonly identity: KindInfo;

  /**
   * When a plan carries out its objects: lower waves are created first and deleted last. 0 what everything stands on, 1
   * what pods read, 2 what is said of pods, 3 what makes pods, 4 what is told of the others.
   */
  readonly wave: number;

  /** Lists that have it beside its own: `plumb get all`. Kubernetes' `APIResource.categories`. */
  readonly categories: readonly 'all'[];

  /** What `plumb get` shows. Kubernetes: pkg/printers/internalversion. */
  readonly columns: readonly Column<K>[];

  /** In which order `plumb get` lists objects. */
  readonly listed: 'by key' | { compare(a: ObjectsByKind[K], b: ObjectsByKind[K]): number };

  /** Rules between the fields of a manifest, beyond its schema. Not for kinds that are in no manifest. */
  readonly check: 'by its schema' | { object(object: ObjectsByKind[K], context: CheckContext): void };

  /**
   * Fields, besides the template's, that other objects are compared with once all files are read: where they stand in
   * the file is remembered. Those of {@link fixed} and {@link scale} are, anyhow.
   */
  readonly compared: 'none' | readonly FieldPath[] | { paths(object: ObjectsByKind[K]): readonly FieldPath[] };

  /** The pods that it makes, or that it is. Checked, told of by the forecast, and searched for references. */
  readonly podTemplate: 'none' | PodTemplateFacet<K>;

  /** What an object needs by name. What of it travels to nodes goes with it. */
  readonly references: 'none' | { of(object: ObjectsByKind[K]): readonly Reference[] };

  /** Kinds whose objects it makes and is the controller of: they are adopted, counted, explained and go with it. */
  readonly owns: readonly Kind[];

  /** One line of an object below its owner, for `plumb explain`; undefined where it is not worth one. */
  readonly summary: 'none' | { of(object: ObjectsByKind[K]): string | undefined };

  /** Which pods, or objects that it {@link owns}, it is about. */
  readonly selector: 'none' | { of(object: ObjectsByKind[K]): LabelSelector | undefined };

  /**
   * Where the number of its pods is, wanted and present: the paths of Kubernetes' scale subresource. Disruption budgets
   * take shares of the topmost owner of a pod that has one.
   */
  readonly scale: 'none' | { readonly replicas: FieldPath; readonly statusReplicas: FieldPath };

  /**
   * What it is to the placing of pods. `rule`: its change alone may give a waiting pod its place, so that a plan with one
   * has a forecast; `setting`: a forecast is made with it as the plan has it; `state`: what is placed, and where.
   */
  readonly placement: 'none' | 'rule' | 'setting' | 'state';

  /**
   * How an object is, for `plumb status`; `stored`: it holds data, and is well when it is there. `shown`: whether it has
   * a line also while it is well.
   */
  readonly health: 'stored' | HealthFacet<K>;

  /**
   * `at once`: an object goes as soon as no finalizer keeps it. `after its contents`: a finalizer of its own keeps it from
   * the first request on, until its controller has emptied it. Of others the end is carried out elsewhere first:
   * `graceSeconds` is how long that takes when nobody says how long, undefined where nobody has anything to do.
   */
  readonly deletion: 'at once' | 'after its contents' | { graceSeconds(object: StoredOf<K>): number | undefined };

  /** Values that never change once an object exists. A plan that would change them is refused. */
  readonly fixed: readonly FixedField<K>[];

  /**
   * Fields of secret values: sealed in the store, kept in memory on nodes, and hidden in plans, errors, logs and answers.
   */
  readonly sealed: readonly FieldPath[];

  /** What a node gets of it. */
  readonly reach: 'none' | Reach<K>;

  /** From where an object comes again when the store was lost. */
  readonly recovery: RecoveryOf<K>;

  /** Served beside the object itself; of `status` and `scale` other facets and the schema tell. */
  readonly subresources: readonly ('log' | 'exec' | 'eviction' | 'ephemeralcontainers')[];
}

export interface PodTemplateFacet<K extends Kind> {
  /** Where metadata and spec of the pod are; empty for a kind that is the pod. */
  readonly path: FieldPath;
  of(object: ObjectsByKind[K]): PodTemplateSpec;
  /** Names of volumes that its controller adds to each pod, where it adds some. */
  addedVolumes?(object: ObjectsByKind[K]): readonly string[];
  /** Of the pod itself: what an update does to it while it runs, for the plan. */
  inPlace?(before: ObjectsByKind[K], after: ObjectsByKind[K]): string | undefined;
  /** How it replaces pods of earlier templates, where it does: a forecast tells of updates that would stand still. */
  readonly rollout: 'none' | Rollout<K>;
  /**
   * The pods that its own controller makes, by which a recovery knows them again. `none` where another kind makes them
   * (a Deployment's are its ReplicaSets'), and of the pod itself.
   */
  readonly makes: 'none' | MadePods<K>;
}

/** What a pod tells of the place that it has among those of its owner. */
export interface PodPlace {
  readonly name: string;
  readonly nodeName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface MadePods<K extends Kind> {
  /**
   * The template as the controller fills it in for a pod of that place; `template` is the object's own, or one that it
   * had in an earlier commit. Undefined where it makes no pod of that place. A node tells the place, so that nothing of
   * it is taken that the controller would not have written.
   */
  filled(object: ObjectsByKind[K], template: PodTemplateSpec, place: PodPlace): PodTemplateSpec | undefined;
  /** The most pods that it has, those that are being ended apart. */
  most(object: ObjectsByKind[K]): number;
  /**
   * The place that a pod's name says, counted from 0, where names are places: then no two of one name may run at one
   * time, and a recovery forgets none that a node has. Undefined for a name without.
   */
  placeOf?(object: ObjectsByKind[K], name: string): number | undefined;
  /**
   * Its pods come to an end, and so does it: an object that is gone has been there for what its manifest asked, and is
   * made again only where that changes.
   */
  readonly runsOnce?: true;
}

export interface Rollout<K extends Kind> {
  /** Whether new pods come beside old ones that still run. */
  isRolling(object: ObjectsByKind[K]): boolean;
  /** The object with an update of larger steps, so that one of thousands of pods need not be played pod by pod. */
  hurried(object: StoredOf<K>): StoredOf<K>;
}

export interface HealthFacet<K extends Kind> {
  judge(object: ObjectsByKind[K], view: HealthView): Health;
  readonly shown: 'always' | 'when not healthy';
}

/** An object that another one names. */
export interface Reference {
  readonly kind: 'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'PersistentVolume' | 'RuntimeClass';
  /** Where it is not that of the object itself. */
  readonly namespace?: string;
  readonly name: string;
  /** Keys that must be in it; all of it when empty. */
  readonly keys: readonly string[];
  /** Whether it may be absent. */
  readonly optional: boolean;
  /** Where the name is. */
  readonly path: FieldPath;
}

export interface Reach<K extends Kind> {
  /** `shared`: every node holds it. `followed`: a node holds it when a pod of its own leads to it, or is it. */
  readonly how: 'shared' | 'followed';
  /** Of what is followed: the node that holds it whatever its pods lead to. */
  home?(object: StoredOf<K>): string | undefined;
  /** Of what is shared: what a node holds besides because of it. Labels and name of the node count, nothing else of it. */
  brings?(object: StoredOf<K>, node: StoredNode): readonly Reference[];
  /**
   * The object as a node gets it. A pod can only be followed again by what is in it: uid, labels, annotations, owners
   * and times.
   */
  form(object: StoredOf<K>): KubeObject;
}

/** The whole object goes to nodes. */
export const WHOLE = { form: (object: Stored): KubeObject => object };
/** All but its status, which comes from nodes or means nothing to them. */
export const WITHOUT_STATUS = {
  form(object: Stored): KubeObject {
    const { status: _status, ...rest } = object as Stored & { readonly status?: unknown };
    return rest;
  },
};

/**
 * `order`: place among all that is rebuilt before anything acts, in steps of ten, so that a new kind has room; an owner
 * comes before what it owns, so that it is never taken for deleted. `git`: as the commit in force has it, with what was
 * allocated. `nodes`: as nodes claim it, where Git agrees ({@link Claim}). `computed`: from the others, to the same
 * names.
 *
 * Without an order it is not needed before the first sync: it comes `with the first sync`, or is `lost`. An object
 * that owns others has an order: its uid would be a new one else, and what it owns would be taken for orphaned.
 */
export type Recovery = Rebuilt<'git' | 'nodes' | 'computed'> | 'with the first sync' | 'lost';
interface Rebuilt<From extends string> {
  readonly from: From;
  readonly order: number;
}
/** Of a kind that the protocol with the agents has a claim of, the claims are taken; of no other kind. */
type RecoveryOf<K extends Kind> = K extends Claim['kind']
  ? Rebuilt<'nodes'>
  : Rebuilt<'git' | 'computed'> | 'with the first sync' | 'lost';
