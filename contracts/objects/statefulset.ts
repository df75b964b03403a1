/** StatefulSet. Source: Kubernetes apps/v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import { PodTemplateSpec } from './pod.ts';
import { LabelSelector } from './selectors.ts';
import { Annotations, atomic, DnsLabel, int32, IntOrPercent, Labels, object, Seconds, unset } from './schema.ts';
import { PersistentVolumeClaimSpec } from './storage.ts';
import { withStrategyType } from './workloads.ts';

const RollingUpdate = object({
  /** Pods whose place (ordinal less the first) is lower keep the revision they have. */
  partition: int32(0).default(0),
  /** Pods that may be unavailable for an update. */
  maxUnavailable: IntOrPercent.default(1),
});
const Strategy = z.discriminatedUnion('type', [
  object({ type: z.literal('RollingUpdate'), rollingUpdate: RollingUpdate.prefault({}) }),
  object({ type: z.literal('OnDelete') }),
]);
export type StatefulSetStrategy = z.infer<typeof Strategy>;

const Retention = z.enum(['Retain', 'Delete']);
const ClaimRetention = object({
  whenDeleted: unset('', Retention.default('Retain')),
  whenScaled: unset('', Retention.default('Retain')),
});

/** Of the claims that each pod has: its name is that of the volume in the pod. */
export const VolumeClaimTemplate = object(
  {
    apiVersion: z.literal('v1').optional(),
    kind: z.literal('PersistentVolumeClaim').optional(),
    metadata: object(
      { name: DnsLabel, labels: Labels.optional(), annotations: Annotations.optional() },
      {
        namespace: 'anything',
        creationTimestamp: 'anything',
        generateName: [''],
        ownerReferences: [[]],
        finalizers: [[]],
      },
    ),
    spec: PersistentVolumeClaimSpec,
  },
  { status: 'anything' },
);
export type VolumeClaimTemplate = z.infer<typeof VolumeClaimTemplate>;

export const StatefulSetSpec = object({
  replicas: int32(0).default(1),
  selector: LabelSelector,
  template: PodTemplateSpec,
  /** The headless Service that its pods have their names in; `subdomain` of each pod. */
  serviceName: unset('', DnsLabel.optional()),
  podManagementPolicy: unset('', z.enum(['OrderedReady', 'Parallel']).default('OrderedReady')),
  updateStrategy: z.preprocess(withStrategyType, Strategy).prefault({ type: 'RollingUpdate' }),
  minReadySeconds: Seconds.default(0),
  revisionHistoryLimit: int32(0).default(10),
  persistentVolumeClaimRetentionPolicy: ClaimRetention.prefault({}),
  ordinals: object({ start: int32(0).default(0) }).prefault({}),
  /** Claims that each pod has of its own, and finds again after it was made anew. */
  volumeClaimTemplates: atomic(z.array(VolumeClaimTemplate)).optional(),
});
export type StatefulSetSpec = z.infer<typeof StatefulSetSpec>;

export interface StatefulSetStatus {
  readonly observedGeneration?: number;
  /** Pods that there are, those that end among them. */
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  /** Pods of `currentRevision` and of `updateRevision`; those that end do not count. */
  readonly currentReplicas: number;
  readonly updatedReplicas: number;
  /** Names of ControllerRevisions: of the pods that an update has not reached, and of the present template. */
  readonly currentRevision?: string;
  readonly updateRevision?: string;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

export const StatefulSetManifest = object({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('StatefulSet'),
  metadata: ManifestMeta,
  spec: StatefulSetSpec,
});
export interface StatefulSet {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'StatefulSet';
  readonly metadata: ObjectMeta;
  readonly spec: StatefulSetSpec;
  readonly status?: StatefulSetStatus;
}
export type StoredStatefulSet = StatefulSet & { readonly metadata: StoredMeta };
