/** Which of the nodes that fit is better. Source: Kubernetes documentation, "Scheduler Configuration" (NodeResourcesFit, PodTopologySpread). */
import type { Pod } from '../../../contracts/objects/index.ts';
import { requestsOf } from './resources.ts';
import type { NodeSketch } from './sketch.ts';
import { untolerated } from './taints.ts';

export interface Score {
  readonly name: string;
  readonly weight: number;
  /** About 0 to 100. Must not rise when pods are added to the node. `groups` are the pod's own. */
  score(pod: Pod, node: NodeSketch, groups: readonly string[]): number;
}

/** A pod that asks for nothing still weighs something. Source: kube-scheduler's non-zero requests. */
const ASSUMED: Readonly<Record<string, number>> = { cpu: 100, memory: 200 * 2 ** 20 };

const leastAllocated: Score = {
  name: 'LeastAllocated',
  weight: 1,
  score(pod, { allocatable, used }) {
    const requests = requestsOf(pod);
    const pods = used.get('pods') ?? 0;
    let sum = 0;
    for (const [resource, assumed] of Object.entries(ASSUMED)) {
      const has = allocatable.get(resource) ?? 0;
      const taken = Math.max(used.get(resource) ?? 0, pods * assumed) + (requests.get(resource) ?? assumed);
      sum += has === 0 ? 0 : Math.max(0, (has - taken) / has);
    }
    return (sum / Object.keys(ASSUMED).length) * 100;
  },
};

/** Each pod of the group that is there already costs as much as a tenth of the node's room. */
const spread: Score = {
  name: 'Spread',
  weight: 2,
  score: (_pod, node, groups) => 100 - 10 * groups.reduce((most, group) => Math.max(most, node.groups.get(group) ?? 0), 0),
};

const preferUntainted: Score = {
  name: 'TaintToleration',
  weight: 3,
  score: (pod, { node }) => untolerated(node.spec.taints, pod.spec.tolerations, ['PreferNoSchedule']) ? 0 : 100,
};

export const SCORES: readonly Score[] = [leastAllocated, spread, preferUntainted];
