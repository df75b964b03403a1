/**
 * Pods that go on after the store was lost, and who owns them. A pod is followed only where Git, now or in a recent
 * commit, gives the very same pod; then its spec is Git's, and what the node adds is its name, uid, times and status.
 * So no node can make another run anything.
 */
import {
  keyOf,
  type KubeObject,
  type ObjectKey,
  type Pod,
  type PodTemplateSpec,
  type ReplicaSet,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { groupBy } from '../group-by.ts';
import type { Paced } from '../paced.ts';
import { controllerRef } from '../workloads/owners.ts';
import { isActive } from '../workloads/pod-state.ts';
import { bounds } from '../workloads/rollout-numbers.ts';
import { podMeta, replicaSetWith, templateHash } from '../workloads/template.ts';
import { UNHEARD_ANNOTATION } from '../workloads/unheard.ts';
import { boundedTime, type KnownNode } from './bounded-report.ts';
import { ClaimSorting, type Group, type RefusedClaim } from './claim-sorting.ts';
import { madeOf, makerOf, presentFor, type PodDefaults, type PodTemplates } from './claimed-template.ts';
import { made, type Filling } from './made-anew.ts';
import { hasEnded, type NodeWord } from './node-word.ts';
import { asEnding, claimsOfPods, earlierRevisions, placesFound, recoveredStatefulSet } from './recovered-named.ts';
import { recoveredPod, staticPodAgain, type Witnessed } from './recovered-pod.ts';
import { claimedRuns } from './recovered-runs.ts';
import { scaleFound } from './recovered-scale.ts';

export interface WorkloadInput extends Filling {
  /** Each {@link withinPlaces}. */
  readonly words: readonly NodeWord[];
  readonly silent: readonly string[];
  /** Objects of Git, as the sync would create them. */
  readonly desired: readonly KubeObject[];
  readonly templates: PodTemplates;
  /** Those whose number of pods Git does not say: it is what is found to run. */
  readonly scaledByOthers: ReadonlySet<ObjectKey>;
  readonly defaults: PodDefaults;
  readonly known: ReadonlyMap<string, KnownNode>;
}

export interface RecoveredWorkloads {
  /** What Git has, then the ReplicaSets of its Deployments, and the revisions of others. */
  readonly objects: readonly KubeObject[];
  readonly pods: readonly StoredOf<'Pod'>[];
  readonly refused: readonly RefusedClaim[];
}

export function* recoverWorkloads(known: WorkloadInput): Paced<RecoveredWorkloads> {
  const input = withRuns(known);
  const sorting = new ClaimSorting(input.desired, input.templates, input.defaults);
  for (const word of input.words) {
    for (const claim of word.claims) {
      if (claim.kind !== 'Pod') continue;
      yield;
      sorting.take({ word, claim });
    }
  }
  const owners: KubeObject[] = [];
  const others: KubeObject[] = [];
  const pods: StoredOf<'Pod'>[] = [
    ...[...sorting.bare.values()].map(({ witnessed, pod }) => recoveredPod(input, witnessed, pod.spec, pod.metadata)),
    ...sorting.ofFiles.map((one) => staticPodAgain(input, one)),
  ];
  for (const written of input.desired) {
    yield;
    if (written.kind === 'CronJob') owners.push(made(written, input));
    const makes = makerOf(written);
    if (written.kind !== 'Deployment' && !makes) continue;
    const groups = sorting.groupsOf(written);
    const claimed = groups.flatMap((group) => group.pods);
    const object = input.scaledByOthers.has(keyOf(written)) ? scaledAs(written, groups, input) : written;
    const owner = made(object, input, earliest(claimed, input.now));
    const limit = object.kind === 'Deployment' ? bounds(object.spec).maxTotal : (makes?.most(object) ?? 0);
    const kept = new Set(placed(claimed, limit));
    for (const one of claimed.filter((pod) => !kept.has(pod)))
      sorting.refuse(one, `${owner.kind} ${owner.metadata.name} has at most ${limit} pods`);
    const followed = groups.map((group) => ({ ...group, pods: group.pods.filter((one) => kept.has(one)) }));
    const found =
      owner.kind === 'Deployment'
        ? yield* withSets(input, owner, followed)
        : yield* withPods(input, owner, followed, sorting.unknownOf(written));
    owners.push(found.owner);
    others.push(...found.others);
    pods.push(...found.pods);
  }
  return { objects: [...owners, ...others], pods, refused: sorting.refused };
}

/** With the Jobs that CronJobs of Git made for the pods that are claimed, as if Git had them. */
function withRuns(input: WorkloadInput): WorkloadInput {
  const jobs = claimedRuns(input.words, input.desired, input.templates, input);
  if (jobs.size === 0) return input;
  const templates = [...jobs].map(([key, { spec }]) => [key, [spec.template]] as const);
  return {
    ...input,
    desired: [...input.desired, ...jobs.values()],
    templates: new Map([...input.templates, ...templates]),
  };
}

interface Followed {
  readonly owner: KubeObject;
  /** What stands between it and its pods, or is theirs. */
  readonly others: readonly KubeObject[];
  readonly pods: readonly StoredOf<'Pod'>[];
}

interface RecoveredSet {
  readonly set: ReplicaSet;
  readonly own: readonly StoredOf<'Pod'>[];
}

/** A Deployment, with the ReplicaSets that its pods are of. */
function* withSets(input: WorkloadInput, owner: StoredOf<'Deployment'>, groups: readonly Group[]): Paced<Followed> {
  const sets: RecoveredSet[] = [];
  for (const group of groups.filter(({ index }) => index > 0)) sets.push(yield* recoveredSet(input, owner, group, 0));
  const present = groups.find(({ index }) => index === 0);
  const heard = sets.reduce((sum, { own }) => sum + active(own), 0);
  const { template } = owner.spec;
  // Made here only where it has pods or may have some: a rollout that made none yet is begun by its controller.
  if (present || input.silent.length > 0) {
    const group = present ?? { template, index: 0, hash: templateHash(template), pods: [] };
    sets.push(yield* recoveredSet(input, owner, group, Math.max(0, owner.spec.replicas - heard)));
  }
  return { owner, others: sets.map(({ set }) => set), pods: sets.flatMap(({ own }) => own) };
}

/** What makes its pods itself; `unknown`: pods in its places that no recent commit has as they are. */
function* withPods(
  input: WorkloadInput,
  owner: Stored,
  groups: readonly Group[],
  unknown: readonly Witnessed[],
): Paced<Followed> {
  const own: StoredOf<'Pod'>[] = [];
  for (const { template, pods } of groups) own.push(...(yield* podsOf(input, pods, owner, template)));
  const pods = [...own, ...unknown.map((one) => endingPodOf(input, one, owner))];
  const earlier = groups.filter((group) => group.index > 0 && group.pods.length > 0);
  const revisions = earlierRevisions(
    owner,
    earlier.map(({ template }) => template),
  );
  const others = revisions.map((revision) => made(revision, input));
  switch (owner.kind) {
    case 'ReplicaSet':
    case 'ReplicationController':
      return { owner: withUnheard(owner, owner.spec.replicas - active(own), input), others, pods };
    case 'Job':
      return { owner: withUnheard(owner, owner.spec.parallelism - active(own), input), others, pods };
    case 'StatefulSet':
      return {
        owner: recoveredStatefulSet(owner, pods, revisions, input.silent.length > 0),
        others: [...claimsOfPods(owner, pods).map((claim) => made(claim, input)), ...others],
        pods,
      };
    default:
      return { owner, others, pods };
  }
}

function scaledAs(object: KubeObject, groups: readonly Group[], { silent }: WorkloadInput): KubeObject {
  const isRunning = (one: Witnessed): boolean => one.claim.metadata.deletionTimestamp === undefined && !isOver(one);
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
function* recoveredSet(
  input: WorkloadInput,
  owner: StoredOf<'Deployment'>,
  group: Group,
  wanted: number,
): Paced<RecoveredSet> {
  const empty = replicaSetWith(owner, group.template, group.hash ?? templateHash(group.template));
  const set = made(empty, input, earliest(group.pods, input.now));
  const own = yield* podsOf(input, group.pods, set, set.spec.template);
  const replicas = Math.max(active(own), input.silent.length > 0 ? wanted : 0);
  return { set: withUnheard({ ...set, spec: { ...set.spec, replicas } }, replicas - active(own), input), own };
}

function withUnheard<T extends StoredOf<'ReplicaSet'> | StoredOf<'ReplicationController'> | StoredOf<'Job'>>(
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
function placed(pods: readonly Witnessed[], limit: number): readonly Witnessed[] {
  const ending = pods.filter(({ claim }) => claim.metadata.deletionTimestamp !== undefined);
  const staying = pods.filter(({ claim }) => claim.metadata.deletionTimestamp === undefined);
  const running = fairShare(
    staying.filter((one) => !isOver(one)),
    limit,
  );
  return [...running, ...fairShare(staying.filter(isOver), limit - running.length), ...ending];
}

function isOver({ claim, word }: Witnessed): boolean {
  return hasEnded(claim, word);
}

/**
 * At most `limit` of the pods: one of each node in turn, the oldest first. A node that claims many takes the places of
 * none that has few.
 */
function fairShare(pods: readonly Witnessed[], limit: number): readonly Witnessed[] {
  const rows = [...groupBy(pods, ({ word }) => word.node)]
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

function* podsOf(
  input: WorkloadInput,
  witnessed: readonly Witnessed[],
  owner: Stored,
  template: PodTemplateSpec,
): Paced<readonly StoredOf<'Pod'>[]> {
  const pods: StoredOf<'Pod'>[] = [];
  for (const one of witnessed) {
    yield;
    pods.push(podOf(input, one, owner, template));
  }
  return pods;
}

function podOf(input: WorkloadInput, witnessed: Witnessed, owner: Stored, template: PodTemplateSpec): StoredOf<'Pod'> {
  const own = madeOf(template, owner, witnessed.claim, input.defaults) ?? template;
  return recoveredPod(input, witnessed, own.spec, {
    ...podMeta(own),
    ownerReferences: [controllerRef(owner)],
  });
}

/** A pod that ends, with the spec that Git has for its place today: of what the node says of its spec nothing is taken. */
function endingPodOf(input: WorkloadInput, { word, claim }: Witnessed, owner: Stored): StoredOf<'Pod'> {
  const own = presentFor(owner, claim);
  const grace = own.spec.terminationGracePeriodSeconds;
  return recoveredPod(input, { word, claim: asEnding(claim, grace, input.now) }, own.spec, {
    ...podMeta(own),
    ownerReferences: [controllerRef(owner)],
  });
}
