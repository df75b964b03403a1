/**
 * HorizontalPodAutoscaler, autoscaling/v2. Source: Kubernetes API reference; defaults of
 * pkg/apis/autoscaling/v2/defaults.go, bounds of pkg/apis/autoscaling/validation/validation.go.
 */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { parseQuantity, Quantity, QUANTITY_PATTERN } from './quantity.ts';
import { atomic, DnsLabel, int32, object } from './schema.ts';
import { LabelSelector } from './selectors.ts';

/** Far more than anybody has: each metric is asked for every 15 s. */
const MOST_METRICS = 32;
const MOST_POLICIES = 16;
const LONGEST_STABILIZATION_SECONDS = 3600;
const LONGEST_PERIOD_SECONDS = 1800;

/** Part of a path in Kubernetes' metrics APIs. Source: IsValidPathSegmentName of apimachinery. */
const PathSegment = z
  .string()
  .min(1, 'must not be empty')
  .max(253, 'must be no more than 253 characters')
  .refine(
    (name) => name !== '.' && name !== '..' && !/[/%]/.test(name),
    "must not be '.' or '..', and have no '/' or '%'",
  );

/** What is no quantity has been told. */
const amount = (holds: (value: number) => boolean, message: string): typeof Quantity =>
  Quantity.refine((text) => !QUANTITY_PATTERN.test(text) || holds(parseQuantity(text)), message);
const Amount = amount((value) => value > 0, 'must be more than 0');

const ObjectReference = atomic(object({ apiVersion: z.string().default(''), kind: PathSegment, name: PathSegment }));
export type CrossVersionObjectReference = z.infer<typeof ObjectReference>;

const Metric = object({ name: PathSegment, selector: LabelSelector.optional() });
export type MetricIdentifier = z.infer<typeof Metric>;

const Utilization = object({ type: z.literal('Utilization'), averageUtilization: int32(1) });
const AverageValue = object({ type: z.literal('AverageValue'), averageValue: Amount });
const Value = object({ type: z.literal('Value'), value: Amount });
const OfResource = z.discriminatedUnion('type', [Utilization, AverageValue]);
const OfWhole = z.discriminatedUnion('type', [Value, AverageValue]);

const Resource = z.enum(['cpu', 'memory']);
export type MeasuredResource = z.infer<typeof Resource>;

/** One measure, and how high it may be. */
export const MetricSpec = z.discriminatedUnion('type', [
  object({ type: z.literal('Resource'), resource: object({ name: Resource, target: OfResource }) }),
  object({
    type: z.literal('ContainerResource'),
    containerResource: object({ name: Resource, container: DnsLabel, target: OfResource }),
  }),
  object({ type: z.literal('Pods'), pods: object({ metric: Metric, target: AverageValue }) }),
  object({
    type: z.literal('Object'),
    object: object({ describedObject: ObjectReference, metric: Metric, target: OfWhole }),
  }),
  object({ type: z.literal('External'), external: object({ metric: Metric, target: OfWhole }) }),
]);
export type MetricSpec = z.infer<typeof MetricSpec>;

const Policy = object({
  type: z.enum(['Pods', 'Percent']),
  value: int32(1),
  periodSeconds: int32(1).max(LONGEST_PERIOD_SECONDS, `must be at most ${LONGEST_PERIOD_SECONDS}`),
});
export type ScalingPolicy = z.infer<typeof Policy>;

const scalingRules = <W extends number>(windowSeconds: W, policies: readonly ScalingPolicy[]) =>
  object({
    /** Changes less than the recommendations of this long would have it are put off. */
    stabilizationWindowSeconds: int32(0)
      .max(LONGEST_STABILIZATION_SECONDS, `must be at most ${LONGEST_STABILIZATION_SECONDS}`)
      .default(windowSeconds),
    /** Which of the policies counts: that which allows the most, or the least; or that nothing changes this way. */
    selectPolicy: z.enum(['Max', 'Min', 'Disabled']).default('Max'),
    policies: z
      .array(Policy)
      .min(1, 'must have at least one entry')
      .max(MOST_POLICIES, `must have at most ${MOST_POLICIES} entries`)
      .default([...policies]),
    /** How far a measure may be from its target without a change; the share of it, 0.1 when absent. */
    tolerance: amount((value) => value >= 0, 'must be 0 or more').optional(),
  });
const ScaleUp = scalingRules(0, [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
]);
/** 300 is the controller's default there, `--horizontal-pod-autoscaler-downscale-stabilization`. */
const ScaleDown = scalingRules(300, [{ type: 'Percent', value: 100, periodSeconds: 15 }]);
export type ScalingRules = z.infer<typeof ScaleUp>;

const DEFAULT_METRICS: MetricSpec[] = [
  { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
];

export const HorizontalPodAutoscalerSpec = object({
  scaleTargetRef: ObjectReference,
  /** Of none, nothing could be measured but what is not the pods' own: `HPAScaleToZero` is alpha in Kubernetes. */
  minReplicas: int32(0).min(1, 'must be 1 or more: 0 is of the alpha feature HPAScaleToZero').default(1),
  maxReplicas: int32(1),
  metrics: z.preprocess(
    (value) => (Array.isArray(value) && value.length === 0 ? undefined : value),
    z.array(MetricSpec).max(MOST_METRICS, `must have at most ${MOST_METRICS} entries`).default(DEFAULT_METRICS),
  ),
  behavior: object({ scaleUp: ScaleUp.prefault({}), scaleDown: ScaleDown.prefault({}) }).optional(),
});
export type HorizontalPodAutoscalerSpec = z.infer<typeof HorizontalPodAutoscalerSpec>;

export const HorizontalPodAutoscalerManifest = object({
  apiVersion: z.literal('autoscaling/v2'),
  kind: z.literal('HorizontalPodAutoscaler'),
  metadata: ManifestMeta,
  spec: HorizontalPodAutoscalerSpec,
});

/** What was measured. */
export interface MetricValueStatus {
  readonly value?: string;
  readonly averageValue?: string;
  readonly averageUtilization?: number;
}

/** In the order of the metrics of the spec; one without a part could not be had. Of each kind as in the spec. */
export interface MetricStatus {
  /** Empty where it could not be had. */
  readonly type: MetricSpec['type'] | '';
  readonly resource?: { readonly name: string; readonly current: MetricValueStatus };
  readonly containerResource?: {
    readonly name: string;
    readonly container: string;
    readonly current: MetricValueStatus;
  };
  readonly pods?: { readonly metric: MetricIdentifier; readonly current: MetricValueStatus };
  readonly object?: {
    readonly describedObject: CrossVersionObjectReference;
    readonly metric: MetricIdentifier;
    readonly current: MetricValueStatus;
  };
  readonly external?: { readonly metric: MetricIdentifier; readonly current: MetricValueStatus };
}

export interface HorizontalPodAutoscalerStatus {
  readonly observedGeneration?: number;
  readonly lastScaleTime?: string;
  readonly currentReplicas: number;
  readonly desiredReplicas: number;
  readonly currentMetrics?: readonly MetricStatus[];
  readonly conditions?: readonly Condition[];
}

export interface HorizontalPodAutoscaler {
  readonly apiVersion: 'autoscaling/v2';
  readonly kind: 'HorizontalPodAutoscaler';
  readonly metadata: ObjectMeta;
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly status?: HorizontalPodAutoscalerStatus;
}
export type StoredHorizontalPodAutoscaler = HorizontalPodAutoscaler & { readonly metadata: StoredMeta };
