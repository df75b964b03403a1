/**
 * Where a pod may and should run: node affinity, affinity to other pods, topology spread, gates. Rules between the
 * fields are in reconciler/core/manifests/checks. Source: Kubernetes v1 API reference, Affinity,
 * TopologySpreadConstraint and PodSchedulingGate.
 */
import { z } from 'zod';
import { LabelSelector } from './selectors.ts';
import { atomic, atomicList, DnsLabel, object, QualifiedName } from './schema.ts';

const Weight = z.int().min(1, 'must be between 1 and 100').max(100, 'must be between 1 and 100');

/** `Gt` and `Lt` compare whole numbers and have one value; `In` and `NotIn` have at least one; the others have none. */
export const NodeSelectorRequirement = object({
  key: QualifiedName,
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
  values: z.array(z.string()).optional(),
});
export type NodeSelectorRequirement = z.infer<typeof NodeSelectorRequirement>;

/** A requirement on a field of the Node; Kubernetes knows one field, and one value of it. */
const NodeFieldRequirement = object({
  key: z.literal('metadata.name'),
  operator: z.enum(['In', 'NotIn']),
  values: z.array(z.string()).length(1, 'must have exactly one entry'),
});
export type NodeFieldRequirement = z.infer<typeof NodeFieldRequirement>;

/** All requirements of a term hold together; an empty term matches no node. */
const NodeSelectorTerm = object({
  matchExpressions: atomicList(['key', 'operator'], NodeSelectorRequirement).optional(),
  matchFields: z.array(NodeFieldRequirement).optional(),
});
export type NodeSelectorTerm = z.infer<typeof NodeSelectorTerm>;

const PreferredSchedulingTerm = object({ weight: Weight, preference: NodeSelectorTerm });
export type PreferredSchedulingTerm = z.infer<typeof PreferredSchedulingTerm>;

export const NodeAffinity = object({
  /** One of the terms must match. */
  requiredDuringSchedulingIgnoredDuringExecution: atomic(
    object({
      nodeSelectorTerms: z.array(NodeSelectorTerm).min(1, 'must have at least one entry'),
    }),
  ).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z.array(PreferredSchedulingTerm).optional(),
});
export type NodeAffinity = z.infer<typeof NodeAffinity>;

const PodAffinityTerm = object({
  /** Absent matches no pod, empty matches every pod. */
  labelSelector: LabelSelector.optional(),
  topologyKey: QualifiedName,
  /** With neither this nor `namespaceSelector`: the pod's own namespace. With both: either. */
  namespaces: z.array(DnsLabel).optional(),
  /** Empty matches every namespace. */
  namespaceSelector: LabelSelector.optional(),
  /** Keys whose values the incoming pod has are added to the selector: `key in (value)`. */
  matchLabelKeys: z.array(QualifiedName).optional(),
  /** The same, as `key notin (value)`. */
  mismatchLabelKeys: z.array(QualifiedName).optional(),
});
export type PodAffinityTerm = z.infer<typeof PodAffinityTerm>;

const WeightedPodAffinityTerm = object({ weight: Weight, podAffinityTerm: PodAffinityTerm });
export type WeightedPodAffinityTerm = z.infer<typeof WeightedPodAffinityTerm>;

/** Serves podAffinity and podAntiAffinity. All required terms must hold. */
const PodAffinity = object({
  requiredDuringSchedulingIgnoredDuringExecution: z.array(PodAffinityTerm).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: z.array(WeightedPodAffinityTerm).optional(),
});
export type PodAffinity = z.infer<typeof PodAffinity>;

export const Affinity = object({
  nodeAffinity: NodeAffinity.optional(),
  podAffinity: PodAffinity.optional(),
  podAntiAffinity: PodAffinity.optional(),
});
export type Affinity = z.infer<typeof Affinity>;

export const TopologySpreadConstraint = object({
  maxSkew: z.int().min(1, 'must be 1 or more'),
  topologyKey: QualifiedName,
  whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
  /** Absent matches no pod. */
  labelSelector: LabelSelector.optional(),
  /** Goes with DoNotSchedule only; absent is 1. */
  minDomains: z.int().min(1, 'must be 1 or more').optional(),
  nodeAffinityPolicy: z.enum(['Honor', 'Ignore']).default('Honor'),
  nodeTaintsPolicy: z.enum(['Honor', 'Ignore']).default('Ignore'),
  matchLabelKeys: z.array(QualifiedName).optional(),
});
export type TopologySpreadConstraint = z.infer<typeof TopologySpreadConstraint>;

/** A pod with gates is not looked at by the scheduler. */
export const PodSchedulingGate = object({ name: QualifiedName });
export type PodSchedulingGate = z.infer<typeof PodSchedulingGate>;

/** A condition that others set on the pod, without which it is not ready. Source: Kubernetes, KEP-580. */
export const PodReadinessGate = object({ conditionType: QualifiedName });

export const PreemptionPolicy = z.enum(['PreemptLowerPriority', 'Never']);
export type PreemptionPolicy = z.infer<typeof PreemptionPolicy>;
