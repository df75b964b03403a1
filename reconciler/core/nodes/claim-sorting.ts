/** Claimed pods by what owns them in Git, as far as a template that it has, or had in a recent commit, gives them. */
import {
  isKeyOf,
  keyOf,
  objectKey,
  type KubeObject,
  type ObjectKey,
  type Pod,
  type PodTemplateSpec,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { equal } from '../fields/json.ts';
import type { Paced } from '../paced.ts';
import { ownerKey } from '../workloads/owners.ts';
import { HASH_LABEL, templateHash } from '../workloads/template.ts';
import {
  isPlaceOf,
  madeOf,
  ofAccount,
  podDefaultsOf,
  waysMade,
  withoutGiven,
  type PodDefaults,
  type PodTemplates,
} from './claimed-template.ts';
import { isStaticPod } from '../static-pods/static-pod.ts';
import type { NodeWord } from './node-word.ts';
import type { Witnessed } from './recovered-pod.ts';
import { runClaim, runOf } from './recovered-runs.ts';

/** A claim that was not followed. */
export interface RefusedClaim {
  readonly node: string;
  readonly key: ObjectKey;
  readonly why: string;
}

/** Pods of one workload that were made from one template under one hash. */
export interface Group {
  readonly template: PodTemplateSpec;
  /** Position among the workload's templates: 0 is the one in force. */
  readonly index: number;
  /** Undefined for pods of an owner that is written in Git. */
  readonly hash: string | undefined;
  readonly pods: Witnessed[];
}

/** Whether some pod matches none of the templates. */
export type Unexplained = (templates: PodTemplates) => Paced<boolean>;

/**
 * Whether a claimed pod of a workload that Git has, in `desired`, matches none of the templates. To be asked again with
 * more of them behind those of before: each is held against a pod once, as a node chooses how many pods match none.
 */
export function* unexplainedIn(
  words: readonly NodeWord[],
  desired: ReadonlyMap<ObjectKey, { readonly object: KubeObject }>,
): Paced<Unexplained> {
  const defaults = podDefaultsOf([...desired.values()].map(({ object }) => object));
  let open: (ReturnType<typeof makersOf>[number] & { held: number })[][] = [];
  for (const { claims } of words)
    for (const claim of claims) {
      if (claim.kind !== 'Pod') continue;
      yield;
      open.push(makersOf(claim, desired, defaults).map((maker) => ({ ...maker, held: 0 })));
    }
  return function* (templates) {
    const left: typeof open = [];
    for (const makers of open) {
      yield;
      const isExplained = makers.some(({ workload, makes, held }) =>
        (templates.get(workload) ?? []).slice(held).some(makes),
      );
      for (const maker of makers) maker.held = templates.get(maker.workload)?.length ?? 0;
      if (!isExplained && makers.some(({ held }) => held > 0)) left.push(makers);
    }
    open = left;
    return open.length > 0;
  };
}

/** What in Git may have made the pod. */
function makersOf(
  claim: PodClaim,
  desired: ReadonlyMap<ObjectKey, { readonly object: KubeObject }>,
  defaults: PodDefaults,
): readonly { readonly workload: ObjectKey; readonly makes: (template: PodTemplateSpec) => boolean }[] {
  const run = runClaim(claim);
  const cronJob = run && desired.get(run.cronJob)?.object;
  if (run && cronJob?.kind === 'CronJob' && !desired.has(run.job)) {
    const filling = { incarnation: '', now: new Date(claim.metadata.creationTimestamp), defaults };
    return [
      {
        workload: run.cronJob,
        makes: (template) => runOf(claim, run, cronJob, [template], filling) !== undefined,
      },
    ];
  }
  return ownersOf(claim).flatMap(({ workload }) => {
    const object = desired.get(workload)?.object;
    return object ? [{ workload, makes: (template) => madeOf(template, object, claim, defaults) !== undefined }] : [];
  });
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
export class ClaimSorting {
  readonly refused: RefusedClaim[] = [];
  /** Pods of files of their nodes, which are believed in them. */
  readonly ofFiles: Witnessed[] = [];
  /** Pods that are written in Git themselves. */
  readonly bare = new Map<ObjectKey, { readonly witnessed: Witnessed; readonly pod: Pod }>();
  readonly #desired: ReadonlyMap<ObjectKey, KubeObject>;
  readonly #templates: PodTemplates;
  readonly #defaults: PodDefaults;
  readonly #groups = new Map<ObjectKey, Group[]>();
  readonly #unknown = new Map<ObjectKey, Witnessed[]>();
  readonly #names = new Set<ObjectKey>();
  readonly #uids = new Set<string>();

  constructor(desired: readonly KubeObject[], templates: PodTemplates, defaults: PodDefaults) {
    this.#defaults = defaults;
    this.#desired = new Map(desired.map((object) => [keyOf(object), object]));
    this.#templates = templates;
  }

  take(witnessed: Witnessed): void {
    const { word, claim } = witnessed;
    const { name, namespace, uid } = claim.metadata;
    const key = objectKey('Pod', namespace, name);
    if (claim.spec.nodeName !== word.node) return this.refuse(witnessed, 'it is bound to another node');
    if (this.#names.has(key) || this.#uids.has(uid)) return this.refuse(witnessed, 'another pod has its name or uid');
    const why = this.#sort(key, witnessed);
    if (why !== undefined) return this.refuse(witnessed, why);
    this.#names.add(key);
    this.#uids.add(uid);
  }

  refuse({ word, claim: { metadata } }: Witnessed, why: string): void {
    this.refused.push({ node: word.node, key: objectKey('Pod', metadata.namespace, metadata.name), why });
  }

  /** Pods in places of the workload that no recent commit has as they are. */
  unknownOf(workload: KubeObject): readonly Witnessed[] {
    return this.#unknown.get(keyOf(workload)) ?? [];
  }

  /** Of each template one group: under the hash that its template has, else under the one that most nodes tell. */
  groupsOf(workload: KubeObject): readonly Group[] {
    const groups = this.#groups.get(keyOf(workload)) ?? [];
    const nodes = ({ pods }: Group): number => new Set(pods.map(({ word }) => word.node)).size;
    const own = (group: Group): number =>
      group.hash === undefined || group.hash === templateHash(group.template) ? 1 : 0;
    const ranked = groups.toSorted(
      (a, b) =>
        a.index - b.index || own(b) - own(a) || nodes(b) - nodes(a) || ((a.hash ?? '') < (b.hash ?? '') ? -1 : 1),
    );
    const chosen = ranked.filter((group, place) => ranked[place - 1]?.index !== group.index);
    for (const group of ranked.filter((one, place) => ranked[place - 1]?.index === one.index))
      for (const one of group.pods) this.refuse(one, 'other pods of its template have another hash');
    return chosen;
  }

  /** Undefined when it has its place, else why not. */
  #sort(key: ObjectKey, witnessed: Witnessed): string | undefined {
    const { claim } = witnessed;
    if (!claim.metadata.ownerReferences?.some(({ controller }) => controller)) {
      const pod = this.#desired.get(key);
      if (!pod && isStaticPod(claim, witnessed.word.node)) {
        this.ofFiles.push(witnessed);
        return undefined;
      }
      if (pod?.kind !== 'Pod') return 'no such pod is in Git';
      const { namespace } = claim.metadata;
      const own = waysMade(pod, namespace, this.#defaults).find((one) =>
        equal(withoutGiven(one.spec, pod.spec), withoutGiven(claim.spec, pod.spec)),
      );
      if (!own) return 'the pod in Git is another';
      this.bare.set(key, { witnessed, pod: ofAccount(own, namespace, this.#defaults) });
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
    const index = templates.findIndex((template) => madeOf(template, object, witnessed.claim, this.#defaults));
    const template = templates[index];
    if (!template && isPlaceOf(object, witnessed.claim)) {
      const unknown = this.#unknown.get(workload) ?? [];
      this.#unknown.set(workload, unknown);
      unknown.push(witnessed);
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
