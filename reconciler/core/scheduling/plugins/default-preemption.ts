/**
 * A pod that fits nowhere takes the place of pods of lower priority. Source: Kubernetes documentation, "Pod Priority
 * and Preemption"; kube-scheduler, DefaultPreemption.
 *
 * Kubernetes tries some of the nodes. Here all are compared, unless a filter looks beyond the node: then each try
 * stands alone, and as many are made as there. Where waiting for pods that terminate already is enough, nobody else is
 * taken away.
 */
import type { DefaultPreemptionArgs, StoredPod } from '../../../../contracts/objects/index.ts';
import { hash32 } from '../../workloads/stable-hash.ts';
import type { ClusterState, Placed } from '../cluster-state.ts';
import type { Nomination, Plugin, PreemptionView } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';
import { PreemptionTable } from '../preemption-table.ts';
import { isPreempted } from '../preemption.ts';
import { mayPreempt } from '../priority.ts';
import type { VictimSearch } from '../victims.ts';

export function defaultPreemption(args: DefaultPreemptionArgs): Plugin {
  const tables = new WeakMap<PreemptionView, PreemptionTable>();
  const tableOf = (shape: PodShape, cluster: ClusterState, view: PreemptionView): PreemptionTable => {
    let table = tables.get(view);
    if (!table) tables.set(view, (table = new PreemptionTable(shape, cluster, view)));
    return table;
  };
  return {
    name: 'DefaultPreemption',
    postFilter(pod, shape, cluster, view) {
      if (!mayPreempt(pod, cluster.priorityClasses)) return undefined;
      const table = tableOf(shape, cluster, view);
      const before = earlierNomination(pod, shape, cluster, view, table.search);
      if (before) return before;
      const node = view.local
        ? table.best()
        : table.bestOfSome(cluster.zoneFairOrder(), hash32(pod.metadata.uid), enough(args, cluster));
      return node < 0
        ? undefined
        : {
            node: cluster.nodeName(node),
            victims: table.search.victims.map(podOf),
            displaced: table.search.displaced.map(podOf),
          };
    },
  };
}

function podOf({ pod }: Placed): StoredPod {
  return pod;
}

/** How many nodes where room can be made are enough. */
function enough(
  { minCandidateNodesPercentage, minCandidateNodesAbsolute }: DefaultPreemptionArgs,
  { nodeCount }: ClusterState,
): number {
  return Math.max(minCandidateNodesAbsolute, Math.floor((nodeCount * minCandidateNodesPercentage) / 100));
}

/**
 * The nomination that the pod has, while room is being made for it: victims of preemption terminate there, or what
 * terminates is enough. Not when other than pods keeps it from that node now. Source: kube-scheduler,
 * PodEligibleToPreemptOthers (since 1.31: of victims alone).
 */
function earlierNomination(
  pod: StoredPod,
  shape: PodShape,
  cluster: ClusterState,
  view: PreemptionView,
  search: VictimSearch,
): Nomination | undefined {
  const name = pod.status?.nominatedNodeName;
  const node = name === undefined ? undefined : cluster.number(name);
  if (name === undefined || node === undefined || !view.preemptableAt(node)) return undefined;
  let victimsGoing = false;
  for (const {
    pod: other,
    shape: { terminating, priority },
  } of cluster.podsOn(node))
    if (terminating && priority < shape.priority && isPreempted(other)) victimsGoing = true;
  const enoughGoes = search.on(node) && search.victims.length === 0;
  return victimsGoing || enoughGoes
    ? { node: name, victims: [], displaced: enoughGoes ? search.displaced.map(podOf) : [] }
    : undefined;
}
