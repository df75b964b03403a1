/**
 * Health of Jobs and CronJobs. Source: gitops-engine, pkg/health/health_job.go; that Git suspends one is no trouble here, as
 * it is what was asked for.
 */
import { conditionIsTrue, findCondition, type CronJob, type Job } from '../../../contracts/objects/index.ts';
import { isActive, isFinished } from '../workloads/pod-state.ts';
import { hasFailed } from '../workloads/job-pods.ts';
import { degraded, healthy, progressing, worst, type Health, type HealthView } from './health.ts';
import { podHealth } from './pod.ts';

export function jobHealth(job: Job, view: HealthView): Health {
  const { spec, status, metadata } = job;
  const failure = ['Failed', 'FailureTarget'].map((type) => findCondition(status?.conditions, type));
  const found = failure.find((condition) => condition?.status === 'True');
  if (found) return { ...degraded(`${found.message ?? 'has failed'}${failedPod(job, view)}`), gaveUp: true };
  const succeeded = status?.succeeded ?? 0;
  const done = spec.completions === undefined ? `${succeeded}` : `${succeeded} of ${spec.completions}`;
  if (conditionIsTrue(status?.conditions, 'Complete')) return healthy(`${done} pods have succeeded`);
  if (spec.suspend) return healthy('is suspended');
  if (!status) return progressing('its newest form has not been looked at yet');
  const failed = status.failed > 0 ? `, ${status.failed} have failed${failedPod(job, view)}` : '';
  const pods = view
    .ownedBy('Pod', metadata.uid ?? '')
    .filter(isActive)
    .map((pod) => ({ pod, health: podHealth(pod) }));
  const bad = worst(pods.map(({ health }) => health).filter((health) => health.status === 'Degraded'));
  const trouble = pods.find(({ health }) => health === bad);
  return progressing(
    `${done} pods have succeeded, ${status.active} active${failed}${trouble ? `; pod ${trouble.pod.metadata.name}: ${trouble.health.message}` : ''}`,
  );
}

/** The newest pod that failed, to say why. */
function failedPod(job: Job, view: HealthView): string {
  const failed = view
    .ownedBy('Pod', job.metadata.uid ?? '')
    .filter((pod) => isFinished(pod) && hasFailed(job, pod))
    .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
    .at(-1);
  return failed ? `; pod ${failed.metadata.name}: ${podHealth(failed).message}` : '';
}

/** One run that failed does not make the schedule fail: how its newest Job is, is that Job's to say. */
export function cronJobHealth({ spec, status }: CronJob, _view: HealthView): Health {
  if (spec.suspend) return healthy('is suspended');
  const active = status?.active?.length ?? 0;
  const last = status?.lastScheduleTime;
  return healthy(
    `${last === undefined ? 'no slot has come yet' : `the newest slot was ${last}`}${active > 0 ? `, ${active} active` : ''}`,
  );
}
