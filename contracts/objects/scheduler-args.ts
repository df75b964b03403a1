/**
 * Arguments of the scheduler's plugins, as `pluginConfig` of a profile has them. Source: kubescheduler.config.k8s.io/v1
 * API reference.
 */
import { z } from 'zod';
import { NodeAffinity, TopologySpreadConstraint } from './placement.ts';
import { object } from './schema.ts';

/** Kubernetes' files name the type of the arguments once more; plugins are told apart by their name. */
const typeMeta = { apiVersion: z.string().optional(), kind: z.string().optional() };

const RatedResource = object({ name: z.string().min(1), weight: z.int().min(1).max(100).default(1) });
const CPU_AND_MEMORY = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

const ScoringStrategy = object({
  type: z.enum(['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio']).default('LeastAllocated'),
  resources: z.array(RatedResource).default(CPU_AND_MEMORY),
  requestedToCapacityRatio: object({
    /** Score (0 to 10) of a resource by the percentage of it in use. */
    shape: z
      .array(object({ utilization: z.int().min(0).max(100), score: z.int().min(0).max(10) }))
      .min(1)
      .refine(
        (points) => points.every((point, at) => at === 0 || point.utilization > (points[at - 1]?.utilization ?? 0)),
        'must be in the order of utilization',
      ),
  }).optional(),
}).refine(
  (s) => s.type !== 'RequestedToCapacityRatio' || s.requestedToCapacityRatio !== undefined,
  'requestedToCapacityRatio is required with this type',
);
export type ScoringStrategy = z.infer<typeof ScoringStrategy>;
export const DEFAULT_SCORING: ScoringStrategy = { type: 'LeastAllocated', resources: CPU_AND_MEMORY };

export const NodeResourcesFitArgs = object({
  ...typeMeta,
  ignoredResources: z.array(z.string()).optional(),
  /** Of `example.com/gpu` the group is `example.com`. */
  ignoredResourceGroups: z.array(z.string()).optional(),
  scoringStrategy: ScoringStrategy.optional(),
});
export type NodeResourcesFitArgs = z.infer<typeof NodeResourcesFitArgs>;

export const NodeResourcesBalancedAllocationArgs = object({
  ...typeMeta,
  resources: z.array(RatedResource).optional(),
});
export type NodeResourcesBalancedAllocationArgs = z.infer<typeof NodeResourcesBalancedAllocationArgs>;

export const NodeAffinityArgs = object({ ...typeMeta, addedAffinity: NodeAffinity.optional() });
export type NodeAffinityArgs = z.infer<typeof NodeAffinityArgs>;

export const InterPodAffinityArgs = object({
  ...typeMeta,
  /** What a required affinity of a pod that is there counts when others are placed; 1 when absent. */
  hardPodAffinityWeight: z.int().min(0).max(100).optional(),
  ignorePreferredTermsOfExistingPods: z.boolean().optional(),
});
export type InterPodAffinityArgs = z.infer<typeof InterPodAffinityArgs>;

const DefaultConstraint = TopologySpreadConstraint.refine((c) => c.labelSelector === undefined, {
  path: ['labelSelector'],
  error: "must not be set: it follows from the pod's Services and owner",
});

export const PodTopologySpreadArgs = object({
  ...typeMeta,
  /** For pods without constraints. */
  defaultConstraints: z.array(DefaultConstraint).optional(),
  /** Absent is System. */
  defaultingType: z.enum(['System', 'List']).optional(),
}).refine((args) => args.defaultingType === 'List' || !args.defaultConstraints?.length, {
  path: ['defaultingType'],
  error: 'must be List where there are defaultConstraints',
});
export type PodTopologySpreadArgs = z.infer<typeof PodTopologySpreadArgs>;

export const DefaultPreemptionArgs = object({
  ...typeMeta,
  /** Of the nodes, where trying them all would cost too much: enough where room could be made. */
  minCandidateNodesPercentage: z.int().min(0).max(100).default(10),
  /** No fewer than these. */
  minCandidateNodesAbsolute: z.int().min(0).default(100),
}).refine(
  (a) => a.minCandidateNodesPercentage > 0 || a.minCandidateNodesAbsolute > 0,
  'minCandidateNodesPercentage and minCandidateNodesAbsolute cannot both be 0',
);
export type DefaultPreemptionArgs = z.infer<typeof DefaultPreemptionArgs>;

export const CoschedulingArgs = object({
  ...typeMeta,
  /** How long pods of a group wait for the rest of it before their group is told. */
  permitWaitingTimeSeconds: z.int().min(0).optional(),
});
export type CoschedulingArgs = z.infer<typeof CoschedulingArgs>;

/** Plugins without arguments. */
export const NoArgs = object({ ...typeMeta });
