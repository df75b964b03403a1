/**
 * After the store was lost: pods that may run on nodes which have not told their inventory yet. A replacement made at
 * once would be one too many when the node speaks; so a ReplicaSet or a Job leaves that many out until the node has
 * spoken, or has been silent for as long as its pods tolerate (Kubernetes evicts them then, and so their replacements
 * may be made).
 */
import {
  findCondition,
  type Node,
  type StoredNode,
  type StoredJob,
  type StoredReplicaSet,
  type StoredReplicationController,
  type StoredStatefulSet,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { leavesInMs } from '../health/eviction.ts';
import { Indexes } from './indexes.ts';
import { annotatedNumber } from './rollout-numbers.ts';

/**
 * Annotation of a ReplicaSet or a Job: how many of its pods no node that answered had. Written by a recovery, removed
 * when no node is waited for.
 */
export const UNHEARD_ANNOTATION = 'plumbline.dev/unheard-replicas';
/**
 * Annotation of a StatefulSet that was rebuilt while nodes were silent: ordinals whose pods have been seen since, such as
 * `0-2,5`. Removed when no node is waited for.
 */
export const HEARD_ORDINALS_ANNOTATION = 'plumbline.dev/heard-ordinals';
/** Condition of a StatefulSet: True while pods of it are held back. */
export const PODS_HELD = 'PodsHeld';
/** Condition of a Node: False from a recovery that it did not answer until its inventory was read. */
export const PODS_KNOWN = 'PodsKnown';

export function isUnheard(node: Node): boolean {
  return findCondition(node.status?.conditions, PODS_KNOWN)?.status === 'False';
}

/** Names of those. */
export function unheardNodes(nodes: readonly Node[]): readonly string[] {
  return nodes.filter(isUnheard).map(({ metadata }) => metadata.name);
}

export interface HeldBack {
  /** Pods that are not to be made now. */
  readonly pods: number;
  /** When to look again, milliseconds; undefined: when a node changes. */
  readonly againInMs: number | undefined;
}

/** Whether a recovery left out pods of it, and nobody has let it make them since. */
export function waitsForUnheard({ metadata }: StoredReplicaSet | StoredReplicationController | StoredJob): boolean {
  return metadata.annotations?.[UNHEARD_ANNOTATION] !== undefined;
}

export function withoutUnheard<T extends StoredReplicaSet | StoredReplicationController | StoredJob>(owner: T): T {
  const { [UNHEARD_ANNOTATION]: _over, ...annotations } = owner.metadata.annotations ?? {};
  return { ...owner, metadata: { ...owner.metadata, annotations } };
}

export const NONE_HELD: HeldBack = { pods: 0, againInMs: undefined };

/** `nodes`: all. `taintAgeMs`: for how long a node has had a taint. */
export function heldBack(
  owner: StoredReplicaSet | StoredReplicationController | StoredJob,
  nodes: readonly StoredNode[],
  taintAgeMs: (node: StoredNode, taint: Taint) => number,
): HeldBack {
  const pods = annotatedNumber(owner, UNHEARD_ANNOTATION) ?? 0;
  if (pods === 0) return NONE_HELD;
  const { template } = owner.spec;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: owner.metadata.name },
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

export interface HeldOrdinals {
  /** Of which no pod has been seen since the store was lost. */
  readonly isHeld: (ordinal: number) => boolean;
  /** Whose pods are not known. */
  readonly nodes: readonly string[];
}

/**
 * Pods of a StatefulSet that may run on nodes which have not told their inventory. Unlike those of a ReplicaSet they are
 * not given up after a time: two pods of one ordinal may write to the same data. What decides is that the node is heard,
 * or that a person removes its Machine. Undefined where nothing is held.
 */
export function heldOrdinals(set: StoredStatefulSet, nodes: readonly StoredNode[]): HeldOrdinals | undefined {
  const heard = readKey(set.metadata.annotations, HEARD_ORDINALS_ANNOTATION);
  if (heard === undefined) return undefined;
  const waitedFor = unheardNodes(nodes);
  if (waitedFor.length === 0) return undefined;
  // An annotation is a manifest's to write: what cannot be read is left out.
  const seen = Indexes.parse(heard);
  return { isHeld: (ordinal) => !seen.has(ordinal), nodes: waitedFor };
}

/** Those of the text and these ordinals; the same text where none is new. */
export function withHeard(text: string, seen: readonly number[]): string {
  const before = Indexes.parse(text);
  const fresh = seen.filter((ordinal) => !before.has(ordinal));
  return fresh.length === 0 ? text : before.with(Indexes.of(fresh)).toString();
}
