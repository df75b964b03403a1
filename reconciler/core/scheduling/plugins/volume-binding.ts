/**
 * Volumes that are not everywhere: a claim that is bound to a disk, or to be bound in one zone, narrows where its pod
 * may run. What there is of volumes is told through {@link VolumePlacement}; a cluster without one has no such volumes.
 * Source: kube-scheduler, VolumeBinding and VolumeZone.
 */
import type { Node, StoredPod } from '../../../../contracts/objects/index.ts';
import type { Step } from '../../step.ts';
import type { Plugin, Reason } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';
import { onNode } from './node-state.ts';

export interface VolumePlacement {
  /** Whether pods of the shape have volumes that are not everywhere. */
  concerns(shape: PodShape): boolean;
  /**
   * Why the volumes cannot be had on the node (`node(s) had volume node affinity conflict`, `node(s) had no available
   * volume zone`).
   */
  refusal(shape: PodShape, node: Node): Reason | undefined;
  /** Keeps the volumes that the pod will have on the node from others, until the binding or {@link release}. */
  reserve(pod: StoredPod, nodeName: string): void;
  release(pod: StoredPod, nodeName: string): void;
  /** Binds the claims; done before the pod is bound. */
  bind(pod: StoredPod, nodeName: string): readonly Step[];
}

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
