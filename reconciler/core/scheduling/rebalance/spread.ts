/**
 * Pods that are spread less evenly than their constraints ask for. Source: kubernetes-sigs/descheduler,
 * RemovePodsViolatingTopologySpreadConstraint.
 */
import type { TopologySpreadConstraint } from '../../../../contracts/objects/index.ts';
import { canonicalJson } from '../../storage/canonical-json.ts';
import type { ClusterState } from '../cluster-state.ts';
import { meantByConstraint, SpreadCounts } from '../plugins/pod-topology-spread.ts';
import type { PodShape } from '../pod-shape.ts';
import { remembered, withLabelKeys } from '../pod-terms.ts';
import type { Strategy } from './strategy.ts';

/**
 * Pods above what a domain may have: by how much each domain has more than `maxSkew` more than the one that has least.
 */
function surplus(counts: SpreadCounts): number {
  const most = counts.least() + counts.rule.maxSkew;
  return counts.counts.reduce((sum, count) => sum + Math.max(0, count - most), 0);
}

/** What decides which pods and nodes a constraint of the shape counts: constraints that are alike are one. */
function identityOf(constraint: TopologySpreadConstraint, shape: PodShape, keys: readonly string[]): string {
  const { labelSelector, matchLabelKeys, ...rule } = constraint;
  const { spec } = shape.sample;
  return canonicalJson([
    shape.namespace,
    rule,
    keys,
    labelSelector && withLabelKeys(labelSelector, shape, matchLabelKeys),
    constraint.nodeAffinityPolicy === 'Honor' && [
      spec.nodeSelector,
      spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution,
    ],
    constraint.nodeTaintsPolicy === 'Honor' && spec.tolerations,
  ]);
}

/** All constraints of one kind that pods have. */
export function spread(cluster: ClusterState, when: TopologySpreadConstraint['whenUnsatisfiable']): Strategy {
  const groups = new Map<string, SpreadCounts>();
  for (const shape of cluster.liveShapes().keys()) {
    if (shape.terminating) continue;
    const constraints = shape.spread.filter((constraint) => constraint.whenUnsatisfiable === when);
    const keys = constraints.map(({ topologyKey }) => topologyKey);
    for (const constraint of constraints) {
      const identity = identityOf(constraint, shape, keys);
      if (!groups.has(identity))
        groups.set(
          identity,
          new SpreadCounts(
            shape,
            cluster,
            constraint,
            meantByConstraint(constraint, shape),
            keys.map((key) => cluster.domains(key)),
          ),
        );
    }
  }
  const concerned = remembered((shape) =>
    shape.terminating ? [] : [...groups.values()].filter(({ means }) => means(shape)),
  );
  /** The constraint that the node's domain breaks most, with its numbers. */
  const worst = (
    shape: PodShape,
    node: number,
  ):
    | { readonly group: SpreadCounts; readonly domain: number; readonly count: number; readonly over: number }
    | undefined => {
    let found: ReturnType<typeof worst>;
    for (const group of concerned(shape)) {
      const domain = group.domainOf(node);
      const count = domain < 0 ? 0 : (group.counts[domain] ?? 0);
      const over = count - group.least() - group.rule.maxSkew;
      if (domain >= 0 && over > (found?.over ?? 0)) found = { group, domain, count, over };
    }
    return found;
  };
  return {
    plugin: 'RemovePodsViolatingTopologySpreadConstraint',
    required: when === 'DoNotSchedule',
    moved(shape, node, by) {
      for (const group of concerned(shape)) group.moved(shape, node, by);
    },
    weigh: (shape) => concerned(shape).map(surplus),
    complaint(shape, node) {
      const found = worst(shape, node);
      if (!found) return undefined;
      const {
        group: { rule, domains },
        domain,
        count,
      } = found;
      return `${rule.topologyKey}=${domains.value(domain)} has ${count} of its pods, the least is ${found.group.least()}, maxSkew ${rule.maxSkew}`;
    },
    urgency: (shape, node) => worst(shape, node)?.over ?? 0,
  };
}
