/** RuntimeClass: how the container runtime runs pods. Source: Kubernetes node.k8s.io/v1 API reference. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { Toleration } from './pod.ts';
import { ResourceList } from './quantity.ts';
import { atomic, atomicList, DnsLabel, LabelValue, object, QualifiedName } from './schema.ts';

const Overhead = object({
  /** What each pod of the class takes besides what its containers ask for. */
  podFixed: ResourceList.optional(),
});
const Scheduling = object({
  /** Labels of the nodes that have the handler. */
  nodeSelector: atomic(z.record(QualifiedName, LabelValue)).optional(),
  tolerations: atomicList(['key', 'operator', 'effect', 'value'], Toleration).optional(),
});

export const RuntimeClassManifest = object({
  apiVersion: z.literal('node.k8s.io/v1'),
  kind: z.literal('RuntimeClass'),
  metadata: ManifestMeta,
  /** What the runtimes of nodes call it in their configuration. */
  handler: DnsLabel,
  overhead: Overhead.optional(),
  scheduling: Scheduling.optional(),
});
export interface RuntimeClass {
  readonly apiVersion: 'node.k8s.io/v1';
  readonly kind: 'RuntimeClass';
  readonly metadata: ObjectMeta;
  readonly handler: string;
  readonly overhead?: z.infer<typeof Overhead> | undefined;
  readonly scheduling?: z.infer<typeof Scheduling> | undefined;
}
export type StoredRuntimeClass = RuntimeClass & { readonly metadata: StoredMeta };
