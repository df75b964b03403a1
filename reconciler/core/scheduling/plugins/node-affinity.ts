/** nodeSelector and node affinity. Source: Kubernetes documentation, "Assigning Pods to Nodes". */
import { readKey, type NodeAffinity, type NodeAffinityArgs } from '../../../../contracts/objects/index.ts';
import { nodeRequired, termMatches } from '../../../../contracts/objects/node-selector.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { Plugin } from '../framework.ts';
import { byGreatest } from '../normalize.ts';
import type { PodShape } from '../pod-shape.ts';

const REASON = "node(s) didn't match Pod's node affinity/selector";
const ENFORCED = "node(s) didn't match scheduler-enforced node affinity";

/** Whether there may be a node that {@link matchesRequired} does not hold for. */
export function restrictsNodes({
  sample: {
    spec: { nodeSelector },
  },
  affinity,
}: PodShape): boolean {
  return (
    nodeSelector !== undefined || affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution !== undefined
  );
}

/** Whether the node is one that the pod's nodeSelector and required node affinity allow. */
export function matchesRequired(shape: PodShape, cluster: ClusterState, node: number): boolean {
  return nodeRequired(shape.sample.spec, cluster.nodeName(node), cluster.labels(node));
}

/** Numbers of the nodes that the terms name, where every term names some; else undefined. */
function namedNodes(affinity: NodeAffinity | undefined, cluster: ClusterState): number[] | undefined {
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms) return undefined;
  const names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const named = matchFields.filter(({ operator }) => operator === 'In');
    if (named.length === 0) return undefined;
    for (const { values = [] } of named) for (const name of values) names.add(name);
  }
  return [...names].flatMap((name) => cluster.number(name) ?? []);
}

export function nodeAffinity({ addedAffinity }: NodeAffinityArgs = {}): Plugin {
  return {
    name: 'NodeAffinity',
    preFilter(shape, cluster) {
      const added = addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
      if (!restrictsNodes(shape) && !added) return undefined;
      const enforced = (node: number): boolean =>
        !added || added.some((term) => termMatches(term, cluster.nodeName(node), cluster.labels(node)));
      const only = namedNodes(shape.affinity?.nodeAffinity, cluster);
      return {
        scope: 'node',
        fixed: true,
        preemptable: () => false,
        ...(only && { only }),
        filter: (node) => enforced(node) && matchesRequired(shape, cluster, node),
        reasons: (node) => [
          enforced(node)
            ? { reason: REASON, detail: whyNot(shape, cluster.labels(node)) }
            : { reason: ENFORCED, detail: "no term of the profile's addedAffinity matches" },
        ],
      };
    },
    preScore(shape, cluster) {
      const preferred = [
        ...(shape.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
      ];
      if (preferred.length === 0) return undefined;
      return {
        scope: 'node',
        normalize: byGreatest,
        score(node) {
          const labels = cluster.labels(node);
          const name = cluster.nodeName(node);
          let sum = 0;
          for (const { weight, preference } of preferred) if (termMatches(preference, name, labels)) sum += weight;
          return sum;
        },
      };
    },
    hint: (event, shape, cluster) =>
      (event.type === 'NodeAdd' || event.type === 'NodeUpdate') && matchesRequired(shape, cluster, event.node),
  };
}

function whyNot(shape: PodShape, labels: Readonly<Record<string, string>>): string {
  const missing = Object.entries(shape.sample.spec.nodeSelector ?? {})
    .filter(([key, value]) => readKey(labels, key) !== value)
    .map(([key, value]) => `${key}=${value}`);
  return missing.length > 0 ? `lacks label ${missing.join(', ')}` : 'no term of its required node affinity matches';
}
