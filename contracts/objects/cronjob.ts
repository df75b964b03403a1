/** CronJob. Source: Kubernetes batch/v1 API reference, and pkg/apis/batch/v1/defaults.go for the defaults. */
import { z } from 'zod';
import { JobSpec } from './job.ts';
import { ManifestMeta, TemplateMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { int32, object, Seconds, unset } from './schema.ts';

/** Annotation of a CronJob's Job: its slot, RFC 3339 in the schedule's time zone. */
export const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

export const CronJobSpec = object({
  schedule: z.string().min(1, 'is required'),
  /** Absent: UTC. */
  timeZone: z.string().optional(),
  startingDeadlineSeconds: Seconds.optional(),
  concurrencyPolicy: unset('', z.enum(['Allow', 'Forbid', 'Replace']).default('Allow')),
  suspend: z.boolean().default(false),
  jobTemplate: object({ metadata: TemplateMeta.default({}), spec: JobSpec }),
  successfulJobsHistoryLimit: int32(0).default(3),
  failedJobsHistoryLimit: int32(0).default(1),
});
export type CronJobSpec = z.infer<typeof CronJobSpec>;

/** A Job that has not finished. */
export interface ActiveJob {
  readonly name: string;
  readonly uid: string;
}

export interface CronJobStatus {
  readonly active?: readonly ActiveJob[];
  /** The newest slot that a Job was made for. */
  readonly lastScheduleTime?: string;
  readonly lastSuccessfulTime?: string;
}

export const CronJobManifest = object({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('CronJob'),
  metadata: ManifestMeta,
  spec: CronJobSpec,
});
export interface CronJob {
  readonly apiVersion: 'batch/v1';
  readonly kind: 'CronJob';
  readonly metadata: ObjectMeta;
  readonly spec: CronJobSpec;
  readonly status?: CronJobStatus;
}
export type StoredCronJob = CronJob & { readonly metadata: StoredMeta };
