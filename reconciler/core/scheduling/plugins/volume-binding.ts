/**
 * Volumes that are not everywhere: a claim that is bound to a disk, or to be bound in one zone, narrows where its pod
 * may run. What there is of volumes is told through the cluster's `volumes`; a cluster without one has no such volumes.
 * Source: kube-scheduler, VolumeBinding and VolumeZone.
 */
import { MAX_NODE_SCORE, type Plugin, type Reason } from '../framework.ts';

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  tellsApart: (shape, cluster) => cluster.volumes?.concerns(shape) === true,
  preFilter(shape, cluster) {
    const { volumes } = cluster;
    if (!volumes?.concerns(shape)) return undefined;
    const refusal = (node: number): Reason | undefined => volumes.refusal(shape, cluster.node(node));
    // What pods elsewhere have counts too, and what was promised to them.
    return {
      scope: 'cluster',
      preemptable: () => false,
      filter: (node) => refusal(node) === undefined,
      reasons: (node) => [
        refusal(node) ?? { reason: "node(s) didn't match PersistentVolume's node affinity", detail: '' },
      ],
    };
  },
  // Those with more room, as with kube-scheduler's StorageCapacityScoring (KEP-4049).
  preScore(shape, cluster) {
    const { volumes } = cluster;
    if (!volumes?.concerns(shape)) return undefined;
    return {
      scope: 'cluster',
      score(node) {
        const taken = volumes.roomTaken(shape, cluster.node(node));
        return taken === undefined ? 0 : MAX_NODE_SCORE * (1 - taken);
      },
    };
  },
  // A pod that leaves may have had what this one waits for, and what it wants may come to be.
  hint: (event) => event.type !== 'PodAdd' && (event.type !== 'Other' || event.kind === 'Volume'),
  reserve: (pod, nodeName, cluster) => cluster.volumes?.reserve(pod, nodeName),
  unreserve: (pod, nodeName, cluster) => cluster.volumes?.release(pod, nodeName),
  preBind: (pod, nodeName, cluster) => cluster.volumes?.bind(pod, nodeName) ?? [],
};
