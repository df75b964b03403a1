/** A refusal of a node, in words. */

/** Why a node may not run a pod. Worded as Kubernetes' plugins have it, so that known messages stay searchable. */
export interface Reason {
  /** Counted over nodes in the pod's message. */
  readonly reason: string;
  /** The same for this node, with its numbers. */
  readonly detail: string;
}
