/**
 * Pods on nodes that they would not be placed on any more. Source: kubernetes-sigs/descheduler,
 * RemovePodsViolatingNodeTaints and -NodeAffinity.
 */
import type {
  PreferredSchedulingTerm,
  RemovePodsViolatingNodeTaintsArgs,
  Taint,
} from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import { termMatches } from '../../../../contracts/objects/node-selector.ts';
import { matchesRequired } from '../plugins/node-affinity.ts';
import type { PodShape } from '../pod-shape.ts';
import { remembered } from '../pod-terms.ts';
import { tolerates, tolerationsOf } from '../../../../contracts/objects/taints.ts';
import type { Strategy } from './strategy.ts';

/** Taints that came to a node after its pods. Of effect NoExecute the taint controller takes care. */
export function nodeTaints(
  cluster: ClusterState,
  { excludedTaints = [], includedTaints }: RemovePodsViolatingNodeTaintsArgs,
  effect: 'NoSchedule' | 'PreferNoSchedule',
): Strategy {
  const named = (names: readonly string[], { key, value }: Taint): boolean =>
    names.some((name) => name === key || name === `${key}=${value ?? ''}`);
  const untolerated = (shape: PodShape, node: number): readonly Taint[] =>
    cluster
      .taints(node)
      .filter(
        (taint) =>
          taint.effect === effect &&
          !named(excludedTaints, taint) &&
          (!includedTaints || named(includedTaints, taint)) &&
          !tolerationsOf(shape.sample.spec).some((toleration) => tolerates(toleration, taint)),
      );
  return {
    plugin: 'RemovePodsViolatingNodeTaints',
    required: effect === 'NoSchedule',
    weigh: (shape, node) => [untolerated(shape, node).length],
    complaint(shape, node) {
      const [taint] = untolerated(shape, node);
      return (
        taint &&
        `it does not tolerate the taint ${taint.key}${taint.value === undefined ? '' : `=${taint.value}`}:${taint.effect} of ${cluster.nodeName(node)}`
      );
    },
  };
}

/** Labels that nodes lost after their pods came. */
export function requiredNodeAffinity(cluster: ClusterState): Strategy {
  return {
    plugin: 'RemovePodsViolatingNodeAffinity',
    required: true,
    weigh: (shape, node) => [matchesRequired(shape, cluster, node) ? 0 : 1],
    complaint: (shape, node) =>
      matchesRequired(shape, cluster, node)
        ? undefined
        : `${cluster.nodeName(node)} does not match its node affinity/selector`,
  };
}

/** Nodes that suit better than the one that a pod had to take. */
export function preferredNodeAffinity(cluster: ClusterState): Strategy {
  const terms = (shape: PodShape): readonly PreferredSchedulingTerm[] =>
    shape.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const suits = (shape: PodShape, node: number): number =>
    terms(shape).reduce(
      (sum, { weight, preference }) =>
        sum + (termMatches(preference, cluster.nodeName(node), cluster.labels(node)) ? weight : 0),
      0,
    );
  /** The first of the nodes that suit best. */
  const best = remembered((shape) => {
    let found: { readonly node: number; readonly weight: number } | undefined;
    for (let node = 0; node < cluster.length; node++) {
      const weight = cluster.has(node) ? suits(shape, node) : 0;
      if (weight > (found?.weight ?? 0)) found = { node, weight };
    }
    return found;
  });
  return {
    plugin: 'RemovePodsViolatingNodeAffinity',
    required: false,
    weigh: (shape, node) => [-suits(shape, node)],
    complaint(shape, node) {
      const better = terms(shape).length === 0 ? undefined : best(shape);
      const now = better ? suits(shape, node) : 0;
      return better && better.weight > now
        ? `it prefers ${cluster.nodeName(better.node)} to ${cluster.nodeName(node)} (node affinity ${better.weight}, not ${now})`
        : undefined;
    },
  };
}
