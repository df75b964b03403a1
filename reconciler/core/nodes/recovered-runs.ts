/**
 * Jobs that CronJobs of Git made: after the store was lost their pods alone tell of them. The slot is in a Job's name, so
 * that it is known again, and with it the newest slot that ran.
 */
import {
  isKeyOf,
  keyOf,
  objectKey,
  type CronJob,
  type Job,
  type KubeObject,
  type ObjectKey,
  type PodTemplateSpec,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { jobOf, slotOf } from '../workloads/cronjob.ts';
import { ownerKey } from '../workloads/owners.ts';
import { madeOf, type PodDefaults, type PodTemplates } from './claimed-template.ts';
import { made, type Filling } from './made-anew.ts';
import type { NodeWord } from './node-word.ts';

/** Clocks of nodes may be ahead by this much; a slot that has not come is none that ran. */
const CLOCK_SKEW_MS = 5 * 60_000;

/** What a pod says of the CronJob whose run it belongs to. */
export interface RunClaim {
  readonly job: ObjectKey<'Job'>;
  readonly cronJob: ObjectKey<'CronJob'>;
  readonly name: string;
}

export function runClaim({ metadata: { namespace, ownerReferences } }: PodClaim): RunClaim | undefined {
  const owner = ownerReferences?.find(({ controller }) => controller);
  const key = owner && ownerKey(namespace, owner);
  const found = /^(?<cronJob>.+)-\d{7,10}$/.exec(owner?.name ?? '')?.groups?.['cronJob'];
  if (key === undefined || !isKeyOf(key, 'Job') || found === undefined) return undefined;
  return { job: key, cronJob: objectKey('CronJob', namespace, found), name: owner?.name ?? '' };
}

/**
 * The Job of the claimed pod, with the template of the CronJob's that the pod has; undefined where the CronJob can have
 * made no such Job.
 */
export function runOf(
  claim: PodClaim,
  { name }: RunClaim,
  cronJob: CronJob,
  templates: readonly PodTemplateSpec[],
  { defaults, ...filling }: Filling & { readonly defaults: PodDefaults },
): Job | undefined {
  const slot = slotOf(cronJob.metadata.name, { name });
  if (!slot || slot.getTime() > filling.now.getTime() + CLOCK_SKEW_MS) return undefined;
  const job = jobOf(made(cronJob, filling), slot);
  const template = templates.find((one) => madeOf(one, job, claim, defaults));
  return template && { ...job, spec: { ...job.spec, template } };
}

/** The Jobs that CronJobs of `desired` made for the pods that are claimed, and that `desired` has not. */
export function claimedRuns(
  words: readonly NodeWord[],
  desired: readonly KubeObject[],
  templates: PodTemplates,
  filling: Filling & { readonly defaults: PodDefaults },
): ReadonlyMap<ObjectKey, Job> {
  const byKey = new Map(desired.map((object) => [keyOf(object), object]));
  const jobs = new Map<ObjectKey, Job>();
  for (const { claims } of words) {
    for (const claim of claims) {
      const run = claim.kind === 'Pod' ? runClaim(claim) : undefined;
      const cronJob = run && byKey.get(run.cronJob);
      if (claim.kind !== 'Pod' || !run || cronJob?.kind !== 'CronJob' || byKey.has(run.job) || jobs.has(run.job))
        continue;
      const job = runOf(claim, run, cronJob, templates.get(run.cronJob) ?? [], filling);
      if (job) jobs.set(run.job, job);
    }
  }
  return jobs;
}
