/** Job. Source: Kubernetes batch/v1 API reference, and pkg/apis/batch/v1/defaults.go for the defaults. */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { PodTemplateSpec } from './pod.ts';
import { atomicList, DnsLabel, int32, MAX_INT32, object, Seconds, type NotYet } from './schema.ts';
import { LabelSelector } from './selectors.ts';

/** Labels of a Job's pods, as their Job generates them; the second of each is the older name. */
export const JOB_NAME_LABELS = ['batch.kubernetes.io/job-name', 'job-name'] as const;
export const JOB_UID_LABELS = ['batch.kubernetes.io/controller-uid', 'controller-uid'] as const;
/** Label and annotation of an indexed Job's pod: its index. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
/** Annotations of a pod whose index has a limit of its own: how many pods of the index failed before it. */
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_FAILURES = 'batch.kubernetes.io/job-index-ignored-failure-count';
/** Finalizer of a Job's pod that is not counted yet. */
export const JOB_TRACKING = 'batch.kubernetes.io/job-tracking';
/** Variable of every container of an indexed Job's pod. */
export const COMPLETION_INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

/** Source of these bounds: Kubernetes, pkg/apis/batch/validation. */
const MOST_RULES = 20;
const MOST_EXIT_CODES = 255;
const MOST_PATTERNS = 20;
const LONGEST_INDEXES = 64 * 1024;
const DEFAULT_BACKOFF_LIMIT = 6;

const OnExitCodes = object({
  /** All of them when absent. */
  containerName: DnsLabel.optional(),
  operator: z.enum(['In', 'NotIn']),
  values: z.array(int32(0)).min(1, 'must have at least one exit code').max(MOST_EXIT_CODES),
});
const OnPodCondition = object({
  type: z.string().min(1),
  status: z.enum(['True', 'False', 'Unknown']).default('True'),
});
const PodFailurePolicyRule = object({
  action: z.enum(['FailJob', 'FailIndex', 'Ignore', 'Count']),
  onExitCodes: OnExitCodes.optional(),
  onPodConditions: atomicList(['type'], OnPodCondition).max(MOST_PATTERNS).optional(),
}).refine(
  ({ onExitCodes, onPodConditions = [] }) => (onExitCodes !== undefined) !== onPodConditions.length > 0,
  'must have exactly one of onExitCodes, onPodConditions',
);
export type PodFailurePolicyRule = z.infer<typeof PodFailurePolicyRule>;

const SuccessPolicyRule = object({
  /** As `1,3-5`. */
  succeededIndexes: z.string().max(LONGEST_INDEXES).optional(),
  succeededCount: int32(1).optional(),
}).refine(
  (rule) => rule.succeededIndexes !== undefined || rule.succeededCount !== undefined,
  'must have succeededIndexes or succeededCount',
);
export type SuccessPolicyRule = z.infer<typeof SuccessPolicyRule>;

const NOT_YET: NotYet = { managedBy: ['kubernetes.io/job-controller'] };

const JobSpecShape = object(
  {
    parallelism: int32(0).optional(),
    /** Absent: the Job is done once one of its pods has succeeded and the others have ended. */
    completions: int32(0).optional(),
    completionMode: z.enum(['NonIndexed', 'Indexed']).default('NonIndexed'),
    activeDeadlineSeconds: Seconds.optional(),
    backoffLimit: int32(0).optional(),
    backoffLimitPerIndex: int32(0).optional(),
    maxFailedIndexes: int32(0).optional(),
    podFailurePolicy: object({ rules: atomicList([], PodFailurePolicyRule).max(MOST_RULES) }).optional(),
    successPolicy: object({ rules: atomicList([], SuccessPolicyRule).min(1).max(MOST_RULES) }).optional(),
    podReplacementPolicy: z.enum(['TerminatingOrFailed', 'Failed']).optional(),
    suspend: z.boolean().default(false),
    ttlSecondsAfterFinished: Seconds.optional(),
    manualSelector: z.boolean().default(false),
    /** Only where manualSelector is true: else it is by the Job's uid. */
    selector: LabelSelector.optional(),
    template: PodTemplateSpec,
  },
  NOT_YET,
);
export const JobSpec = JobSpecShape.transform((spec) => ({
  ...spec,
  ...(spec.completions === undefined && spec.parallelism === undefined && { completions: 1 }),
  parallelism: spec.parallelism ?? 1,
  backoffLimit: spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? DEFAULT_BACKOFF_LIMIT : MAX_INT32),
  podReplacementPolicy:
    spec.podReplacementPolicy ??
    (spec.podFailurePolicy === undefined ? ('TerminatingOrFailed' as const) : ('Failed' as const)),
}));
export type JobSpec = z.infer<typeof JobSpec>;

export interface JobStatus {
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
  readonly succeeded: number;
  readonly failed: number;
  /** As `1,3-5`. */
  readonly completedIndexes?: string;
  readonly failedIndexes?: string;
  /** Uids of pods that have ended, and are in `succeeded` and `failed` once their finalizer is off. */
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] };
  readonly conditions?: readonly Condition[];
}

export const JobManifest = object({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: ManifestMeta,
  spec: JobSpec,
});
export interface Job {
  readonly apiVersion: 'batch/v1';
  readonly kind: 'Job';
  readonly metadata: ObjectMeta;
  readonly spec: JobSpec;
  readonly status?: JobStatus;
}
export type StoredJob = Job & { readonly metadata: StoredMeta };
