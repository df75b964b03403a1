/**
 * Pods that are near what they must be far from, or far from what they must be near. Source:
 * kubernetes-sigs/descheduler, RemovePodsViolatingInterPodAntiAffinity.
 */
import type { PodAffinityTerm } from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { PodShape } from '../pod-shape.ts';
import { meantBy, remembered, type Means } from '../pod-terms.ts';
import type { Measure, Strategy } from './strategy.ts';

interface Term {
  readonly topologyKey: string;
  readonly means: Means;
}

function termsOf(
  direction: 'podAffinity' | 'podAntiAffinity',
  cluster: ClusterState,
): (shape: PodShape) => readonly Term[] {
  return remembered((shape) =>
    (shape.affinity?.[direction]?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(
      (term: PodAffinityTerm) => ({ topologyKey: term.topologyKey, means: remembered(meantBy(term, shape, cluster)) }),
    ),
  );
}

/** How many pods of the shape are in the node's domain, not counting one of shape `but` on the node itself. */
function inDomain(cluster: ClusterState, topologyKey: string, shape: PodShape, node: number, but: PodShape): number {
  const { ids } = cluster.domains(topologyKey);
  const domain = ids[node] ?? -1;
  if (domain < 0 || shape.terminating) return 0;
  let count = shape === but ? -1 : 0;
  for (const [at, pods] of cluster.liveShapes().get(shape) ?? []) if (ids[at] === domain) count += pods;
  return count;
}

/**
 * Pods that must be far from each other and are not: rules that came after the pods, or nodes that were given other
 * labels.
 */
export function antiAffinity(cluster: ClusterState): Strategy {
  const terms = termsOf('podAntiAffinity', cluster);
  const conflicts = (shape: PodShape, node: number): number => {
    let count = 0;
    for (const { topologyKey, means } of terms(shape)) {
      for (const other of cluster.liveShapes().keys())
        if (means(other)) count += inDomain(cluster, topologyKey, other, node, shape);
    }
    for (const other of cluster.liveShapesWithPodAffinity()) {
      for (const { topologyKey, means } of terms(other))
        if (means(shape)) count += inDomain(cluster, topologyKey, other, node, shape);
    }
    return count;
  };
  return {
    plugin: 'RemovePodsViolatingInterPodAntiAffinity',
    required: true,
    weigh: (shape, node) => [conflicts(shape, node)],
    complaint: (shape, node) =>
      conflicts(shape, node) === 0
        ? undefined
        : `required anti-affinity keeps it and others that are near ${cluster.nodeName(node)} apart`,
    /** Of pods that disturb each other the least important goes, then the one that disturbs most. */
    urgency: (shape, node) => -shape.priority + conflicts(shape, node) / 1e6,
  };
}

/** Pods whose required affinity to others does not hold. No strategy mends it; no move may break it. */
export function lonelyPods(cluster: ClusterState): Measure {
  const terms = termsOf('podAffinity', cluster);
  const isNear = (shape: PodShape, other: PodShape): boolean => terms(shape).every(({ means }) => means(other));
  const lonely = (shape: PodShape): number => {
    const near = [...cluster.liveShapes()].filter(([other]) => isNear(shape, other));
    const itself = isNear(shape, shape) ? 1 : 0;
    const sums = terms(shape).map(({ topologyKey }) => {
      const { ids } = cluster.domains(topologyKey);
      const perDomain = new Map<number, number>();
      for (const [, nodes] of near)
        for (const [node, count] of nodes)
          perDomain.set(ids[node] ?? -1, (perDomain.get(ids[node] ?? -1) ?? 0) + count);
      perDomain.delete(-1);
      return { ids, perDomain, others: [...perDomain.values()].reduce((sum, count) => sum + count, 0) - itself };
    });
    let count = 0;
    for (const [node, pods] of cluster.liveShapes().get(shape) ?? []) {
      const placed = sums.every(({ ids }) => (ids[node] ?? -1) >= 0);
      const met = sums.every(({ ids, perDomain }) => (perDomain.get(ids[node] ?? -1) ?? 0) > itself);
      const first = itself === 1 && sums.every(({ others }) => others === 0);
      if (!placed || !(met || first)) count += pods;
    }
    return count;
  };
  return {
    weigh: (shape) =>
      [...cluster.liveShapesWithPodAffinity()]
        .filter((other) => terms(other).length > 0 && (other === shape || isNear(other, shape)))
        .sort((a, b) => a.id - b.id)
        .map(lonely),
  };
}
