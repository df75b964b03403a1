/** Near other pods, or far from them. Source: Kubernetes documentation, "Inter-pod affinity and anti-affinity". */
import type {
  InterPodAffinityArgs,
  PodAffinityTerm,
  WeightedPodAffinityTerm,
} from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { Domains } from '../columns.ts';
import type { Filtering, Plugin, Scoring } from '../framework.ts';
import { stretched } from '../normalize.ts';
import type { PodShape } from '../pod-shape.ts';
import { meantBy, remembered, type Means } from '../pod-terms.ts';

const MISSES_AFFINITY = "node(s) didn't match pod affinity rules";
const MEETS_ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules";
const EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules";

/**
 * How much a pod that wants to be near another counts for that one. Source: InterPodAffinityArgs.hardPodAffinityWeight.
 */
const HARD_AFFINITY_WEIGHT = 1;

export function interPodAffinity(args: InterPodAffinityArgs = {}): Plugin {
  return {
    name: 'InterPodAffinity',
    preFilter: (shape, cluster) => new PodAffinityFilter(shape, cluster),
    preScore(shape, cluster) {
      const own = preferredTerms(shape, 'podAffinity').length + preferredTerms(shape, 'podAntiAffinity').length;
      return own === 0 && args.ignorePreferredTermsOfExistingPods === true
        ? undefined
        : new PodAffinityScore(shape, cluster, args.hardPodAffinityWeight ?? HARD_AFFINITY_WEIGHT);
    },
    hint(event, shape, cluster) {
      if (event.type === 'NodeAdd' || event.type === 'NodeUpdate') return true;
      // Labels of namespaces say which pods a term means; the pods of a node that went are near and far no more.
      if (event.type === 'Other') return event.kind === 'Namespace' || event.kind === 'Node';
      if (event.type === 'PodDelete' && event.leaving) return false;
      const meets = (of: PodShape, direction: Direction, other: PodShape): boolean =>
        requiredTerms(of, direction).some((term) => meantBy(term, of, cluster)(other));
      // A pod that goes may have been the last of its group: the next one may begin it anew somewhere else.
      if (meets(shape, 'podAffinity', event.shape)) return true;
      return (
        event.type === 'PodDelete' &&
        (meets(shape, 'podAntiAffinity', event.shape) || meets(event.shape, 'podAntiAffinity', shape))
      );
    },
  };
}

type Direction = 'podAffinity' | 'podAntiAffinity';

function requiredTerms(shape: PodShape, direction: Direction): readonly PodAffinityTerm[] {
  return shape.affinity?.[direction]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}
function preferredTerms(shape: PodShape, direction: Direction): readonly WeightedPodAffinityTerm[] {
  return shape.affinity?.[direction]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** Numbers by topology domain. */
class DomainSums {
  readonly domains: Domains;
  readonly #sums: Float64Array;
  total = 0;

  constructor(domains: Domains) {
    this.domains = domains;
    this.#sums = new Float64Array(domains.size);
  }

  add(node: number, amount: number): void {
    const id = this.domains.ids[node] ?? -1;
    if (id < 0) return;
    this.#sums[id] = (this.#sums[id] ?? 0) + amount;
    this.total += amount;
  }

  /** Of the node's domain; 0 where it is in none. */
  at(node: number): number {
    const id = this.domains.ids[node] ?? -1;
    return id < 0 ? 0 : (this.#sums[id] ?? 0);
  }
}

interface Counting {
  concerns(shape: PodShape): boolean;
  moved(shape: PodShape, node: number, by: number): void;
}

/** Hands every pod that is there to the one that counts. */
function countAll(cluster: ClusterState, shapes: Iterable<PodShape>, counting: Counting): void {
  const live = cluster.liveShapes();
  for (const shape of shapes)
    if (counting.concerns(shape)) for (const [node, count] of live.get(shape) ?? []) counting.moved(shape, node, count);
}

class PodAffinityFilter implements Filtering {
  readonly scope = 'cluster';
  /** Pods that match every affinity term, by each term's topology. */
  readonly #near: readonly DomainSums[];
  readonly #isNear: Means;
  /** The first of a group that wants to be together may go anywhere. */
  readonly #meansItself: boolean;
  readonly #far: readonly { readonly means: Means; readonly sums: DomainSums }[];
  /** Pods that are there and want this one to be far, by topology key. */
  readonly #kept = new Map<string, DomainSums>();
  readonly #keepsAway: (shape: PodShape) => readonly DomainSums[];

  constructor(shape: PodShape, cluster: ClusterState) {
    const near = requiredTerms(shape, 'podAffinity');
    const means = near.map((term) => meantBy(term, shape, cluster));
    this.#near = near.map((term) => new DomainSums(cluster.domains(term.topologyKey)));
    this.#isNear = remembered((other) => means.length > 0 && means.every((meant) => meant(other)));
    this.#meansItself = this.#isNear(shape);
    this.#far = requiredTerms(shape, 'podAntiAffinity').map((term) => ({
      means: remembered(meantBy(term, shape, cluster)),
      sums: new DomainSums(cluster.domains(term.topologyKey)),
    }));
    this.#keepsAway = remembered((other) =>
      requiredTerms(other, 'podAntiAffinity')
        .filter((term) => meantBy(term, other, cluster)(shape))
        .map((term) => {
          let sums = this.#kept.get(term.topologyKey);
          if (!sums) this.#kept.set(term.topologyKey, (sums = new DomainSums(cluster.domains(term.topologyKey))));
          return sums;
        }),
    );
    const all =
      this.#near.length + this.#far.length > 0 ? cluster.liveShapes().keys() : cluster.liveShapesWithPodAffinity();
    countAll(cluster, all, this);
  }

  concerns(other: PodShape): boolean {
    return (
      this.#isNear(other) ||
      this.#far.some(({ means }) => means(other)) ||
      (other.affinity?.podAntiAffinity !== undefined && this.#keepsAway(other).length > 0)
    );
  }

  moved(other: PodShape, node: number, by: number): void {
    if (this.#near.length > 0 && this.#isNear(other)) for (const sums of this.#near) sums.add(node, by);
    for (const { means, sums } of this.#far) if (means(other)) sums.add(node, by);
    if (other.affinity?.podAntiAffinity) for (const sums of this.#keepsAway(other)) sums.add(node, by);
  }

  idle(): boolean {
    if (this.#near.length > 0) return false;
    for (const { sums } of this.#far) if (sums.total > 0) return false;
    for (const sums of this.#kept.values()) if (sums.total > 0) return false;
    return true;
  }

  filter(node: number): boolean {
    return this.#nearEnough(node) && this.#farEnough(node) && this.#welcome(node);
  }

  preemptable(node: number): boolean {
    return this.#nearEnough(node);
  }

  reasons(node: number): readonly { reason: string; detail: string }[] {
    if (!this.#nearEnough(node)) {
      const lacks = this.#near.find(({ domains }) => (domains.ids[node] ?? -1) < 0);
      const term = this.#near.find((sums) => sums.at(node) === 0);
      const detail = lacks
        ? `lacks label ${lacks.domains.key}`
        : `no pod that it must be near is in this ${term?.domains.key ?? 'topology'}`;
      return [{ reason: MISSES_AFFINITY, detail }];
    }
    const far = this.#far.find(({ sums }) => sums.at(node) > 0);
    if (far)
      return [
        {
          reason: MEETS_ANTI_AFFINITY,
          detail: `${far.sums.at(node)} pod(s) that it must be far from in this ${far.sums.domains.key}`,
        },
      ];
    // The first by name: which key was met first depends on the order in which pods came.
    const [key = 'topology'] = [...this.#kept].flatMap(([name, sums]) => (sums.at(node) > 0 ? [name] : [])).sort();
    return [
      {
        reason: EXISTING_ANTI_AFFINITY,
        detail: `${this.#kept.get(key)?.at(node) ?? 0} pod(s) in this ${key} must be far from it`,
      },
    ];
  }

  #nearEnough(node: number): boolean {
    let found = true;
    for (const sums of this.#near) {
      if ((sums.domains.ids[node] ?? -1) < 0) return false;
      if (sums.at(node) === 0) found = false;
    }
    return found || (this.#meansItself && this.#near.every(({ total }) => total === 0));
  }

  #farEnough(node: number): boolean {
    for (const { sums } of this.#far) if (sums.at(node) > 0) return false;
    return true;
  }

  #welcome(node: number): boolean {
    for (const sums of this.#kept.values()) if (sums.at(node) > 0) return false;
    return true;
  }
}

class PodAffinityScore implements Scoring {
  readonly scope = 'cluster';
  readonly normalize = stretched;
  readonly #sums = new Map<string, DomainSums>();
  readonly #effects: (shape: PodShape) => readonly { readonly sums: DomainSums; readonly weight: number }[];
  readonly #cluster: ClusterState;
  /** Whether the shape itself wants to be near or far from others. */
  readonly #looks: boolean;
  #counted = 0;

  constructor(shape: PodShape, cluster: ClusterState, hard: number) {
    this.#cluster = cluster;
    const own = [
      ...preferredTerms(shape, 'podAffinity').map(({ weight, podAffinityTerm: term }) => ({
        weight,
        term,
        means: meantBy(term, shape, cluster),
      })),
      ...preferredTerms(shape, 'podAntiAffinity').map(({ weight, podAffinityTerm: term }) => ({
        weight: -weight,
        term,
        means: meantBy(term, shape, cluster),
      })),
    ];
    this.#looks = own.length > 0;
    this.#effects = remembered((other) => {
      const effects = own
        .filter(({ means }) => means(other))
        .map(({ term, weight }) => ({ sums: this.#sumsOf(term.topologyKey), weight }));
      const theirs = [
        ...(hard > 0 ? requiredTerms(other, 'podAffinity').map((term) => ({ term, weight: hard })) : []),
        ...preferredTerms(other, 'podAffinity').map(({ podAffinityTerm: term, weight }) => ({ term, weight })),
        ...preferredTerms(other, 'podAntiAffinity').map(({ podAffinityTerm: term, weight }) => ({
          term,
          weight: -weight,
        })),
      ];
      for (const { term, weight } of theirs)
        if (meantBy(term, other, cluster)(shape)) effects.push({ sums: this.#sumsOf(term.topologyKey), weight });
      return effects;
    });
    const all = this.#looks ? cluster.liveShapes().keys() : cluster.liveShapesWithPodAffinity();
    countAll(cluster, all, this);
  }

  concerns(other: PodShape): boolean {
    return (this.#looks || other.affinity !== undefined) && this.#effects(other).length > 0;
  }

  moved(other: PodShape, node: number, by: number): void {
    const effects = this.#effects(other);
    if (effects.length === 0) return;
    this.#counted += by;
    for (const { sums, weight } of effects) sums.add(node, by * weight);
  }

  idle(): boolean {
    return this.#counted === 0;
  }

  score(node: number): number {
    let score = 0;
    for (const sums of this.#sums.values()) score += sums.at(node);
    return score;
  }

  #sumsOf(topologyKey: string): DomainSums {
    let sums = this.#sums.get(topologyKey);
    if (!sums) this.#sums.set(topologyKey, (sums = new DomainSums(this.#cluster.domains(topologyKey))));
    return sums;
  }
}
