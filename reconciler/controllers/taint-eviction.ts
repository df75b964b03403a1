/** Pods leave nodes that are tainted NoExecute, and are not ready while their node is silent. */
import { isDeepStrictEqual } from 'node:util';
import {
  conditionIsTrue,
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type StoredNode,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { planEviction, SILENT_REASON } from '../core/health/eviction.ts';
import type { NodeMonitor } from '../core/health/node-monitor.ts';
import { graceLeftMs } from '../core/health/node.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

export function taintEvictionController(monitor: NodeMonitor): Controller {
  let sightings = monitor.sightings;
  /** Nodes that were not well when they were looked at last. */
  const troubled = new Set<string>();

  function decide(key: ObjectKey, { view, now, monotonic }: PassContext): Decision {
    const { namespace, name } = parseKey(key);
    const pod = view.get(objectKey('Pod', namespace, name));
    const node =
      pod?.spec.nodeName === undefined ? undefined : view.get(objectKey('Node', undefined, pod.spec.nodeName));
    if (!pod || !node) return { steps: [] };
    monitor.observe(node, monotonic, now);
    const silentMs = monitor.silentMs(node.metadata.name, monotonic);
    return planEviction(
      pod,
      node,
      {
        graceLeftMs: monitor.blind ? undefined : graceLeftMs({ settings: clusterSettings(view), silentMs }),
        taintAgeMs: (taint) => monitor.taintAgeMs(node.metadata.name, taint, monotonic),
      },
      now,
    );
  }

  /** Pods of all silent nodes, when the first node of all is heard again. */
  function afterBlindness(view: StoreView): readonly StoredPod[] {
    if (sightings === monitor.sightings) return [];
    sightings = monitor.sightings;
    return monitor.notReady().flatMap((name) => view.podsOnNode(name));
  }

  /**
   * Of a heartbeat of a well node, only those that were marked while it was silent. All when it is well again: a mark
   * may have been decided on and is not written yet.
   */
  function podsOf(node: StoredNode, view: StoreView): readonly StoredPod[] {
    const { name } = node.metadata;
    const pods = view.podsOnNode(name);
    if (!isTroubled(node)) return troubled.delete(name) ? pods : pods.filter(isMarked);
    troubled.add(name);
    return pods;
  }

  return {
    name: 'taint-eviction-controller',
    kind: 'Pod',
    hearsHeartbeats: true,
    /** A pod on a well node has nothing to fear; what befalls the node comes with the node. */
    concerns: (pod, before, view) => {
      if (pod.kind !== 'Pod' || pod.spec.nodeName === undefined) return false;
      if (before?.kind === 'Pod' && !isDecidedAnew(pod, before)) return false;
      const node = view.get(objectKey('Node', undefined, pod.spec.nodeName));
      return node !== undefined && (isTroubled(node) || isMarked(pod));
    },
    watches: {
      Node: ({ metadata: { name } }, view) => {
        const node = view.get(objectKey('Node', undefined, name));
        if (node) monitor.count(node);
        else troubled.delete(name);
        return [...(node ? podsOf(node, view) : []), ...afterBlindness(view)].map(keyOf);
      },
    },
    decide,
  };
}

function isTroubled({ spec, status }: StoredNode): boolean {
  return (
    !conditionIsTrue(status?.conditions, 'Ready') || (spec.taints ?? []).some((taint) => taint.effect === 'NoExecute')
  );
}

/** It was marked not ready while its node was silent. */
function isMarked({ status }: StoredPod): boolean {
  return findCondition(status?.conditions, 'Ready')?.reason === SILENT_REASON;
}

/** Whether anything changed of what is decided on. */
function isDecidedAnew(pod: StoredPod, before: StoredPod): boolean {
  return (
    pod.metadata.generation !== before.metadata.generation ||
    pod.spec.nodeName !== before.spec.nodeName ||
    pod.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    pod.status?.phase !== before.status?.phase ||
    !isDeepStrictEqual(
      findCondition(pod.status?.conditions, 'Ready'),
      findCondition(before.status?.conditions, 'Ready'),
    )
  );
}
