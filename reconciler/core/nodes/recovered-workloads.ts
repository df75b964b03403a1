/**
 * Pods that go on after the store was lost, and who owns them. A pod is followed only where Git, now or in a recent
 * commit, gives the very same pod; then its spec is Git's, and what the node adds is its name, uid, times and status.
 * So no node can make another run anything.
 */
import {
  isKeyOf,
  JOB_UID_LABELS,
  keyOf,
  objectKey,
  type Job,
  type Kind,
  type KubeObject,
  type LimitRange,
  type ObjectKey,
  type Pod,
  type PodTemplateSpec,
  type ReplicaSet,
  type Stored,
  type StoredMeta,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { Claim, PodClaim, PodReport } from '../../../contracts/agent/index.ts';
import type { MadePods } from '../kinds/descriptor.ts';
import { groupBy } from '../group-by.ts';
import { descriptorOf } from '../kinds/index.ts';
import { withLimitDefaults } from '../quota/limit-range.ts';
import { controllerRef, ownerKey } from '../workloads/owners.ts';
import { isActive } from '../workloads/pod-state.ts';
import { bounds } from '../workloads/rollout-numbers.ts';
import { HASH_LABEL, podMeta, replicaSetWith, sameTemplate, templateHash } from '../workloads/template.ts';
import { UNHEARD_ANNOTATION } from '../workloads/unheard.ts';
import { boundedPodStatus, boundedTime, type KnownNode } from './bounded-report.ts';
import { digest } from './fingerprint.ts';
import { asEnding, claimsOfPods, earlierRevisions, placesFound, recoveredStatefulSet } from './recovered-named.ts';
import { runClaim, runOf } from './recovered-runs.ts';
import { scaleFound } from './recovered-scale.ts';

/** What one node that answered says. */
export interface NodeWord {
  readonly node: string;
  readonly claims: readonly Claim[];
  readonly pods: readonly PodReport[];
}

/** A pod that is being ended stands beside its replacement. */
const CLAIMS_PER_PLACE = 2;
/** Pods that have ended take no place: they stay as witnesses of what their Jobs have done. */
const ENDED_PER_PLACE = 20;

/**
 * What a node that has room for `maxPods` pods can say: the claims of pods beyond twice that many are left out, before
 * any is looked at, and so are those of ended ones beyond twenty times that many.
 */
export function withinPlaces(word: NodeWord, maxPods: number): NodeWord {
  const claims = word.claims.filter((claim) => claim.kind === 'Pod');
  const over = new Set(word.pods.flatMap(({ uid, status }) => (isOver(status?.phase) ? [uid] : [])));
  const hasEnded = (claim: PodClaim): boolean => over.has(claim.metadata.uid);
  const beyond = new Set([
    ...claims.filter((claim) => !hasEnded(claim)).slice(maxPods * CLAIMS_PER_PLACE),
    ...claims.filter(hasEnded).slice(maxPods * ENDED_PER_PLACE),
  ]);
  return beyond.size === 0
    ? word
    : { ...word, claims: word.claims.filter((claim) => claim.kind !== 'Pod' || !beyond.has(claim)) };
}

/** Templates that what makes pods has in Git: the one in force first, then others of recent commits. */
export type PodTemplates = ReadonlyMap<ObjectKey, readonly PodTemplateSpec[]>;

/** The LimitRanges of a namespace, which fill in what a pod's containers do not say when it is made. */
export type Limits = (namespace: string) => readonly LimitRange[];

/** Of these objects. */
export function limitsOf(objects: Iterable<KubeObject>): Limits {
  const ranges = groupBy(
    [...objects].filter((object) => object.kind === 'LimitRange'),
    ({ metadata }) => metadata.namespace ?? '',
  );
  return (namespace) => ranges.get(namespace) ?? [];
}

/** A claim that was not followed. */
export interface RefusedClaim {
  readonly node: string;
  readonly key: ObjectKey;
  readonly why: string;
}

export interface WorkloadInput {
  /** Each {@link withinPlaces}. */
  readonly words: readonly NodeWord[];
  readonly silent: readonly string[];
  /** Objects of Git, as the sync would create them. */
  readonly desired: readonly KubeObject[];
  readonly templates: PodTemplates;
  /** Those whose number of pods Git does not say: it is what is found to run. */
  readonly scaledByOthers: ReadonlySet<ObjectKey>;
  readonly limits: Limits;
  readonly known: ReadonlyMap<string, KnownNode>;
  /** Of the store that is being filled. */
  readonly incarnation: string;
  readonly now: Date;
}

export interface RecoveredWorkloads {
  /** What Git has, then the ReplicaSets of its Deployments, and the revisions of others. */
  readonly objects: readonly KubeObject[];
  readonly pods: readonly StoredOf<'Pod'>[];
  readonly refused: readonly RefusedClaim[];
}

/**
 * With a uid, so that others can refer to it: drawn from the store's incarnation and the key, so that a recovery that
 * was interrupted and is made again gives the same.
 */
export function made<T extends KubeObject>(
  object: T,
  { incarnation, now }: Pick<WorkloadInput, 'incarnation' | 'now'>,
  creationTimestamp = now.toISOString(),
): Stored<T> {
  const metadata: StoredMeta = {
    ...object.metadata,
    uid: uidOf(incarnation, keyOf(object)),
    resourceVersion: '0',
    generation: 1,
    creationTimestamp,
  };
  return { ...object, metadata };
}

/** RFC 9562, version 8. */
function uidOf(incarnation: string, key: ObjectKey): string {
  const hex = digest(`${incarnation} ${key}`).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

interface Witnessed {
  readonly node: string;
  readonly claim: PodClaim;
}
/** Pods of one workload that were made from one template under one hash. */
interface Group {
  readonly template: PodTemplateSpec;
  /** Position among the workload's templates: 0 is the one in force. */
  readonly index: number;
  /** Undefined for pods of an owner that is written in Git. */
  readonly hash: string | undefined;
  readonly pods: Witnessed[];
}
export function recoverWorkloads(known: WorkloadInput): RecoveredWorkloads {
  const input = withRuns(known);
  const sorting = new Sorting(input);
  const ended = (one: Witnessed): boolean =>
    hasEnded(
      one.claim,
      input.words.find(({ node }) => node === one.node),
    );
  for (const { node, claims } of input.words) {
    for (const claim of claims) if (claim.kind === 'Pod') sorting.take({ node, claim });
  }
  const objects: KubeObject[] = [];
  const sets: KubeObject[] = [];
  const pods: StoredOf<'Pod'>[] = [...sorting.bare.values()].map(({ witnessed, pod }) =>
    recoveredPod(input, witnessed, pod.spec, pod.metadata),
  );
  for (const written of input.desired) {
    const makes = makerOf(written);
    if (written.kind === 'CronJob') objects.push(made(written, input));
    if (written.kind !== 'Deployment' && !makes) continue;
    const groups = sorting.groupsOf(written);
    const object = input.scaledByOthers.has(keyOf(written)) ? scaledAs(written, groups, ended, input) : written;
    const owner = made(
      object,
      input,
      earliest(
        groups.flatMap((group) => group.pods),
        input.now,
      ),
    );
    const limit = object.kind === 'Deployment' ? bounds(object.spec).maxTotal : (makes?.most(object) ?? 0);
    const kept = new Set(
      placed(
        groups.flatMap((group) => group.pods),
        limit,
        ended,
      ),
    );
    for (const { node, claim } of groups.flatMap((group) => group.pods).filter((one) => !kept.has(one)))
      sorting.refuse(node, claim, `${owner.kind} ${owner.metadata.name} has at most ${limit} pods`);
    if (owner.kind !== 'Deployment') {
      const own = groups.flatMap(({ template, pods: group }) =>
        group.filter((one) => kept.has(one)).map((one) => podOf(input, one, owner, template)),
      );
      const unknown = sorting.unknownOf(written).map((one) => endingPodOf(input, one, owner));
      const followed = groups.filter((group) => group.index > 0 && group.pods.some((one) => kept.has(one)));
      const revisions = earlierRevisions(
        owner,
        followed.map(({ template }) => template),
      );
      const all = [...own, ...unknown];
      if (owner.kind === 'ReplicaSet') objects.push(withUnheard(owner, owner.spec.replicas - active(own), input));
      else if (owner.kind === 'Job') objects.push(withUnheard(owner, owner.spec.parallelism - active(own), input));
      else if (owner.kind === 'StatefulSet') {
        objects.push(recoveredStatefulSet(owner, all, revisions, input.silent.length > 0));
        sets.push(...claimsOfPods(owner, all).map((claim) => made(claim, input)));
      } else objects.push(owner);
      sets.push(...revisions.map((revision) => made(revision, input)));
      pods.push(...all);
      continue;
    }
    objects.push(owner);
    const others = groups.filter(({ index }) => index > 0).map((group) => recoveredSet(input, owner, group, kept, 0));
    const present = groups.find(({ index }) => index === 0) ?? {
      template: owner.spec.template,
      index: 0,
      hash: templateHash(owner.spec.template),
      pods: [],
    };
    const heard = others.reduce((sum, { own }) => sum + active(own), 0);
    // Made here only where it has pods or may have some: a rollout that made none yet is begun by its controller.
    const wanted =
      input.silent.length > 0 || present.pods.length > 0
        ? [recoveredSet(input, owner, present, kept, Math.max(0, owner.spec.replicas - heard))]
        : [];
    for (const { set, own } of [...others, ...wanted]) {
      sets.push(set);
      pods.push(...own);
    }
  }
  return { objects: [...objects, ...sets], pods, refused: sorting.refused };
}

/** With the Jobs that CronJobs of Git made for the pods that are claimed, as if Git had them. */
function withRuns(input: WorkloadInput): WorkloadInput {
  const { words, desired, now } = input;
  const cronJobs = new Map(
    desired.flatMap((object) => (object.kind === 'CronJob' ? [[keyOf(object), made(object, input)] as const] : [])),
  );
  const written = new Set(desired.map(keyOf));
  const jobs = new Map<ObjectKey, Job>();
  for (const { claims } of words) {
    for (const claim of claims) {
      const run = claim.kind === 'Pod' ? runClaim(claim) : undefined;
      const cronJob = run && cronJobs.get(run.cronJob);
      if (!run || !cronJob || claim.kind !== 'Pod' || written.has(run.job) || jobs.has(run.job)) continue;
      const templates = input.templates.get(run.cronJob) ?? [];
      const job = runOf(run, cronJob, templates, {
        makes: (one, template) => madeOf(template, one, claim, input.limits) !== undefined,
        now,
      });
      if (job) jobs.set(run.job, job);
    }
  }
  if (jobs.size === 0) return input;
  const templates = [...jobs].map(([key, { spec }]) => [key, [spec.template]] as const);
  return { ...input, desired: [...desired, ...jobs.values()], templates: new Map([...input.templates, ...templates]) };
}

/** How the kind's controller makes pods; undefined where it makes none itself. */
function makerOf({ kind }: KubeObject): MadePods<Kind> | undefined {
  const { podTemplate } = descriptorOf(kind);
  return podTemplate === 'none' || podTemplate.makes === 'none' ? undefined : podTemplate.makes;
}

/**
 * The template as it is in the claimed pod, where the object makes just that pod of it: filled in by its controller,
 * and by the LimitRanges of today, or of none from before there were any. Undefined where it does not.
 */
function madeOf(
  template: PodTemplateSpec,
  object: KubeObject,
  claim: PodClaim,
  limits: Limits,
): PodTemplateSpec | undefined {
  const { name, namespace, labels = {}, annotations = {} } = claim.metadata;
  const makes = makerOf(object);
  const filled = makes
    ? makes.filled(object, template, { name, nodeName: claim.spec.nodeName, labels, annotations })
    : template;
  if (!filled) return undefined;
  const claimed = templateOf(claim);
  return [withLimitDefaults(filled, limits(namespace)), filled].find((one) =>
    sameTemplate(asNodesHaveIt(one), claimed),
  );
}

/** The most pods that the object itself makes. */
export function mostPods(object: KubeObject): number {
  return makerOf(object)?.most(object) ?? 0;
}

/** The pod as a template, where the object makes it just like that, or made it of an `earlier` template; else undefined. */
export function madeFor(
  object: KubeObject,
  claim: PodClaim,
  limits: Limits,
  earlier: readonly PodTemplateSpec[],
): PodTemplateSpec | undefined {
  const { podTemplate } = descriptorOf(object.kind);
  if (podTemplate === 'none') return undefined;
  for (const template of [podTemplate.of(object), ...earlier]) {
    const made = madeOf(template, object, claim, limits);
    if (made) return made;
  }
  return undefined;
}

function scaledAs(
  object: KubeObject,
  groups: readonly Group[],
  ended: (one: Witnessed) => boolean,
  { silent }: WorkloadInput,
): KubeObject {
  const isRunning = (one: Witnessed): boolean => one.claim.metadata.deletionTimestamp === undefined && !ended(one);
  const maker = makerOf(object);
  if (maker?.placeOf) {
    const names = groups.flatMap(({ pods }) => pods.filter(isRunning).map(({ claim }) => claim.metadata.name));
    const places = names.flatMap((name) => maker.placeOf?.(object, name) ?? []);
    return scaleFound(object, placesFound(places, silent.length), false);
  }
  const running = groups.map(({ pods }) => pods.filter(isRunning).length).filter((count) => count > 0);
  return scaleFound(
    object,
    running.reduce((sum, count) => sum + count, 0),
    running.length > 1,
  );
}

/**
 * `wanted`: how many pods it should have where not all nodes answered: those that nobody told of may be on the others.
 */
function recoveredSet(
  input: WorkloadInput,
  owner: StoredOf<'Deployment'>,
  group: Group,
  kept: ReadonlySet<Witnessed>,
  wanted: number,
): { readonly set: ReplicaSet; readonly own: readonly StoredOf<'Pod'>[] } {
  const followed = group.pods.filter((one) => kept.has(one));
  const empty = replicaSetWith(owner, group.template, group.hash ?? templateHash(group.template));
  const set = made(empty, input, earliest(followed, input.now));
  const own = followed.map((one) => podOf(input, one, set, set.spec.template));
  const replicas = Math.max(active(own), input.silent.length > 0 ? wanted : 0);
  return { set: withUnheard({ ...set, spec: { ...set.spec, replicas } }, replicas - active(own), input), own };
}

function withUnheard<T extends StoredOf<'ReplicaSet'> | StoredOf<'Job'>>(
  set: T,
  missing: number,
  { silent }: WorkloadInput,
): T {
  if (silent.length === 0 || missing <= 0) return set;
  return {
    ...set,
    metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, [UNHEARD_ANNOTATION]: String(missing) } },
  };
}

function active(pods: readonly Pod[]): number {
  return pods.filter(isActive).length;
}

function earliest(pods: readonly Witnessed[], now: Date): string {
  return pods.map(({ claim }) => boundedTime(claim.metadata.creationTimestamp, now)).sort()[0] ?? now.toISOString();
}

/**
 * Those that run come first: one that ended, as by eviction, is kept where a place is left, and takes none from them.
 * Those being ended need none.
 */
function placed(pods: readonly Witnessed[], limit: number, ended: (one: Witnessed) => boolean): readonly Witnessed[] {
  const ending = pods.filter(({ claim }) => claim.metadata.deletionTimestamp !== undefined);
  const staying = pods.filter(({ claim }) => claim.metadata.deletionTimestamp === undefined);
  const running = fairShare(
    staying.filter((one) => !ended(one)),
    limit,
  );
  return [...running, ...fairShare(staying.filter(ended), limit - running.length), ...ending];
}

/** By what its node says of it. */
export function hasEnded({ metadata: { uid } }: PodClaim, word: NodeWord | undefined): boolean {
  const phase = word?.pods.find((pod) => pod.uid === uid && !pod.gone)?.status?.phase;
  return isOver(phase);
}

function isOver(phase: string | undefined): boolean {
  return phase === 'Failed' || phase === 'Succeeded';
}

/**
 * At most `limit` of the pods: one of each node in turn, the oldest first. A node that claims many takes the places of
 * none that has few.
 */
function fairShare(pods: readonly Witnessed[], limit: number): readonly Witnessed[] {
  const byNode = new Map<string, Witnessed[]>();
  for (const one of pods) byNode.set(one.node, [...(byNode.get(one.node) ?? []), one]);
  const rows = [...byNode]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, own]) => own.sort((a, b) => compareAge(a.claim, b.claim)));
  const picked: Witnessed[] = [];
  for (let turn = 0; picked.length < limit && rows.some((row) => turn < row.length); turn += 1) {
    for (const row of rows) if (row[turn] !== undefined && picked.length < limit) picked.push(row[turn] as Witnessed);
  }
  return picked;
}

function compareAge(a: PodClaim, b: PodClaim): number {
  const [one, other] = [
    `${a.metadata.creationTimestamp} ${a.metadata.name}`,
    `${b.metadata.creationTimestamp} ${b.metadata.name}`,
  ];
  return one < other ? -1 : one > other ? 1 : 0;
}

function podOf(input: WorkloadInput, witnessed: Witnessed, owner: Stored, template: PodTemplateSpec): StoredOf<'Pod'> {
  const own = madeOf(template, owner, witnessed.claim, input.limits) ?? template;
  return recoveredPod(input, witnessed, own.spec, {
    ...podMeta(own),
    ownerReferences: [controllerRef(owner)],
  });
}

/** A pod that ends, with the spec that Git has for its place today: of what the node says of its spec nothing is taken. */
function endingPodOf(input: WorkloadInput, { node, claim }: Witnessed, owner: Stored): StoredOf<'Pod'> {
  const own = presentFor(owner, claim);
  const grace = own.spec.terminationGracePeriodSeconds;
  return recoveredPod(input, { node, claim: asEnding(claim, grace, input.now) }, own.spec, {
    ...podMeta(own),
    ownerReferences: [controllerRef(owner)],
  });
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

/** The binding is part of the pod, so one without a report is at least known to be scheduled. */
export function recoveredPod(
  { words, known, now }: Pick<WorkloadInput, 'words' | 'known' | 'now'>,
  { node, claim }: Witnessed,
  spec: Pod['spec'],
  of: Partial<Pod['metadata']>,
): StoredOf<'Pod'> {
  const { name, namespace, uid, deletionTimestamp, deletionGracePeriodSeconds } = claim.metadata;
  const creationTimestamp = boundedTime(claim.metadata.creationTimestamp, now);
  const told = words
    .find((word) => word.node === node)
    ?.pods.find(
      (pod: PodReport) => pod.uid === uid && pod.name === name && pod.namespace === namespace && !pod.gone,
    )?.status;
  const status = told
    ? boundedPodStatus(told, spec, known.get(node) ?? { podCIDR: undefined, internalIP: undefined }, now)
    : { phase: 'Pending' as const };
  const scheduled = { type: 'PodScheduled', status: 'True' as const, lastTransitionTime: creationTimestamp };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...of,
      name,
      namespace,
      uid,
      creationTimestamp,
      resourceVersion: '0',
      generation: 1,
      ...(deletionTimestamp !== undefined && {
        deletionTimestamp: boundedEnd(deletionTimestamp, spec, now),
        deletionGracePeriodSeconds: Math.min(deletionGracePeriodSeconds ?? 0, spec.terminationGracePeriodSeconds),
      }),
    },
    spec: { ...spec, nodeName: node },
    status: {
      ...status,
      conditions: [scheduled, ...(status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled')],
    },
  };
}

/** The end of a grace period is never further away than the pod's own. */
function boundedEnd(told: string, spec: Pod['spec'], now: Date): string {
  return new Date(Math.min(Date.parse(told), now.getTime() + spec.terminationGracePeriodSeconds * 1000)).toISOString();
}

/** The pod as a template, to be held against Git's. Where it runs is not part of it. */
export function templateOf({
  metadata: { labels, annotations },
  spec,
}: Pick<PodClaim, 'metadata' | 'spec'>): PodTemplateSpec {
  return {
    metadata: { ...(labels && { labels: withoutUids(labels) }), ...(annotations && { annotations }) },
    spec: withoutNode(spec),
  };
}

/** Uids of owners are made anew. */
function withoutUids(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !UID_LABELS.has(label)));
}
const UID_LABELS: ReadonlySet<string> = new Set(JOB_UID_LABELS);

function withoutNode(spec: Pod['spec']): Pod['spec'] {
  const { nodeName: _node, ...rest } = spec;
  return rest;
}

/** Kept for as long as the template, because its text is. */
const onNodes = new WeakMap<PodTemplateSpec, PodTemplateSpec>();
/** Without what {@link templateOf} does not tell: finalizers are nothing to a node, and leave a pod while it lives. */
function asNodesHaveIt(template: PodTemplateSpec): PodTemplateSpec {
  const known = onNodes.get(template);
  if (known) return known;
  const { finalizers: _finalizers, labels, ...metadata } = template.metadata;
  const made = {
    metadata: { ...metadata, ...(labels && { labels: withoutUids(labels) }) },
    spec: withoutNode(template.spec),
  };
  onNodes.set(template, made);
  return made;
}

/** Whether a claimed pod of a workload that Git has, in `desired`, matches none of the templates. */
export function hasUnexplained(
  words: readonly NodeWord[],
  desired: ReadonlyMap<ObjectKey, { readonly object: KubeObject }>,
  templates: PodTemplates,
): boolean {
  const limits = limitsOf([...desired.values()].map(({ object }) => object));
  return words.some(({ claims }) =>
    claims.some((claim) => {
      if (claim.kind !== 'Pod') return false;
      if (isUnexplainedRun(claim, desired, templates, limits)) return true;
      const known = ownersOf(claim).flatMap(({ workload }) => {
        const object = desired.get(workload)?.object;
        return object ? (templates.get(workload) ?? []).map((template) => ({ object, template })) : [];
      });
      return known.length > 0 && !known.some(({ object, template }) => madeOf(template, object, claim, limits));
    }),
  );
}

/** Of a CronJob that Git has, whose templates are none of this pod. */
function isUnexplainedRun(
  claim: PodClaim,
  desired: ReadonlyMap<ObjectKey, { readonly object: KubeObject }>,
  templates: PodTemplates,
  limits: Limits,
): boolean {
  const run = runClaim(claim);
  const cronJob = run && desired.get(run.cronJob)?.object;
  if (!run || cronJob?.kind !== 'CronJob' || desired.has(run.job)) return false;
  const now = new Date(claim.metadata.creationTimestamp);
  const makes = (job: Job, template: PodTemplateSpec): boolean => madeOf(template, job, claim, limits) !== undefined;
  return !runOf(run, made(cronJob, { incarnation: '', now }), templates.get(run.cronJob) ?? [], { makes, now });
}

/**
 * Workloads that may own a pod by what it says: its owner, where that is written in Git, or the Deployment whose
 * ReplicaSet it names.
 */
function ownersOf({
  metadata: { namespace, ownerReferences, labels },
}: PodClaim): readonly { readonly workload: ObjectKey; readonly hash: string | undefined }[] {
  const owner = ownerReferences?.find(({ controller }) => controller);
  const key = owner && ownerKey(namespace, owner);
  if (!key) return [];
  const inGit = { workload: key, hash: undefined };
  if (!isKeyOf(key, 'ReplicaSet')) return [inGit];
  const hash = labels?.[HASH_LABEL];
  if (hash === undefined || !/^[a-z0-9]{1,32}$/.test(hash) || !owner.name.endsWith(`-${hash}`)) return [inGit];
  return [inGit, { workload: objectKey('Deployment', namespace, owner.name.slice(0, -hash.length - 1)), hash }];
}

/** Sorts claimed pods to what owns them in Git. */
class Sorting {
  readonly refused: RefusedClaim[] = [];
  /** Pods that are written in Git themselves. */
  readonly bare = new Map<ObjectKey, { readonly witnessed: Witnessed; readonly pod: Pod }>();
  readonly #desired: ReadonlyMap<ObjectKey, KubeObject>;
  readonly #templates: PodTemplates;
  readonly #limits: Limits;
  readonly #groups = new Map<ObjectKey, Group[]>();
  readonly #unknown = new Map<ObjectKey, Witnessed[]>();
  readonly #names = new Set<ObjectKey>();
  readonly #uids = new Set<string>();

  constructor({ desired, templates, limits }: WorkloadInput) {
    this.#limits = limits;
    this.#desired = new Map(desired.map((object) => [keyOf(object), object]));
    this.#templates = templates;
  }

  take(witnessed: Witnessed): void {
    const { node, claim } = witnessed;
    const { name, namespace, uid } = claim.metadata;
    const key = objectKey('Pod', namespace, name);
    if (claim.spec.nodeName !== node) return this.refuse(node, claim, 'it is bound to another node');
    if (this.#names.has(key) || this.#uids.has(uid)) return this.refuse(node, claim, 'another pod has its name or uid');
    const why = this.#sort(key, witnessed);
    if (why !== undefined) return this.refuse(node, claim, why);
    this.#names.add(key);
    this.#uids.add(uid);
  }

  refuse(node: string, { metadata }: PodClaim, why: string): void {
    this.refused.push({ node, key: objectKey('Pod', metadata.namespace, metadata.name), why });
  }

  /** Pods in places of the workload that no recent commit has as they are. */
  unknownOf(workload: KubeObject): readonly Witnessed[] {
    return this.#unknown.get(keyOf(workload)) ?? [];
  }

  /** Of each template one group: under the hash that its template has, else under the one that most nodes tell. */
  groupsOf(workload: KubeObject): readonly Group[] {
    const groups = this.#groups.get(keyOf(workload)) ?? [];
    const nodes = ({ pods }: Group): number => new Set(pods.map(({ node }) => node)).size;
    const own = (group: Group): number =>
      group.hash === undefined || group.hash === templateHash(group.template) ? 1 : 0;
    const ranked = groups.toSorted(
      (a, b) =>
        a.index - b.index || own(b) - own(a) || nodes(b) - nodes(a) || ((a.hash ?? '') < (b.hash ?? '') ? -1 : 1),
    );
    const chosen = ranked.filter((group, place) => ranked[place - 1]?.index !== group.index);
    for (const group of ranked.filter((one) => !chosen.includes(one)))
      for (const { node, claim } of group.pods)
        this.refuse(node, claim, 'other pods of its template have another hash');
    return chosen;
  }

  /** Undefined when it has its place, else why not. */
  #sort(key: ObjectKey, witnessed: Witnessed): string | undefined {
    const { claim } = witnessed;
    if (!claim.metadata.ownerReferences?.some(({ controller }) => controller)) {
      const pod = this.#desired.get(key);
      if (pod?.kind !== 'Pod') return 'no such pod is in Git';
      const own = [withLimitDefaults(pod, this.#limits(claim.metadata.namespace)), pod].find((one) =>
        sameTemplate({ metadata: {}, spec: withoutNode(one.spec) }, { metadata: {}, spec: withoutNode(claim.spec) }),
      );
      if (!own) return 'the pod in Git is another';
      this.bare.set(key, { witnessed, pod: own });
      return undefined;
    }
    for (const { workload, hash } of ownersOf(claim)) {
      const object = this.#desired.get(workload);
      if (object) return this.#group(workload, object, hash, witnessed);
    }
    return 'no workload in Git owns it';
  }

  #group(workload: ObjectKey, object: KubeObject, hash: string | undefined, witnessed: Witnessed): string | undefined {
    const templates = this.#templates.get(workload) ?? [];
    const index = templates.findIndex((template) => madeOf(template, object, witnessed.claim, this.#limits));
    const template = templates[index];
    if (!template && isPlaceOf(object, witnessed.claim)) {
      this.#unknown.set(workload, [...(this.#unknown.get(workload) ?? []), witnessed]);
      return undefined;
    }
    if (!template) return 'no recent commit has its template';
    const groups = this.#groups.get(workload) ?? [];
    this.#groups.set(workload, groups);
    const group = groups.find((one) => one.index === index && one.hash === hash);
    if (group) group.pods.push(witnessed);
    else groups.push({ template, index, hash, pods: [witnessed] });
    return undefined;
  }
}
