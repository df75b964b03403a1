/** Jobs: makes their pods, and counts those that have ended. */
import {
  findCondition,
  JOB_NAME_LABELS,
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
import { controllerKeys, orphans } from './owned-keys.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now, monotonic, ids }: PassContext, monitor: NodeMonitor): Decision {
  const { namespace, name } = parseKey(key);
  const job = view.get(objectKey('Job', namespace, name));
  if (!job) return { steps: releaseAll(strayPods(namespace, name, undefined, view)) };
  const selector = selectorOf(job);
  const claimed = claimPods(
    job,
    view.ownedBy('Pod', job.metadata.uid),
    selector ? orphans('Pod', namespace, selector, view) : [],
    isJobFinished(job),
  );
  const own = new Set(claimed.pods.map(({ metadata }) => metadata.uid));
  const stray = strayPods(namespace, name, job.metadata.uid, view).filter(({ metadata }) => !own.has(metadata.uid));
  const decision = planJob({
    job,
    pods: claimed.pods,
    now,
    held: heldBack(job, view.list('Node'), (node, taint) => monitor.taintAgeMs(node.metadata.name, taint, monotonic)),
    suffix: (length) => ids.suffix(length),
    nameTaken: (podName) => view.get(objectKey('Pod', namespace, podName)) !== undefined,
  });
  return { ...decision, steps: [...releaseAll(stray), ...claimed.steps, ...decision.steps] };
}

/**
 * Pods that a Job of that name left behind, with the finalizer that only it would have removed. Those without its label
 * are looked for once it is gone.
 */
function strayPods(namespace: string, name: string, uid: string | undefined, view: StoreView): readonly StoredPod[] {
  const pods =
    uid === undefined ? view.list('Pod', namespace) : view.labelled('Pod', JOB_NAME_LABELS[0], name, namespace);
  return pods.filter((pod) => isTracked(pod) && isLeftBy(name, pod) && controllerOf(pod.metadata)?.uid !== uid);
}

function isLeftBy(name: string, { metadata }: StoredPod): boolean {
  const controller = controllerOf(metadata);
  if (!controller) return metadata.labels?.[JOB_NAME_LABELS[0]] === name;
  return ownerKey(metadata.namespace, controller) === objectKey('Job', metadata.namespace, name);
}

/** `monitor`: knows for how long nodes are silent. */
export const jobController = (monitor: NodeMonitor): Controller => ({
  name: 'job-controller',
  kind: 'Job',
  worksOnGone: true,
  watches: {
    Pod: (pod, view) => {
      const name = pod.metadata.labels?.[JOB_NAME_LABELS[0]];
      const isStray = controllerOf(pod.metadata) === undefined && isTracked(pod) && name !== undefined;
      return [
        ...controllerKeys('Job', pod, view),
        ...(isStray ? [objectKey('Job', pod.metadata.namespace, name)] : []),
      ];
    },
    /** A node that a recovery did not hear has spoken, or is given up. */
    Node: (node, view) =>
      findCondition(node.status?.conditions, PODS_KNOWN) === undefined
        ? []
        : view.list('Job').filter(waitsForUnheard).map(keyOf),
  },
  decide: (key, context) => decide(key, context, monitor),
});
