/**
 * Jobs that CronJobs of Git made: after the store was lost their pods alone tell of them. The slot is in a Job's name, so
 * that it is known again, and with it the newest slot that ran.
 */
import {
  isKeyOf,
  objectKey,
  type CronJob,
  type Job,
  type ObjectKey,
  type PodTemplateSpec,
  type Stored,
} from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { jobOf, slotOf } from '../workloads/cronjob.ts';
import { ownerKey } from '../workloads/owners.ts';

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

/** The Job, with the template of the CronJob's that its pod has; undefined where it can have made no such Job. */
export function runOf(
  { name }: RunClaim,
  cronJob: Stored<CronJob>,
  templates: readonly PodTemplateSpec[],
  { makes, now }: { readonly makes: (job: Job, template: PodTemplateSpec) => boolean; readonly now: Date },
): Job | undefined {
  const slot = slotOf(cronJob.metadata.name, { name });
  if (!slot || slot.getTime() > now.getTime() + CLOCK_SKEW_MS) return undefined;
  const job = jobOf(cronJob, slot);
  for (const template of templates) if (makes(job, template)) return { ...job, spec: { ...job.spec, template } };
  return undefined;
}
