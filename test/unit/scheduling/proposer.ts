/** A process that proposes places for pods, on a view of the cluster that lags behind. See proposers.test.ts. */
import type { Node, StoredPod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';

export interface Order {
  /** In the first order. */
  readonly nodes?: readonly Node[];
  /** Places that others got since the last order, and own proposals that lost. */
  readonly taken: readonly { readonly pod: StoredPod; readonly node: string }[];
  readonly lost: readonly StoredPod[];
  readonly wanted: readonly StoredPod[];
}

export interface Proposal {
  readonly uid: string;
  /** Absent: no node would have it. */
  readonly node?: string;
}

const scheduler = new Scheduler(new ClusterState(), {
  profiles: buildProfiles(undefined).profiles,
  seed: process.argv[2] ?? '',
});

process.on('message', ({ nodes = [], taken, lost, wanted }: Order) => {
  for (const node of nodes) scheduler.cluster.setNode(node);
  for (const pod of lost) scheduler.forget(pod);
  for (const { pod, node } of taken) scheduler.cluster.assume(pod, node);
  const proposals = wanted.map((pod): Proposal => {
    const outcome = scheduler.place(pod, { preempt: false });
    return { uid: pod.metadata.uid, ...(outcome.is === 'placed' && { node: outcome.node }) };
  });
  process.send?.(proposals);
});
