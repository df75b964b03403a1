/** DaemonSet. Source: Kubernetes apps/v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { PodTemplateSpec } from './pod.ts';
import { LabelSelector } from './selectors.ts';
import { int32, IntOrPercent, object, Seconds } from './schema.ts';
import { withStrategyType } from './workloads.ts';

const RollingUpdate = object({ maxSurge: IntOrPercent.default(0), maxUnavailable: IntOrPercent.default(1) });
const UpdateStrategy = z.discriminatedUnion('type', [
  object({ type: z.literal('RollingUpdate'), rollingUpdate: RollingUpdate.prefault({}) }),
  // Kubernetes does not look at what is said of another strategy.
  object({ type: z.literal('OnDelete') }, { rollingUpdate: 'anything' }),
]);
export type DaemonSetUpdateStrategy = z.infer<typeof UpdateStrategy>;

export const DaemonSetSpec = object({
  selector: LabelSelector,
  template: PodTemplateSpec,
  updateStrategy: z.preprocess(withStrategyType, UpdateStrategy).prefault({ type: 'RollingUpdate' }),
  minReadySeconds: Seconds.default(0),
  revisionHistoryLimit: int32(0).default(10),
});
export type DaemonSetSpec = z.infer<typeof DaemonSetSpec>;

/** In nodes, each counted once, whatever number of pods it has. */
export interface DaemonSetStatus {
  readonly observedGeneration?: number;
  /** Should have a pod. */
  readonly desiredNumberScheduled: number;
  /** Should have a pod, and have one. */
  readonly currentNumberScheduled: number;
  /** Have a pod that should not. */
  readonly numberMisscheduled: number;
  readonly numberReady: number;
  /** Have a pod of the present template. */
  readonly updatedNumberScheduled: number;
  /** Have a pod that was ready for at least minReadySeconds. */
  readonly numberAvailable: number;
  readonly numberUnavailable: number;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

export const DaemonSetManifest = object({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('DaemonSet'),
  metadata: ManifestMeta,
  spec: DaemonSetSpec,
});
export interface DaemonSet {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'DaemonSet';
  readonly metadata: ObjectMeta;
  readonly spec: DaemonSetSpec;
  readonly status?: DaemonSetStatus;
}
export type StoredDaemonSet = DaemonSet & { readonly metadata: StoredMeta };
