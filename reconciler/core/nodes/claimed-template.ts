/**
 * Whether an object of Git makes just the pod that a node claims. Of a claimed pod's spec nothing is taken: it is held
 * against what the object would make, and that is what the pod has from then on.
 */
import {
  CONFIG_HASH,
  JOB_UID_LABELS,
  keyOf,
  objectKey,
  type Kind,
  type KubeObject,
  type LimitRange,
  type ObjectKey,
  type Pod,
  type PodTemplateSpec,
  type RuntimeClass,
  type ServiceAccount,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { groupBy } from '../group-by.ts';
import type { MadePods } from '../kinds/descriptor.ts';
import { descriptorOf } from '../kinds/index.ts';
import { withLimitDefaults } from '../quota/limit-range.ts';
import { withRuntimeClass } from '../runtime-classes/pod-class.ts';
import { accountNameOf, hasPullSecrets, withAccount } from '../service-accounts/pod-account.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { areComparable } from '../workloads/config-hash.ts';
import { HASH_LABEL } from '../workloads/template.ts';

/** Templates that what makes pods has in Git: the one in force first, then others of recent commits. */
export type PodTemplates = ReadonlyMap<ObjectKey, readonly PodTemplateSpec[]>;

/** What fills in, when a pod is made, what its template leaves open. */
export interface PodDefaults {
  /** LimitRanges of a namespace: resources of the pod's containers. */
  limits(namespace: string): readonly LimitRange[];
  /** The pod's RuntimeClass: overhead, node labels, tolerations. */
  runtimeClass(name: string): RuntimeClass | undefined;
  /** The pod's ServiceAccount: pull secrets. */
  account(namespace: string, name: string): ServiceAccount | undefined;
}

/** Of these objects. */
export function podDefaultsOf(objects: Iterable<KubeObject>): PodDefaults {
  const all = [...objects];
  const ranges = groupBy(
    all.filter((object) => object.kind === 'LimitRange'),
    ({ metadata }) => metadata.namespace ?? '',
  );
  const accounts = new Map(
    all.flatMap((object) => (object.kind === 'ServiceAccount' ? [[keyOf(object), object] as const] : [])),
  );
  const classes = new Map(
    all.flatMap((object) => (object.kind === 'RuntimeClass' ? [[object.metadata.name, object] as const] : [])),
  );
  return {
    runtimeClass: (name) => classes.get(name),
    limits: (namespace) => ranges.get(namespace) ?? [],
    account: (namespace, name) => accounts.get(objectKey('ServiceAccount', namespace, name)),
  };
}

/** How the kind's controller makes pods; undefined where it makes none itself. */
export function makerOf({ kind }: KubeObject): MadePods<Kind> | undefined {
  const { podTemplate } = descriptorOf(kind);
  return podTemplate === 'none' || podTemplate.makes === 'none' ? undefined : podTemplate.makes;
}

/**
 * The template as it is in the claimed pod, where the object makes just that pod of it: filled in by its controller,
 * and in one of the {@link waysMade}. Its ServiceAccount may have given it other pull secrets than today; it has today's
 * from then on, as they are for the next pull alone. Undefined where it does not.
 */
export function madeOf(
  template: PodTemplateSpec,
  object: KubeObject,
  claim: PodClaim,
  defaults: PodDefaults,
): PodTemplateSpec | undefined {
  const { name, namespace, labels = {}, annotations = {} } = claim.metadata;
  const makes = makerOf(object);
  const filled = makes
    ? makes.filled(object, template, { name, nodeName: claim.spec.nodeName, labels, annotations })
    : template;
  if (!filled) return undefined;
  const given = hasPullSecrets(filled.spec) ? undefined : 'imagePullSecrets';
  const own = waysMade(filled, namespace, defaults).find((one) =>
    isAlike(one === template ? knownToldOf(one) : toldOf(one), knownToldOf(claim), given),
  );
  return own && ofAccount(own, namespace, defaults);
}

/** The pod or template as it is made today in that namespace, with all that its account gives it. */
export function ofAccount<T extends Pick<PodTemplateSpec, 'spec'>>(
  one: T,
  namespace: string,
  defaults: PodDefaults,
): T {
  return withAccount(one, defaults.account(namespace, accountNameOf(one.spec)));
}

/**
 * The pod or template with what admission fills in: by the LimitRanges and the RuntimeClass of today, and by none of
 * either, as from before there were any. The first is how it would be made now.
 */
export function waysMade<T extends Pick<PodTemplateSpec, 'metadata' | 'spec'>>(
  one: T,
  namespace: string,
  defaults: PodDefaults,
): readonly T[] {
  const { runtimeClassName } = one.spec;
  const runtimeClass = runtimeClassName === undefined ? undefined : defaults.runtimeClass(runtimeClassName);
  const byLimits = [limited(one, defaults.limits(namespace)), one];
  const all = [...byLimits.map((filled) => withRuntimeClass(filled, runtimeClass)), ...byLimits];
  return [...new Set(all)];
}

/** The last answers: most templates are the same in all the pods that are held against them. */
const limitedBy = new WeakMap<Made, { readonly ranges: readonly LimitRange[]; readonly to: Made }>();
type Made = Pick<PodTemplateSpec, 'metadata' | 'spec'>;

function limited<T extends Made>(template: T, ranges: readonly LimitRange[]): T {
  if (ranges.length === 0) return template;
  const known = limitedBy.get(template);
  // What was made of it is of its type.
  if (known?.ranges === ranges) return known.to as T;
  const to = withLimitDefaults(template, ranges);
  limitedBy.set(template, { ranges, to });
  return to;
}

/** The most pods that the object itself makes. */
export function mostPods(object: KubeObject): number {
  return makerOf(object)?.most(object) ?? 0;
}

/** The pod as a template, where the object makes it just like that, or made it of an `earlier` template; else undefined. */
export function madeFor(
  object: KubeObject,
  claim: PodClaim,
  defaults: PodDefaults,
  earlier: readonly PodTemplateSpec[],
): PodTemplateSpec | undefined {
  const { podTemplate } = descriptorOf(object.kind);
  if (podTemplate === 'none') return undefined;
  for (const template of [podTemplate.of(object), ...earlier]) {
    const made = madeOf(template, object, claim, defaults);
    if (made) return made;
  }
  return undefined;
}

/** The present template of the owner as it would be in a pod of that name. */
export function presentFor(owner: KubeObject, { metadata: { name }, spec: { nodeName } }: PodClaim): PodTemplateSpec {
  const { podTemplate } = descriptorOf(owner.kind);
  if (podTemplate === 'none') throw new TypeError(`${owner.kind} makes no pods`);
  const template = podTemplate.of(owner);
  return makerOf(owner)?.filled(owner, template, { name, nodeName, labels: {}, annotations: {} }) ?? template;
}

/** Whether the name of the claimed pod is a place of the owner, so that no other pod may have it while this one runs. */
export function isPlaceOf(owner: KubeObject, { metadata: { name } }: PodClaim): boolean {
  return makerOf(owner)?.placeOf?.(owner, name) !== undefined;
}

/** What a node tells of a pod that is also its template's: a canonical text for each part of it, and its config. */
interface Told {
  readonly parts: ReadonlyMap<string, string>;
  readonly config: string | undefined;
}

/** Kept for as long as the claim or template, which is held against many others. */
const told = new WeakMap<PodClaim | PodTemplateSpec, Told>();

function knownToldOf(pod: PodClaim | PodTemplateSpec): Told {
  const known = told.get(pod) ?? toldOf(pod);
  told.set(pod, known);
  return known;
}

/**
 * Without the place that it runs at, uids of owners, which are made anew, and finalizers, which are nothing to a node
 * and leave a pod while it lives.
 */
function toldOf({ metadata: { labels = {}, annotations = {} }, spec }: PodClaim | PodTemplateSpec): Told {
  const own = Object.entries(labels).filter(([label]) => !ANEW.has(label));
  const { [CONFIG_HASH]: config, ...others } = annotations;
  const parts = Object.entries({ ...withoutNode(spec), labels: Object.fromEntries(own), annotations: others });
  return {
    parts: new Map(parts.flatMap(([name, part]) => (part === undefined ? [] : [[name, textOf(part)] as const]))),
    config,
  };
}
const ANEW: ReadonlySet<string> = new Set([...JOB_UID_LABELS, HASH_LABEL]);

/** But for the part `given`, where there is one, which may be in either. */
function isAlike(one: Told, other: Told, given: string | undefined): boolean {
  if (areComparable(one.config, other.config) && one.config !== other.config) return false;
  const size = ({ parts }: Told): number => parts.size - (given !== undefined && parts.has(given) ? 1 : 0);
  if (size(one) !== size(other)) return false;
  for (const [name, text] of one.parts) if (name !== given && other.parts.get(name) !== text) return false;
  return true;
}

/** Of parts that controllers leave as they are in a template, such as its containers. */
const texts = new WeakMap<object, string>();
/** A shorter text is made again as fast as it is found. */
const KEPT_FROM = 256;

function textOf(part: unknown): string {
  if (typeof part !== 'object' || part === null) return canonicalJson(part);
  const known = texts.get(part);
  if (known !== undefined) return known;
  const text = canonicalJson(part);
  if (text.length >= KEPT_FROM) texts.set(part, text);
  return text;
}

/** The spec of a pod, without what it got when it was made: its node, and its account's pull secrets. */
export function withoutGiven(spec: Pod['spec'], written: Pod['spec']): Pod['spec'] {
  const { imagePullSecrets: _secrets, ...rest } = withoutNode(spec);
  return hasPullSecrets(written) ? withoutNode(spec) : rest;
}

function withoutNode(spec: Pod['spec']): Pod['spec'] {
  const { nodeName: _node, ...rest } = spec;
  return rest;
}
