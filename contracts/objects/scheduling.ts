/**
 * What decides over placement beside the pods themselves: priorities, disruption budgets, pod groups, and the settings
 * of scheduler and descheduler. Sources: Kubernetes scheduling.k8s.io/v1, policy/v1 and kubescheduler.config.k8s.io/v1
 * API references; PodGroup of kubernetes-sigs/scheduler-plugins; DeschedulerPolicy of kubernetes-sigs/descheduler.
 */
import { z } from 'zod';
import { FileMeta, ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { OWN_API_VERSION } from './identity.ts';
import { PreemptionPolicy } from './placement.ts';
import { IntOrPercent, NEVER, object, Seconds } from './schema.ts';
import { LabelSelector } from './selectors.ts';
import { DEFAULT_SCHEDULER_NAME, HIGHEST_USER_PRIORITY } from './well-known.ts';

const LOWEST_PRIORITY = -(2 ** 31);

export const PriorityClassManifest = object({
  apiVersion: z.literal('scheduling.k8s.io/v1'),
  kind: z.literal('PriorityClass'),
  metadata: ManifestMeta,
  /** The priority of pods that name this class; higher goes first. */
  value: z
    .int()
    .min(LOWEST_PRIORITY, `must be ${LOWEST_PRIORITY} or more`)
    .max(HIGHEST_USER_PRIORITY, `must be at most ${HIGHEST_USER_PRIORITY}`)
    .default(0),
  /** Whether pods that name no class have this one. */
  globalDefault: z.boolean().default(false),
  description: z.string().optional(),
  preemptionPolicy: PreemptionPolicy.default('PreemptLowerPriority'),
});
export interface PriorityClass {
  readonly apiVersion: 'scheduling.k8s.io/v1';
  readonly kind: 'PriorityClass';
  readonly metadata: ObjectMeta;
  readonly value: number;
  readonly globalDefault: boolean;
  readonly description?: string | undefined;
  readonly preemptionPolicy: PreemptionPolicy;
}
export type StoredPriorityClass = PriorityClass & { readonly metadata: StoredMeta };

/** With neither bound every pod may be evicted. */
const PodDisruptionBudgetSpec = object({
  minAvailable: IntOrPercent.optional(),
  maxUnavailable: IntOrPercent.optional(),
  /** Absent matches no pod, empty matches every pod of the namespace. */
  selector: LabelSelector.optional(),
  /** What of pods that run and are not ready: absent is IfHealthyBudget. */
  unhealthyPodEvictionPolicy: z.enum(['IfHealthyBudget', 'AlwaysAllow']).optional(),
}).refine(
  (s) => s.minAvailable === undefined || s.maxUnavailable === undefined,
  'must have at most one of maxUnavailable, minAvailable',
);
export type PodDisruptionBudgetSpec = z.infer<typeof PodDisruptionBudgetSpec>;

export interface PodDisruptionBudgetStatus {
  readonly observedGeneration?: number;
  /** Pods that may be evicted now. */
  readonly disruptionsAllowed: number;
  readonly currentHealthy: number;
  readonly desiredHealthy: number;
  readonly expectedPods: number;
  /** Pods whose eviction was allowed and that are not seen to be going yet: name to when. */
  readonly disruptedPods?: Readonly<Record<string, string>>;
  readonly conditions?: readonly Condition[];
}
export const PodDisruptionBudgetManifest = object({
  apiVersion: z.literal('policy/v1'),
  kind: z.literal('PodDisruptionBudget'),
  metadata: ManifestMeta,
  spec: PodDisruptionBudgetSpec,
});
export interface PodDisruptionBudget {
  readonly apiVersion: 'policy/v1';
  readonly kind: 'PodDisruptionBudget';
  readonly metadata: ObjectMeta;
  readonly spec: PodDisruptionBudgetSpec;
  readonly status?: PodDisruptionBudgetStatus;
}
export type StoredPodDisruptionBudget = PodDisruptionBudget & { readonly metadata: StoredMeta };

const PodGroupSpec = object(
  {
    /** Pods that must have a place before any of them gets one. */
    minMember: z.int().min(1, 'must be 1 or more'),
    /** Of no effect: a group is tried as one, so that no pod that has a place waits for the others. */
    scheduleTimeoutSeconds: Seconds.optional(),
  },
  { minResources: [{}] },
);
export type PodGroupSpec = z.infer<typeof PodGroupSpec>;

export interface PodGroupStatus {
  /**
   * Pending: it has too few pods. Scheduling: too few of them run. Failed: they came that far, and one failed.
   * Finished: enough succeeded.
   */
  readonly phase: 'Pending' | 'Scheduling' | 'Running' | 'Finished' | 'Failed';
  /** Pods by phase. */
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
}
/** Pods with the label `scheduling.x-k8s.io/pod-group: NAME` in its namespace belong to it. */
export const PodGroupManifest = object({
  apiVersion: z.literal('scheduling.x-k8s.io/v1alpha1'),
  kind: z.literal('PodGroup'),
  metadata: ManifestMeta,
  spec: PodGroupSpec,
});
export interface PodGroup {
  readonly apiVersion: 'scheduling.x-k8s.io/v1alpha1';
  readonly kind: 'PodGroup';
  readonly metadata: ObjectMeta;
  readonly spec: PodGroupSpec;
  readonly status?: PodGroupStatus;
}
export type StoredPodGroup = PodGroup & { readonly metadata: StoredMeta };

/** Read by the plugin that it is for; nothing is known of it here. */
const PluginArgs = z.record(z.string(), z.unknown());
const PluginConfig = object({ name: z.string().min(1), args: PluginArgs.optional() });
export type PluginConfig = z.infer<typeof PluginConfig>;

const Percentage = z.int().min(0, 'must be between 0 and 100').max(100, 'must be between 0 and 100');

/** More than any configuration has; checking takes the square of it. */
const MOST_PLUGINS = 128;
const MOST_PROFILES = 64;

const SchedulerPluginSet = object({
  enabled: z
    .array(object({ name: z.string().min(1), weight: z.int().min(0, 'must be 0 or more').optional() }))
    .max(MOST_PLUGINS)
    .optional(),
  /** `*` stands for every default plugin. */
  disabled: z
    .array(object({ name: z.string().min(1) }, { weight: [0] }))
    .max(MOST_PLUGINS)
    .optional(),
});
export type SchedulerPluginSet = z.infer<typeof SchedulerPluginSet>;

const SchedulerPlugins = object(
  {
    multiPoint: SchedulerPluginSet.optional(),
    queueSort: SchedulerPluginSet.optional(),
    preFilter: SchedulerPluginSet.optional(),
    filter: SchedulerPluginSet.optional(),
    postFilter: SchedulerPluginSet.optional(),
    preScore: SchedulerPluginSet.optional(),
    score: SchedulerPluginSet.optional(),
    reserve: SchedulerPluginSet.optional(),
    permit: SchedulerPluginSet.optional(),
    preBind: SchedulerPluginSet.optional(),
    bind: SchedulerPluginSet.optional(),
  },
  {
    preEnqueue: [{}],
    postBind: [{}],
    placementGenerate: [{}],
    placementScore: [{}],
    placementFeasible: [{}],
    podGroupPostFilter: [{}],
  },
);
export type SchedulerPlugins = z.infer<typeof SchedulerPlugins>;
/** Name of an extension point of the scheduler, or `multiPoint` for all of them. */
export type SchedulerExtensionPoint = keyof SchedulerPlugins;

const SchedulerProfile = object(
  {
    schedulerName: z.string().min(1).default(DEFAULT_SCHEDULER_NAME),
    /** Overrides the field of the same name of the whole configuration. */
    percentageOfNodesToScore: Percentage.optional(),
    plugins: SchedulerPlugins.optional(),
    pluginConfig: z.array(PluginConfig).max(MOST_PLUGINS).optional(),
  },
  { percentageOfPlacementsToScore: NEVER },
);
export type SchedulerProfile = z.infer<typeof SchedulerProfile>;

/** The scheduler's settings; a repository has one at most. Its profiles replace the default one, as in Kubernetes. */
export const KubeSchedulerConfigurationManifest = object(
  {
    apiVersion: z.literal('kubescheduler.config.k8s.io/v1'),
    kind: z.literal('KubeSchedulerConfiguration'),
    metadata: FileMeta,
    /**
     * Share of the nodes that is enough to choose from. Absent is 100, all of them; 0 is Kubernetes' share that falls
     * with their number.
     */
    percentageOfNodesToScore: Percentage.optional(),
    podInitialBackoffSeconds: z.int().min(1, 'must be 1 or more').default(1),
    podMaxBackoffSeconds: z.int().min(1, 'must be 1 or more').default(10),
    profiles: z.array(SchedulerProfile).min(1).max(MOST_PROFILES).prefault([{}]),
  },
  {
    clientConnection: [{}],
    delayCacheUntilActive: [false],
    enableContentionProfiling: NEVER,
    enableProfiling: NEVER,
    extenders: [[]],
    healthzBindAddress: [''],
    leaderElection: [{}],
    metricsBindAddress: [''],
    parallelism: NEVER,
    percentageOfPlacementsToScore: NEVER,
  },
);
export interface KubeSchedulerConfiguration {
  readonly apiVersion: 'kubescheduler.config.k8s.io/v1';
  readonly kind: 'KubeSchedulerConfiguration';
  readonly metadata: ObjectMeta;
  readonly percentageOfNodesToScore?: number | undefined;
  readonly podInitialBackoffSeconds: number;
  readonly podMaxBackoffSeconds: number;
  readonly profiles: readonly SchedulerProfile[];
}
export type StoredKubeSchedulerConfiguration = KubeSchedulerConfiguration & { readonly metadata: StoredMeta };

const DeschedulerPluginSet = object({ enabled: z.array(z.string().min(1)).optional() }, { disabled: [[]] });
const DeschedulerProfile = object({
  name: z.string().min(1),
  pluginConfig: z.array(PluginConfig).optional(),
  plugins: object(
    {
      deschedule: DeschedulerPluginSet.optional(),
      balance: DeschedulerPluginSet.optional(),
    },
    { presort: NEVER, sort: NEVER, evict: NEVER, filter: NEVER, preEvictionFilter: NEVER },
  ).optional(),
});
export type DeschedulerProfile = z.infer<typeof DeschedulerProfile>;

/** Which running pods are moved elsewhere, and when; a repository has one at most. */
export const DeschedulerPolicyManifest = object(
  {
    apiVersion: z.literal('descheduler/v1alpha2'),
    kind: z.literal('DeschedulerPolicy'),
    metadata: FileMeta,
    profiles: z.array(DeschedulerProfile).default([]),
    maxNoOfPodsToEvictPerNode: z.int().min(0, 'must be 0 or more').optional(),
    maxNoOfPodsToEvictTotal: z.int().min(0, 'must be 0 or more').optional(),
    /** Of Plumbline (the descheduler has it as a flag): seconds between two rounds. Absent: only when somebody asks. */
    deschedulingIntervalSeconds: z.int().min(1, 'must be 1 or more').optional(),
  },
  {
    nodeSelector: NEVER,
    maxNoOfPodsToEvictPerNamespace: NEVER,
    evictionFailureEventNotification: NEVER,
    metricsCollector: NEVER,
    metricsProviders: [[]],
    gracePeriodSeconds: NEVER,
  },
);
/** Of Plumbline: what came of the rounds that the control plane did by itself. */
export interface DeschedulerPolicyStatus {
  readonly observedGeneration?: number;
  /** When the last round ended. */
  readonly lastRoundTime?: string;
  /** Pods evicted in it, and pods that should have moved and could not. */
  readonly evicted?: number;
  readonly skipped?: number;
  readonly conditions?: readonly Condition[];
}
export interface DeschedulerPolicy {
  readonly apiVersion: 'descheduler/v1alpha2';
  readonly kind: 'DeschedulerPolicy';
  readonly metadata: ObjectMeta;
  readonly profiles: readonly DeschedulerProfile[];
  readonly maxNoOfPodsToEvictPerNode?: number | undefined;
  readonly maxNoOfPodsToEvictTotal?: number | undefined;
  readonly deschedulingIntervalSeconds?: number | undefined;
  readonly status?: DeschedulerPolicyStatus;
}
export type StoredDeschedulerPolicy = DeschedulerPolicy & { readonly metadata: StoredMeta };

export const MAX_EXPRESSION_LENGTH = 4096;
const Expression = z.string().min(1).max(MAX_EXPRESSION_LENGTH);

/** Over the variables `node` and `pod`: see docs/scheduling.md. */
const SchedulerPluginSpec = object({
  /** CEL that tells whether the pod may run on the node, and what the pod's message says of nodes where it may not. */
  filter: object({ expression: Expression, reason: z.string().min(1).max(256) }).optional(),
  /** CEL that tells how good the node is, 0 to 100; what is outside is taken as the nearer of the two. */
  score: object({ expression: Expression }).optional(),
}).refine((s) => s.filter !== undefined || s.score !== undefined, 'must have filter, score or both');
export type SchedulerPluginSpec = z.infer<typeof SchedulerPluginSpec>;

/** A plugin of the scheduler, written in CEL; profiles enable it by its name. */
export const SchedulerPluginManifest = object({
  apiVersion: z.literal(OWN_API_VERSION),
  kind: z.literal('SchedulerPlugin'),
  metadata: ManifestMeta,
  spec: SchedulerPluginSpec,
});
export interface SchedulerPlugin {
  readonly apiVersion: typeof OWN_API_VERSION;
  readonly kind: 'SchedulerPlugin';
  readonly metadata: ObjectMeta;
  readonly spec: SchedulerPluginSpec;
}
export type StoredSchedulerPlugin = SchedulerPlugin & { readonly metadata: StoredMeta };
