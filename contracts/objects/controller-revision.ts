/**
 * ControllerRevision: an earlier or the present template of a DaemonSet or StatefulSet. Controllers make them, and no
 * manifest has one. Source: Kubernetes apps/v1 API reference.
 */
import type { ObjectMeta, StoredMeta } from './meta.ts';
import type { PodTemplateSpec } from './pod.ts';

export interface ControllerRevision {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'ControllerRevision';
  readonly metadata: ObjectMeta;
  /** Never changes: a strategic merge patch that gives the owner this template again. */
  readonly data: {
    readonly spec: { readonly template: PodTemplateSpec & { readonly $patch: 'replace' } };
  };
  /** Higher is newer; one that comes back takes a new number. */
  readonly revision: number;
}
export type StoredControllerRevision = ControllerRevision & { readonly metadata: StoredMeta };
