/** Deployment and ReplicaSet. Source: Kubernetes apps/v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { PodTemplateSpec } from './pod.ts';
import { LabelSelector } from './selectors.ts';
import { atomic, int32, IntOrPercent, LabelValue, object, QualifiedName, Seconds } from './schema.ts';

const RollingUpdate = object({ maxSurge: IntOrPercent.default('25%'), maxUnavailable: IntOrPercent.default('25%') });
const Strategy = z.discriminatedUnion('type', [
  object({ type: z.literal('RollingUpdate'), rollingUpdate: RollingUpdate.prefault({}) }),
  object({ type: z.literal('Recreate') }),
]);
export type DeploymentStrategy = z.infer<typeof Strategy>;

/** The type is RollingUpdate where it is not said. */
export function withStrategyType(strategy: unknown): unknown {
  if (strategy === null || typeof strategy !== 'object' || Array.isArray(strategy)) return strategy;
  return 'type' in strategy && strategy.type !== '' ? strategy : { ...strategy, type: 'RollingUpdate' };
}

export const DeploymentSpec = object({
  replicas: int32(0).default(1),
  selector: LabelSelector,
  template: PodTemplateSpec,
  strategy: z.preprocess(withStrategyType, Strategy).prefault({ type: 'RollingUpdate' }),
  minReadySeconds: Seconds.default(0),
  progressDeadlineSeconds: int32(1).default(600),
  revisionHistoryLimit: int32(0).default(10),
  paused: z.boolean().default(false),
});
export type DeploymentSpec = z.infer<typeof DeploymentSpec>;

export interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  readonly unavailableReplicas: number;
  /** Pods of its ReplicaSets that are being deleted and have not ended. Source: Kubernetes, KEP-3973. */
  readonly terminatingReplicas?: number;
  readonly conditions?: readonly Condition[];
}

export const DeploymentManifest = object({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata: ManifestMeta,
  spec: DeploymentSpec,
});
export interface Deployment {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'Deployment';
  readonly metadata: ObjectMeta;
  readonly spec: DeploymentSpec;
  readonly status?: DeploymentStatus;
}
export type StoredDeployment = Deployment & { readonly metadata: StoredMeta };

export const ReplicaSetSpec = object({
  replicas: int32(0).default(1),
  selector: LabelSelector,
  template: PodTemplateSpec,
  minReadySeconds: Seconds.default(0),
});
export type ReplicaSetSpec = z.infer<typeof ReplicaSetSpec>;

export interface ReplicaSetStatus {
  readonly observedGeneration?: number;
  readonly replicas: number;
  readonly fullyLabeledReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  /** Pods that are being deleted and have not ended. */
  readonly terminatingReplicas?: number;
  readonly conditions?: readonly Condition[];
}

export const ReplicaSetManifest = object({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('ReplicaSet'),
  metadata: ManifestMeta,
  spec: ReplicaSetSpec,
});
export interface ReplicaSet {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'ReplicaSet';
  readonly metadata: ObjectMeta;
  readonly spec: ReplicaSetSpec;
  readonly status?: ReplicaSetStatus;
}
export type StoredReplicaSet = ReplicaSet & { readonly metadata: StoredMeta };

/**
 * What a ReplicaSet was before it: its selector is labels alone. Absent, it is the template's labels. Source: Kubernetes
 * v1 API reference; SetDefaults_ReplicationController in pkg/apis/core/v1/defaults.go.
 */
const ReplicationControllerSpec = object({
  replicas: int32(0).default(1),
  selector: atomic(z.record(QualifiedName, LabelValue)).optional(),
  template: PodTemplateSpec,
  minReadySeconds: Seconds.default(0),
}).transform(({ selector, ...spec }) => ({
  ...spec,
  selector: selector && Object.keys(selector).length > 0 ? selector : (spec.template.metadata.labels ?? {}),
}));
export type ReplicationControllerSpec = z.infer<typeof ReplicationControllerSpec>;

export const ReplicationControllerManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ReplicationController'),
  metadata: ManifestMeta,
  spec: ReplicationControllerSpec,
});
export interface ReplicationController {
  readonly apiVersion: 'v1';
  readonly kind: 'ReplicationController';
  readonly metadata: ObjectMeta;
  readonly spec: ReplicationControllerSpec;
  readonly status?: ReplicaSetStatus;
}
export type StoredReplicationController = ReplicationController & { readonly metadata: StoredMeta };

/** A template that nobody makes pods of by itself. Source: Kubernetes v1 API reference. */
export const PodTemplateManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('PodTemplate'),
  metadata: ManifestMeta,
  template: PodTemplateSpec,
});
export interface PodTemplate {
  readonly apiVersion: 'v1';
  readonly kind: 'PodTemplate';
  readonly metadata: ObjectMeta;
  readonly template: PodTemplateSpec;
}
