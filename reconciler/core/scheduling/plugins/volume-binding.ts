/**
 * Volumes that are not everywhere: a claim that is bound to a disk, or to be bound in one zone, narrows where its pod
 * may run. What there is of volumes is told through the cluster's `volumes`; a cluster without one has no such volumes.
 * Source: kube-scheduler, VolumeBinding and VolumeZone.
 */
import type { Plugin, Reason } from '../framework.ts';
import { onNode } from './node-state.ts';

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  tellsApart: (shape, cluster) => cluster.volumes?.concerns(shape) === true,
  preFilter(shape, cluster) {
    const { volumes } = cluster;
    if (!volumes?.concerns(shape)) return undefined;
    const refusal = (node: number): Reason | undefined => volumes.refusal(shape, cluster.node(node));
    return onNode(
      (node) => refusal(node) === undefined,
      (node) => refusal(node) ?? { reason: 'node(s) had volume node affinity conflict', detail: '' },
    );
  },
  reserve: (pod, nodeName, cluster) => cluster.volumes?.reserve(pod, nodeName),
  unreserve: (pod, nodeName, cluster) => cluster.volumes?.release(pod, nodeName),
  preBind: (pod, nodeName, cluster) => cluster.volumes?.bind(pod, nodeName) ?? [],
};
