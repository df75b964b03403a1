/** Jobs in a world where the test is the nodes. */
import {
  COMPLETION_INDEX,
  JobManifest,
  objectKey,
  type Job,
  type Pod,
  type PodStatus,
  type StoredJob,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { jobController, jobOrphansController } from '../../../reconciler/controllers/job.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import type { AnyDecision } from '../../../reconciler/core/step.ts';
import { isActive } from '../../../reconciler/core/workloads/pod-state.ts';
import { World } from '../controllers/world.ts';

export const KEY = objectKey('Job', 'default', 'task');

export function job(spec: object = {}, template: object = {}): Job {
  return JobManifest.parse({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'task', namespace: 'default' },
    spec: {
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'task:v1' }], ...template } },
      ...spec,
    },
  });
}

/** `Succeeded`, `Failed`, or the exit code of its container. */
export type End = 'Succeeded' | 'Failed' | number;

export class JobWorld extends World {
  constructor(spec: object = {}, template: object = {}) {
    super([jobController(new NodeMonitor()), jobOrphansController, garbageCollector]);
    this.put(job(spec, template));
    this.settle();
  }

  /** Of the next decision this write is not made, as when the store refuses it; whoever asked comes again. */
  lost: number | undefined;

  override apply(decision: AnyDecision): void {
    const writes = decision.steps.filter((step) => step.do !== 'event');
    const lost = this.lost === undefined ? undefined : writes[this.lost % Math.max(1, writes.length)];
    if (lost === undefined) return super.apply(decision);
    this.lost = undefined;
    super.apply({ steps: decision.steps.filter((step) => step !== lost) });
    this.resync();
  }

  get job(): StoredJob {
    const found = this.get(KEY);
    if (!found) throw new Error('the Job is gone');
    return found;
  }
  get pods(): readonly StoredPod[] {
    return this.list('Pod');
  }
  get active(): readonly StoredPod[] {
    return this.pods.filter(isActive);
  }
  indexOf(pod: Pod): string {
    return pod.metadata.annotations?.[COMPLETION_INDEX] ?? '';
  }
  activeOf(index: number): StoredPod {
    const found = this.active.find((pod) => this.indexOf(pod) === String(index));
    if (!found) throw new Error(`no pod runs for index ${index}`);
    return found;
  }
  conditions(): readonly string[] {
    return (this.job.status?.conditions ?? [])
      .filter(({ status }) => status === 'True')
      .map(({ type, reason }) => `${type} ${reason}`);
  }

  /** The node tells of a pod; it is bound to one by then. */
  tell(pod: StoredPod, status: Partial<PodStatus>): void {
    const found = this.get(objectKey('Pod', 'default', pod.metadata.name));
    if (found?.metadata.uid !== pod.metadata.uid) return;
    this.put({
      ...found,
      spec: { ...found.spec, nodeName: 'n1' },
      status: { phase: 'Running', ...found.status, ...status },
    });
  }

  end(pod: StoredPod, end: End = 'Succeeded'): void {
    const exitCode = end === 'Succeeded' ? 0 : end === 'Failed' ? 1 : end;
    const at = this.now.toISOString();
    const terminated = { exitCode, reason: 'Error', startedAt: at, finishedAt: at, containerID: 'c' };
    this.tell(pod, {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [
        { name: 'main', state: { terminated }, lastState: {}, ready: false, restartCount: 0, image: 'i', imageID: 'i' },
      ],
    });
  }

  /** Its node says that nothing of a pod that was told to end is left. */
  gone(pod: StoredPod): void {
    this.apply({
      steps: [{ do: 'delete', key: objectKey('Pod', 'default', pod.metadata.name), uid: pod.metadata.uid, gone: true }],
    });
  }

  /** Ends every active pod, and settles. */
  endAll(end: End = 'Succeeded'): void {
    for (const pod of this.active) this.end(pod, end);
    this.settle();
  }
}
