/**
 * How good the places are, counted from the pods and nodes alone and without the scheduler's own functions: required
 * rules that do not hold at the end, and how even the cluster is.
 */
import {
  HOSTNAME_LABEL,
  parseMilli,
  parseQuantity,
  ZONE_LABEL,
  type LabelSelector,
  type Node,
  type PodAffinityTerm,
  type StoredPod,
  type TopologySpreadConstraint,
} from '../../contracts/objects/index.ts';
import type { Placement } from './run.ts';

export interface Spread {
  readonly min: number;
  readonly max: number;
  readonly stddev: number;
}

export interface Quality {
  /** Required rules that do not hold, by rule; empty is what is asked. */
  readonly violations: Readonly<Record<string, number>>;
  /** Requested cpu of each node, in percent of what it has. */
  readonly cpuPercent: Spread;
  readonly podsPerNode: Spread;
  readonly podsPerZone: Spread;
  /** The largest skew over all constraints, required and preferred, with the maxSkew of that constraint. */
  readonly skew: { readonly found: number; readonly maxSkew: number } | undefined;
}

export function qualityOf(nodes: readonly Node[], placements: readonly Placement[]): Quality {
  const byName = new Map(nodes.map((node) => [node.metadata.name, node]));
  const counter = new DomainCounter(byName, placements);
  const violations: Record<string, number> = {};
  const violated = (rule: string, by = 1): void => {
    if (by > 0) violations[rule] = (violations[rule] ?? 0) + by;
  };

  const used = usedOf(byName, placements);
  for (const { has, cpu, memory, pods } of used.values()) {
    violated('cpu', cpu > has.cpu ? 1 : 0);
    violated('memory', memory > has.memory ? 1 : 0);
    violated('pods', pods > has.pods ? 1 : 0);
  }
  for (const { pod, node } of placements) {
    const { affinity, nodeSelector } = pod.spec;
    for (const term of affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (counter.beside(term, pod, node) > 0) violated('podAntiAffinity');
    }
    for (const term of affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      // The first of a group has nobody to be near.
      if (counter.beside(term, pod, node) === 0 && counter.total(term, pod) > 1) violated('podAffinity');
    }
    if (nodeSelector) throw new Error('this count does not know nodeSelector');
    const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    if (
      terms &&
      !terms.some((term) => term.matchFields?.every((field) => field.operator === 'In' && field.values?.includes(node)))
    )
      violated('nodeAffinity');
  }
  const constraints = new Map(
    placements.flatMap(({ pod }) =>
      (pod.spec.topologySpreadConstraints ?? []).map(
        (constraint) => [JSON.stringify([constraint, pod.metadata.namespace]), { constraint, pod }] as const,
      ),
    ),
  );
  let worst: Quality['skew'];
  for (const { constraint, pod } of constraints.values()) {
    const found = counter.skew(constraint, pod);
    if (found > constraint.maxSkew && constraint.whenUnsatisfiable === 'DoNotSchedule') violated('topologySpread');
    if (!worst || found - constraint.maxSkew > worst.found - worst.maxSkew)
      worst = { found, maxSkew: constraint.maxSkew };
  }

  const zones = new Map<string, number>();
  for (const [name, { pods }] of used) {
    const zone = byName.get(name)?.metadata.labels?.[ZONE_LABEL] ?? '';
    zones.set(zone, (zones.get(zone) ?? 0) + pods);
  }
  return {
    violations,
    cpuPercent: spreadOf([...used.values()].map(({ cpu, has }) => (100 * cpu) / has.cpu)),
    podsPerNode: spreadOf([...used.values()].map(({ pods }) => pods)),
    podsPerZone: spreadOf([...zones.values()]),
    skew: worst,
  };
}

interface Used {
  readonly has: { readonly cpu: number; readonly memory: number; readonly pods: number };
  cpu: number;
  memory: number;
  pods: number;
}

function usedOf(nodes: ReadonlyMap<string, Node>, placements: readonly Placement[]): Map<string, Used> {
  const used = new Map<string, Used>();
  for (const [name, { status }] of nodes) {
    const { cpu = '0', memory = '0', pods = '0' } = status?.allocatable ?? {};
    used.set(name, {
      has: { cpu: parseMilli(cpu), memory: parseQuantity(memory), pods: Number(pods) },
      cpu: 0,
      memory: 0,
      pods: 0,
    });
  }
  for (const { pod, node } of placements) {
    const there = used.get(node);
    if (!there) throw new Error(`pod ${pod.metadata.name} is on ${node}, which does not exist`);
    there.pods++;
    for (const { resources } of pod.spec.containers) {
      there.cpu += parseMilli(resources.requests?.['cpu'] ?? '0');
      there.memory += parseQuantity(resources.requests?.['memory'] ?? '0');
    }
  }
  return used;
}

/** Counts pods that a selector means by topology domain; once for each selector. */
class DomainCounter {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #placements: readonly Placement[];
  readonly #known = new Map<string, ReadonlyMap<string, number>>();

  constructor(nodes: ReadonlyMap<string, Node>, placements: readonly Placement[]) {
    this.#nodes = nodes;
    this.#placements = placements;
  }

  /** Pods that the term means in the node's domain, without the pod itself. */
  beside(term: PodAffinityTerm, pod: StoredPod, node: string): number {
    const counts = this.#counts(term.labelSelector, namespacesOf(term, pod), term.topologyKey);
    return (
      (counts.get(this.#domain(node, term.topologyKey) ?? '') ?? 0) -
      (means(term.labelSelector, namespacesOf(term, pod), pod) ? 1 : 0)
    );
  }

  total(term: PodAffinityTerm, pod: StoredPod): number {
    let sum = 0;
    for (const count of this.#counts(term.labelSelector, namespacesOf(term, pod), term.topologyKey).values())
      sum += count;
    return sum;
  }

  skew(constraint: TopologySpreadConstraint, pod: StoredPod): number {
    const counts = this.#counts(constraint.labelSelector, [pod.metadata.namespace ?? ''], constraint.topologyKey);
    const domains = new Set([...this.#nodes.keys()].map((name) => this.#domain(name, constraint.topologyKey) ?? ''));
    const all = [...domains].filter((domain) => domain !== '').map((domain) => counts.get(domain) ?? 0);
    return all.length === 0 ? 0 : greatest(all) - least(all);
  }

  #counts(
    selector: LabelSelector | undefined,
    namespaces: readonly string[],
    topologyKey: string,
  ): ReadonlyMap<string, number> {
    const key = JSON.stringify([selector, namespaces, topologyKey]);
    const known = this.#known.get(key);
    if (known) return known;
    const counts = new Map<string, number>();
    for (const { pod, node } of this.#placements) {
      if (!means(selector, namespaces, pod)) continue;
      const domain = this.#domain(node, topologyKey) ?? '';
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
    }
    this.#known.set(key, counts);
    return counts;
  }

  #domain(node: string, topologyKey: string): string | undefined {
    return topologyKey === HOSTNAME_LABEL ? node : this.#nodes.get(node)?.metadata.labels?.[topologyKey];
  }
}

function namespacesOf(term: PodAffinityTerm, pod: StoredPod): readonly string[] {
  if (term.namespaceSelector || term.matchLabelKeys || term.mismatchLabelKeys)
    throw new Error('this count knows namespaces by name only');
  return term.namespaces ?? [pod.metadata.namespace ?? ''];
}

function means(selector: LabelSelector | undefined, namespaces: readonly string[], pod: StoredPod): boolean {
  if (selector?.matchExpressions) throw new Error('this count knows matchLabels only');
  return (
    selector !== undefined &&
    namespaces.includes(pod.metadata.namespace ?? '') &&
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value)
  );
}

function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const stddev = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return { min: least(values), max: greatest(values), stddev: Number(stddev.toFixed(2)) };
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Infinity);
}
function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}
