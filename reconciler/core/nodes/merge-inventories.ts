/** Rebuilds the live state from what the nodes hold, after the store was lost. */
import { keyOf, type Kind, type KubeObject, type ObjectKey, type Pod } from '../../../contracts/objects/index.ts';
import type { Inventory } from '../../../contracts/agent/index.ts';

/** A Secret's data is on no node's disk: it comes from Git again. Events are history. */
const NOT_IMPORTED: ReadonlySet<Kind> = new Set<Kind>(['Secret', 'Event', 'Machine', 'Namespace']);

export interface FoundInventory {
  readonly node: string;
  readonly inventory: Inventory;
}

export interface MergedInventories {
  /** To be created, owners before what they own; resourceVersion left out, uid and times kept, pods with the status their node reports. */
  readonly objects: readonly KubeObject[];
  /** Highest epoch that any agent has seen; 0 when there is none. */
  readonly epoch: number;
}

interface Candidate {
  readonly object: KubeObject;
  readonly epoch: number;
  readonly version: number;
}

/**
 * One object per key. The newest wins: of the highest epoch, then of the highest resourceVersion (a store that was lost before counted
 * from the start again), then of the first node by name. A pod is taken from the node that it is bound to, and from no other.
 */
export function mergeInventories(found: readonly FoundInventory[]): MergedInventories {
  const best = new Map<ObjectKey, Candidate>();
  for (const { node, inventory } of found.toSorted((a, b) => (a.node < b.node ? -1 : 1))) {
    for (const object of inventory.objects) {
      if (NOT_IMPORTED.has(object.kind)) continue;
      if (object.kind === 'Pod' && object.spec.nodeName !== node) continue;
      const candidate = { object, epoch: inventory.info.epoch, version: Number(object.metadata.resourceVersion ?? 0) };
      const known = best.get(keyOf(object));
      if (!known || isNewer(candidate, known)) best.set(keyOf(object), candidate);
    }
  }
  const reports = new Map(found.flatMap(({ inventory }) => inventory.pods.filter(({ gone }) => !gone).map((pod) => [identity(pod), pod] as const)));
  const objects = [...best.values()]
    .map(({ object }) => imported(object.kind === 'Pod' ? withStatus(object, reports.get(identity(object.metadata))?.status) : object))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (keyOf(a) < keyOf(b) ? -1 : 1));
  return { objects, epoch: Math.max(0, ...found.map(({ inventory }) => inventory.info.epoch)) };
}

/** Owners before what they own. */
const ORDER: readonly Kind[] = ['Cluster', 'Source', 'Node', 'ConfigMap', 'Service', 'EndpointSlice', 'Deployment', 'ReplicaSet', 'Pod'];

function identity(pod: { readonly namespace?: string | undefined; readonly name: string; readonly uid?: string | undefined }): string {
  return `${pod.namespace ?? ''}/${pod.name}/${pod.uid ?? ''}`;
}

function isNewer(a: Candidate, b: Candidate): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.version > b.version);
}

/** The binding is part of the pod, so a pod without a report is at least known to be scheduled. */
function withStatus(pod: Pod, status: Pod['status']): Pod {
  const scheduled = { type: 'PodScheduled', status: 'True' as const, ...(pod.metadata.creationTimestamp !== undefined && { lastTransitionTime: pod.metadata.creationTimestamp }) };
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  return { ...pod, status: { ...(status ?? { phase: 'Pending' }), conditions: [scheduled, ...others] } };
}

function imported<T extends KubeObject>(object: T): T {
  const { resourceVersion: _version, generation: _generation, ...metadata } = object.metadata;
  return { ...object, metadata };
}
