/** The kinds Plumbline knows: one table that the manifest reader, the store, the API and the CLI share. */
import type { z } from 'zod';
import type { ConfigMap, Namespace, Secret, ServiceAccount } from './config.ts';
import { ConfigMapManifest, NamespaceManifest, SecretManifest, ServiceAccountManifest } from './config.ts';
import type { Event } from './events.ts';
import { FILE_OBJECT_NAME, type StoredMeta } from './meta.ts';
import type { Node } from './nodes.ts';
import type { Cluster, Machine, Source } from './own.ts';
import { ClusterManifest, MachineManifest, OWN_API_VERSION } from './own.ts';
import type { Pod } from './pod.ts';
import { PodManifest } from './pod.ts';
import type {
  DeschedulerPolicy,
  KubeSchedulerConfiguration,
  PodDisruptionBudget,
  PodGroup,
  PriorityClass,
  SchedulerPlugin,
} from './scheduling.ts';
import {
  DeschedulerPolicyManifest,
  KubeSchedulerConfigurationManifest,
  PodDisruptionBudgetManifest,
  PodGroupManifest,
  PriorityClassManifest,
  SchedulerPluginManifest,
} from './scheduling.ts';
import type { EndpointSlice, Service } from './services.ts';
import { ServiceManifest } from './services.ts';
import type { Deployment, ReplicaSet } from './workloads.ts';
import { DeploymentManifest, ReplicaSetManifest } from './workloads.ts';

export interface ObjectsByKind {
  Cluster: Cluster;
  Machine: Machine;
  Source: Source;
  Namespace: Namespace;
  Node: Node;
  ConfigMap: ConfigMap;
  Secret: Secret;
  Service: Service;
  EndpointSlice: EndpointSlice;
  Deployment: Deployment;
  ReplicaSet: ReplicaSet;
  Pod: Pod;
  Event: Event;
  PriorityClass: PriorityClass;
  PodDisruptionBudget: PodDisruptionBudget;
  PodGroup: PodGroup;
  KubeSchedulerConfiguration: KubeSchedulerConfiguration;
  DeschedulerPolicy: DeschedulerPolicy;
  SchedulerPlugin: SchedulerPlugin;
  ServiceAccount: ServiceAccount;
}
export type Kind = keyof ObjectsByKind;
export type KubeObject = ObjectsByKind[Kind];
/** An object that the store has accepted: uid, resourceVersion, generation and creationTimestamp are there. */
export type Stored<T extends KubeObject = KubeObject> = T & { readonly metadata: StoredMeta };
export type StoredOf<K extends Kind> = Stored<ObjectsByKind[K]>;

export interface KindInfo {
  readonly apiVersion: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  /** Schema of the manifest form, where the kind may be written in Git. Parsing fills defaults. */
  readonly manifest?: z.ZodType;
  /**
   * Name of an object whose manifest says none: the kind is a file of settings in Kubernetes. Such kinds have one
   * object at most.
   */
  readonly defaultName?: string;
  /** Creation order within a plan: lower first; deletion runs the other way. */
  readonly wave: number;
}

export const KINDS: { readonly [K in Kind]: KindInfo } = {
  Cluster: {
    apiVersion: OWN_API_VERSION,
    plural: 'clusters',
    shortNames: [],
    namespaced: false,
    manifest: ClusterManifest,
    wave: 0,
  },
  Machine: {
    apiVersion: OWN_API_VERSION,
    plural: 'machines',
    shortNames: [],
    namespaced: false,
    manifest: MachineManifest,
    wave: 0,
  },
  Source: { apiVersion: OWN_API_VERSION, plural: 'sources', shortNames: [], namespaced: false, wave: 0 },
  Namespace: {
    apiVersion: 'v1',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    manifest: NamespaceManifest,
    wave: 0,
  },
  Node: { apiVersion: 'v1', plural: 'nodes', shortNames: ['no'], namespaced: false, wave: 0 },
  ConfigMap: {
    apiVersion: 'v1',
    plural: 'configmaps',
    shortNames: ['cm'],
    namespaced: true,
    manifest: ConfigMapManifest,
    wave: 1,
  },
  Secret: { apiVersion: 'v1', plural: 'secrets', shortNames: [], namespaced: true, manifest: SecretManifest, wave: 1 },
  ServiceAccount: {
    apiVersion: 'v1',
    plural: 'serviceaccounts',
    shortNames: ['sa'],
    namespaced: true,
    manifest: ServiceAccountManifest,
    wave: 1,
  },
  Service: {
    apiVersion: 'v1',
    plural: 'services',
    shortNames: ['svc'],
    namespaced: true,
    manifest: ServiceManifest,
    wave: 2,
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    plural: 'endpointslices',
    shortNames: [],
    namespaced: true,
    wave: 2,
  },
  Deployment: {
    apiVersion: 'apps/v1',
    plural: 'deployments',
    shortNames: ['deploy'],
    namespaced: true,
    manifest: DeploymentManifest,
    wave: 3,
  },
  ReplicaSet: {
    apiVersion: 'apps/v1',
    plural: 'replicasets',
    shortNames: ['rs'],
    namespaced: true,
    manifest: ReplicaSetManifest,
    wave: 3,
  },
  Pod: { apiVersion: 'v1', plural: 'pods', shortNames: ['po'], namespaced: true, manifest: PodManifest, wave: 3 },
  PriorityClass: {
    apiVersion: 'scheduling.k8s.io/v1',
    plural: 'priorityclasses',
    shortNames: ['pc'],
    namespaced: false,
    manifest: PriorityClassManifest,
    wave: 0,
  },
  PodDisruptionBudget: {
    apiVersion: 'policy/v1',
    plural: 'poddisruptionbudgets',
    shortNames: ['pdb'],
    namespaced: true,
    manifest: PodDisruptionBudgetManifest,
    wave: 2,
  },
  PodGroup: {
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    plural: 'podgroups',
    shortNames: ['pg'],
    namespaced: true,
    manifest: PodGroupManifest,
    wave: 2,
  },
  KubeSchedulerConfiguration: {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    plural: 'kubeschedulerconfigurations',
    shortNames: [],
    namespaced: false,
    manifest: KubeSchedulerConfigurationManifest,
    defaultName: FILE_OBJECT_NAME,
    wave: 0,
  },
  DeschedulerPolicy: {
    apiVersion: 'descheduler/v1alpha2',
    plural: 'deschedulerpolicies',
    shortNames: [],
    namespaced: false,
    manifest: DeschedulerPolicyManifest,
    defaultName: FILE_OBJECT_NAME,
    wave: 0,
  },
  SchedulerPlugin: {
    apiVersion: OWN_API_VERSION,
    plural: 'schedulerplugins',
    shortNames: [],
    namespaced: false,
    manifest: SchedulerPluginManifest,
    wave: 0,
  },
  Event: { apiVersion: 'v1', plural: 'events', shortNames: ['ev'], namespaced: true, wave: 4 },
};

export { isKind } from './kind-names.ts';

/** Finds a kind by its name, plural or short name, in any case (`deploy`, `Pods`). */
export function findKind(word: string): Kind | undefined {
  const wanted = word.toLowerCase();
  return (Object.keys(KINDS) as Kind[]).find((kind) => {
    const info = KINDS[kind];
    return kind.toLowerCase() === wanted || info.plural === wanted || info.shortNames.includes(wanted);
  });
}
