/** What there is of volumes that are not everywhere: see plugins/volume-binding.ts. */
import type { Node, StoredPod } from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import type { PodShape } from './pod-shape.ts';
import type { Reason } from './reason.ts';

export interface VolumePlacement {
  /** Whether pods of the shape have volumes that are not everywhere. */
  concerns(shape: PodShape): boolean;
  /**
   * Why the volumes cannot be had on the node (`node(s) had volume node affinity conflict`, `node(s) had no available
   * volume zone`).
   */
  refusal(shape: PodShape, node: Node): Reason | undefined;
  /**
   * How much of a node's room for volumes those would take that are to be made for the pod: from 0 to 1. Undefined where
   * none is made, or the node does not tell its room.
   */
  roomTaken(shape: PodShape, node: Node): number | undefined;
  /** Keeps the volumes that the pod will have on the node from others, until the binding or {@link release}. */
  reserve(pod: StoredPod, nodeName: string): void;
  release(pod: StoredPod, nodeName: string): void;
  /** Binds the claims; done before the pod is bound. */
  bind(pod: StoredPod, nodeName: string): readonly Step[];
}
