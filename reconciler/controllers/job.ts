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
import { adoptPods, isTracked } from '../core/workloads/job-pods.ts';
import { controllerOf, ownerKey } from '../core/workloads/owners.ts';
import { heldBack, PODS_KNOWN, waitsForUnheard } from '../core/workloads/unheard.ts';
import { controllerKeys, orphans } from './owned-keys.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now, monotonic, ids }: PassContext, monitor: NodeMonitor): Decision {
  const { namespace, name } = parseKey(key);
  const job = view.get(objectKey('Job', namespace, name));
  const stray = releaseAll(strayPods(namespace, name, job?.metadata.uid, view));
  if (!job) return { steps: stray };
  const decision = planJob({
    job,
    pods: view.ownedBy('Pod', job.metadata.uid),
    now,
    held: heldBack(job, view.list('Node'), (node, taint) => monitor.taintAgeMs(node.metadata.name, taint, monotonic)),
    suffix: (length) => ids.suffix(length),
    nameTaken: (podName) => view.get(objectKey('Pod', namespace, podName)) !== undefined,
  });
  const { selector } = job.spec;
  const isOver = isJobFinished(job) || job.metadata.deletionTimestamp !== undefined;
  const adopted = selector && !isOver ? adoptPods(job, orphans('Pod', namespace, selector, view)) : [];
  return { ...decision, steps: [...stray, ...adopted, ...decision.steps] };
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
