/** Pods spread evenly over zones, hosts, ... Source: Kubernetes documentation, "Pod Topology Spread Constraints". */
import {
  HOSTNAME_LABEL,
  labelsInclude,
  selectorMatches,
  ZONE_LABEL,
  type PodTopologySpreadArgs,
  type TopologySpreadConstraint,
} from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { Domains } from '../columns.ts';
import { MAX_NODE_SCORE, type Filtering, type Normalize, type Plugin, type Scoring } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';
import { remembered, withLabelKeys, type Means } from '../pod-terms.ts';
import { tolerationsOf, untolerated } from '../../../../contracts/objects/taints.ts';
import { matchesRequired, restrictsNodes } from './node-affinity.ts';

const UNEVEN = "node(s) didn't match pod topology spread constraints";
const NO_LABEL = `${UNEVEN} (missing required label)`;

type Rule = Pick<
  TopologySpreadConstraint,
  'maxSkew' | 'topologyKey' | 'minDomains' | 'nodeAffinityPolicy' | 'nodeTaintsPolicy'
>;

/** For pods without constraints of their own, as in kube-scheduler (`defaultingType: System`). */
const SYSTEM_DEFAULTS: readonly Rule[] = [
  { topologyKey: HOSTNAME_LABEL, maxSkew: 3, nodeAffinityPolicy: 'Honor', nodeTaintsPolicy: 'Ignore' },
  { topologyKey: ZONE_LABEL, maxSkew: 5, nodeAffinityPolicy: 'Honor', nodeTaintsPolicy: 'Ignore' },
];

export function podTopologySpread(args: PodTopologySpreadArgs = {}): Plugin {
  const given = (
    shape: PodShape,
    cluster: ClusterState,
    when: TopologySpreadConstraint['whenUnsatisfiable'],
  ): readonly { rule: Rule; means: Means }[] => {
    if (shape.spread.length > 0)
      return shape.spread
        .filter((c) => c.whenUnsatisfiable === when)
        .map((rule) => ({ rule, means: meantByConstraint(rule, shape) }));
    const defaults =
      args.defaultingType === 'List'
        ? (args.defaultConstraints ?? []).filter((c) => c.whenUnsatisfiable === when)
        : when === 'ScheduleAnyway'
          ? SYSTEM_DEFAULTS
          : [];
    const siblings = defaults.length > 0 ? siblingsOf(shape, cluster) : undefined;
    return siblings ? defaults.map((rule) => ({ rule, means: siblings })) : [];
  };
  return {
    name: 'PodTopologySpread',
    preFilter(shape, cluster) {
      const rules = given(shape, cluster, 'DoNotSchedule');
      return rules.length === 0 ? undefined : new SpreadFilter(shape, cluster, rules);
    },
    preScore(shape, cluster) {
      const rules = given(shape, cluster, 'ScheduleAnyway');
      // The built-in defaults spread over hosts even where nodes have no zone.
      const needsAllKeys = shape.spread.length > 0 || args.defaultingType === 'List';
      return rules.length === 0 ? undefined : new SpreadScore(shape, cluster, rules, needsAllKeys);
    },
    hint(event, shape, cluster) {
      if (event.type === 'NodeAdd' || event.type === 'NodeUpdate') return true;
      // The domain that held the others back may have gone; Services say what a pod without constraints of its own is
      // spread with.
      if (event.type === 'Other')
        return event.kind === 'Node' || (event.kind === 'Service' && shape.spread.length === 0);
      return given(shape, cluster, 'DoNotSchedule').some(({ means }) => means(event.shape));
    },
  };
}

/** The pods that a constraint of the shape counts. */
export function meantByConstraint(constraint: TopologySpreadConstraint, shape: PodShape): Means {
  if (!constraint.labelSelector) return () => false;
  const selector = withLabelKeys(constraint.labelSelector, shape, constraint.matchLabelKeys);
  return (other) => other.namespace === shape.namespace && selectorMatches(selector, other.labels);
}

/** Pods behind the pod's Services and of its owner, as far as it has them; undefined for a pod that has neither. */
function siblingsOf(shape: PodShape, cluster: ClusterState): Means | undefined {
  const selectors = (cluster.services.get(shape.namespace) ?? []).flatMap(({ spec }) => {
    const { selector } = spec;
    return selector && Object.keys(selector).length > 0 && labelsInclude(shape.labels, selector) ? [selector] : [];
  });
  if (selectors.length === 0 && shape.owner === undefined) return undefined;
  return (other) =>
    other.namespace === shape.namespace &&
    (shape.owner === undefined || other.owner?.uid === shape.owner.uid) &&
    selectors.every((selector) => labelsInclude(other.labels, selector));
}

/** 1 for each node that counts for the rule. */
function nodesThatCount(shape: PodShape, cluster: ClusterState, rule: Rule, allKeys: readonly Domains[]): Uint8Array {
  const tolerations = tolerationsOf(shape.sample.spec);
  const honorsAffinity = rule.nodeAffinityPolicy === 'Honor' && restrictsNodes(shape);
  const counted = new Uint8Array(cluster.length);
  for (let node = 0; node < counted.length; node++) {
    if (!cluster.has(node)) continue;
    if (honorsAffinity && !matchesRequired(shape, cluster, node)) continue;
    if (
      rule.nodeTaintsPolicy === 'Honor' &&
      untolerated(cluster.taints(node), tolerations, ['NoSchedule', 'NoExecute'])
    )
      continue;
    counted[node] = 1;
  }
  for (const { ids } of allKeys)
    for (let node = 0; node < counted.length; node++) if ((ids[node] ?? -1) < 0) counted[node] = 0;
  return counted;
}

/** How many of the meant pods each domain has, over the nodes that count for the constraint. */
export class SpreadCounts {
  readonly rule: Rule;
  readonly domains: Domains;
  readonly means: Means;
  readonly counts: Int32Array;
  readonly #counted: Uint8Array;
  /** Domains with a node that counts. */
  readonly #open: readonly number[];
  #least = 0;
  #stale = true;
  total = 0;

  constructor(shape: PodShape, cluster: ClusterState, rule: Rule, means: Means, allKeys: readonly Domains[]) {
    this.rule = rule;
    this.domains = cluster.domains(rule.topologyKey);
    this.means = remembered(means);
    this.counts = new Int32Array(this.domains.size);
    this.#counted = nodesThatCount(shape, cluster, rule, allKeys);
    const open = new Uint8Array(this.domains.size);
    const { ids } = this.domains;
    for (let node = 0; node < this.#counted.length; node++) {
      const id = this.#counted[node] === 1 ? (ids[node] ?? -1) : -1;
      if (id >= 0) open[id] = 1;
    }
    this.#open = Array.from(open.keys()).filter((id) => open[id] === 1);
    for (const [other, nodes] of cluster.liveShapes()) {
      if (this.concerns(other)) for (const [node, count] of nodes) this.moved(other, node, count);
    }
  }

  get domainCount(): number {
    return this.#open.length;
  }

  /** Domain that a pod on the node is counted in; -1 where it is counted in none. */
  domainOf(node: number): number {
    return this.#counted[node] === 1 ? (this.domains.ids[node] ?? -1) : -1;
  }

  concerns(other: PodShape): boolean {
    return !other.terminating && this.means(other);
  }

  moved(other: PodShape, node: number, by: number): void {
    if (other.terminating || this.#counted[node] !== 1 || !this.means(other)) return;
    const id = this.domains.ids[node] ?? -1;
    if (id < 0) return;
    const before = this.counts[id] ?? 0;
    this.counts[id] = before + by;
    this.total += by;
    // Only a change below the least, or of a domain that has the least, can change it.
    if (before <= this.#least || before + by < this.#least) this.#stale = true;
  }

  /** Fewest meant pods in a domain; 0 while there are fewer domains than wanted. */
  least(): number {
    if (this.#open.length < (this.rule.minDomains ?? 1)) return 0;
    if (this.#stale) {
      let least = Infinity;
      for (const id of this.#open) least = Math.min(least, this.counts[id] ?? 0);
      this.#least = least === Infinity ? 0 : least;
      this.#stale = false;
    }
    return this.#least;
  }
}

class SpreadFilter implements Filtering {
  readonly scope = 'cluster';
  readonly #rules: readonly { readonly spread: SpreadCounts; readonly self: 0 | 1 }[];

  constructor(shape: PodShape, cluster: ClusterState, rules: readonly { rule: Rule; means: Means }[]) {
    const keys = rules.map(({ rule }) => cluster.domains(rule.topologyKey));
    this.#rules = rules.map(({ rule, means }) => ({
      spread: new SpreadCounts(shape, cluster, rule, means, keys),
      self: means(shape) ? 1 : 0,
    }));
  }

  concerns(other: PodShape): boolean {
    return this.#rules.some(({ spread }) => spread.concerns(other));
  }

  moved(other: PodShape, node: number, by: number): void {
    for (const { spread } of this.#rules) spread.moved(other, node, by);
  }

  filter(node: number): boolean {
    for (const { spread, self } of this.#rules) {
      const id = spread.domains.ids[node] ?? -1;
      if (id < 0 || (spread.counts[id] ?? 0) + self - spread.least() > spread.rule.maxSkew) return false;
    }
    return true;
  }

  preemptable(node: number): boolean {
    return this.#rules.every(({ spread }) => (spread.domains.ids[node] ?? -1) >= 0);
  }

  reasons(node: number): readonly { reason: string; detail: string }[] {
    for (const { spread, self } of this.#rules) {
      const { topologyKey, maxSkew } = spread.rule;
      const id = spread.domains.ids[node] ?? -1;
      if (id < 0) return [{ reason: NO_LABEL, detail: `lacks label ${topologyKey}` }];
      const count = spread.counts[id] ?? 0;
      if (count + self - spread.least() <= maxSkew) continue;
      return [
        {
          reason: UNEVEN,
          detail: `${topologyKey}=${spread.domains.value(id)} has ${count} of its pods, the least is ${spread.least()}, maxSkew ${maxSkew}`,
        },
      ];
    }
    return [];
  }
}

/** Few pods score high; no pods anywhere leave all nodes equal. */
const fewIsGood: Normalize = (min, max) =>
  max === 0
    ? { scale: -1, offset: MAX_NODE_SCORE }
    : { scale: -MAX_NODE_SCORE / max, offset: (MAX_NODE_SCORE * (max + min)) / max };

/**
 * A topology with many small domains counts for as much as one with few large ones. Source: kube-scheduler,
 * topologyNormalizingWeight.
 */
function weightOf(domains: number): number {
  return Math.log(domains + 2);
}

class SpreadScore implements Scoring {
  readonly scope = 'cluster';
  readonly normalize = fewIsGood;
  readonly #rules: readonly { readonly spread: SpreadCounts; weight: number }[];
  readonly #needsAllKeys: boolean;
  /** The last round of {@link among} in which a domain was met. */
  #seen = new Uint32Array(0);
  #round = 0;

  constructor(
    shape: PodShape,
    cluster: ClusterState,
    rules: readonly { rule: Rule; means: Means }[],
    needsAllKeys: boolean,
  ) {
    const keys = needsAllKeys ? rules.map(({ rule }) => cluster.domains(rule.topologyKey)) : [];
    this.#needsAllKeys = needsAllKeys;
    this.#rules = rules.map(({ rule, means }) => {
      const spread = new SpreadCounts(shape, cluster, rule, means, keys);
      return { spread, weight: weightOf(spread.domainCount) };
    });
  }

  /** Only domains count that have a node for the pod. */
  among(nodes: Int32Array, count: number): void {
    for (const rule of this.#rules) {
      const { ids, size } = rule.spread.domains;
      if (this.#seen.length < size) this.#seen = new Uint32Array(size);
      const round = ++this.#round;
      let domains = 0;
      for (let i = 0; i < count; i++) {
        const node = nodes[i] ?? 0;
        const id = ids[node] ?? -1;
        if (id < 0 || this.#seen[id] === round || (this.#needsAllKeys && !this.#hasAllKeys(node))) continue;
        this.#seen[id] = round;
        domains++;
      }
      rule.weight = weightOf(domains);
    }
  }

  #hasAllKeys(node: number): boolean {
    for (const { spread } of this.#rules) if ((spread.domains.ids[node] ?? -1) < 0) return false;
    return true;
  }

  concerns(other: PodShape): boolean {
    return this.#rules.some(({ spread }) => spread.concerns(other));
  }

  moved(other: PodShape, node: number, by: number): void {
    for (const { spread } of this.#rules) spread.moved(other, node, by);
  }

  idle(): boolean {
    return !this.#needsAllKeys && this.#rules.every(({ spread }) => spread.total === 0);
  }

  score(node: number): number {
    let score = 0;
    for (const { spread, weight } of this.#rules) {
      const id = spread.domains.ids[node] ?? -1;
      if (id >= 0) score += (spread.counts[id] ?? 0) * weight + spread.rule.maxSkew - 1;
      else if (this.#needsAllKeys) return NaN;
    }
    return score;
  }
}
