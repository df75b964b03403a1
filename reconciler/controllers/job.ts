/** Jobs: makes their pods, and counts those that have ended. */
import {
  findCondition,
  isKeyOf,
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import type { NodeMonitor } from '../core/health/node-monitor.ts';
import { isJobFinished, planJob, releaseAll } from '../core/workloads/job.ts';
import { claimPods, isTracked, selectorOf } from '../core/workloads/job-pods.ts';
import { controllerOf, ownerKey } from '../core/workloads/owners.ts';
import { heldBack, PODS_KNOWN, waitsForUnheard } from '../core/workloads/unheard.ts';
import { controllerKeys, isBinding, orphans } from './owned-keys.ts';
import { tellRefusedOf } from './refused-pods.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now, monotonic, ids }: PassContext, monitor: NodeMonitor): Decision {
  const { namespace, name } = parseKey(key);
  const job = view.get(objectKey('Job', namespace, name));
  if (!job) return { steps: [] };
  const selector = selectorOf(job);
  const claimed = claimPods(
    job,
    view.ownedBy('Pod', job.metadata.uid),
    selector ? orphans('Pod', namespace, selector, view) : [],
    isJobFinished(job),
  );
  const decision = planJob({
    job,
    pods: claimed.pods,
    now,
    held: heldBack(job, view.list('Node'), (node, taint) => monitor.taintAgeMs(node.metadata.name, taint, monotonic)),
    suffix: (length) => ids.suffix(length),
    nameTaken: (podName) => view.get(objectKey('Pod', namespace, podName)) !== undefined,
  });
  return { ...decision, steps: [...claimed.steps, ...decision.steps] };
}

/** `monitor`: knows for how long nodes are silent. */
export const jobController = (monitor: NodeMonitor): Controller => ({
  name: 'job-controller',
  kind: 'Job',
  ignores: isBinding,
  watches: {
    Pod: (pod, view) => controllerKeys('Job', pod, view),
    /** A node that a recovery did not hear has spoken, or is given up. */
    Node: (node, view) =>
      findCondition(node.status?.conditions, PODS_KNOWN) === undefined
        ? []
        : view.list('Job').filter(waitsForUnheard).map(keyOf),
  },
  decide: (key, context) => decide(key, context, monitor),
  refused: tellRefusedOf('Job'),
});

/**
 * Lets pods go whose Job is gone: they have the finalizer that only it would have removed. Source: Kubernetes,
 * syncOrphanPod of pkg/controller/job/job_controller.go.
 */
export const jobOrphansController: Controller = {
  name: 'job-orphans-controller',
  kind: 'Pod',
  concerns: (pod, _before, view) => pod.kind === 'Pod' && isLeftBehind(pod, view),
  watches: {
    Job: ({ metadata }, view, event) =>
      event === 'delete' ? view.ownedBy('Pod', metadata.uid).filter(isTracked).map(keyOf) : [],
  },
  decide(key, { view }) {
    const { namespace, name } = parseKey(key);
    const pod = view.get(objectKey('Pod', namespace, name));
    return { steps: pod && isLeftBehind(pod, view) ? releaseAll([pod]) : [] };
  },
};

function isLeftBehind(pod: StoredPod, view: StoreView): boolean {
  if (!isTracked(pod)) return false;
  const controller = controllerOf(pod.metadata);
  if (!controller) return true;
  const key = ownerKey(pod.metadata.namespace, controller);
  return key !== undefined && isKeyOf(key, 'Job') && view.get(key)?.metadata.uid !== controller.uid;
}
