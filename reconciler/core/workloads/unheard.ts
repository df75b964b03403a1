/**
 * After the store was lost: pods that may run on nodes which have not told their inventory yet. A replacement made at
 * once would be one too many when the node speaks; so a ReplicaSet leaves that many out until the node has spoken, or
 * has been silent for as long as its pods tolerate (Kubernetes evicts them then, and so their replacements may be
 * made).
 */
import {
  findCondition,
  type Node,
  type StoredNode,
  type StoredReplicaSet,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { leavesInMs } from '../health/eviction.ts';
import { annotatedNumber } from './rollout-numbers.ts';

/**
 * Annotation of a ReplicaSet: how many of its pods no node that answered had. Written by a recovery, removed when no
 * node is waited for.
 */
export const UNHEARD_ANNOTATION = 'plumbline.dev/unheard-replicas';
/** Condition of a Node: False from a recovery that it did not answer until its inventory was read. */
export const PODS_KNOWN = 'PodsKnown';

export function isUnheard(node: Node): boolean {
  return findCondition(node.status?.conditions, PODS_KNOWN)?.status === 'False';
}

export interface HeldBack {
  /** Pods that are not to be made now. */
  readonly pods: number;
  /** When to look again, milliseconds; undefined: when a node changes. */
  readonly againInMs: number | undefined;
}

export const NONE_HELD: HeldBack = { pods: 0, againInMs: undefined };

/** `nodes`: all. `taintAgeMs`: for how long a node has had a taint. */
export function heldBack(
  replicaSet: StoredReplicaSet,
  nodes: readonly StoredNode[],
  taintAgeMs: (node: StoredNode, taint: Taint) => number,
): HeldBack {
  const pods = annotatedNumber(replicaSet, UNHEARD_ANNOTATION) ?? 0;
  if (pods === 0) return NONE_HELD;
  const { template } = replicaSet.spec;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: replicaSet.metadata.name },
    spec: template.spec,
  } as const;
  const waits = nodes.filter(isUnheard).flatMap((node) => {
    const silent = findCondition(node.status?.conditions, 'Ready')?.status === 'Unknown';
    const left = silent ? leavesInMs(pod, node.spec.taints ?? [], (taint) => taintAgeMs(node, taint)) : undefined;
    return left !== undefined && left <= 0 ? [] : [left];
  });
  if (waits.length === 0) return NONE_HELD;
  const timed = waits.filter((left) => left !== undefined);
  return { pods, againInMs: timed.length > 0 ? Math.min(...timed) : undefined };
}
