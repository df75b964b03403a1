/** The kinds' objects and schemas: what the manifest reader, the API and the CLI share. Their names are in identity.ts. */
import type { z } from 'zod';
import { AppManifest, type App } from './app.ts';
import { AppSetManifest, type AppSet } from './app-set.ts';
import { HorizontalPodAutoscalerManifest, type HorizontalPodAutoscaler } from './autoscaling.ts';
import type { Certificate, Challenge, ClusterIssuer, Issuer, Order } from './certificates.ts';
import { CertificateManifest, ClusterIssuerManifest, IssuerManifest } from './certificates.ts';
import { NetworkPolicyManifest, type NetworkPolicy, type PeerSlice } from './network-policy.ts';
import type { ConfigMap, Namespace, Secret, ServiceAccount } from './config.ts';
import { ConfigMapManifest, NamespaceManifest, SecretManifest, ServiceAccountManifest } from './config.ts';
import type { ControllerRevision } from './controller-revision.ts';
import { CustomResourceDefinitionManifest, type CustomResourceDefinition } from './custom-resources.ts';
import { CronJobManifest, type CronJob } from './cronjob.ts';
import { DaemonSetManifest, type DaemonSet } from './daemonset.ts';
import { EndpointsManifest, EndpointSliceManifest, type Endpoints } from './endpoints.ts';
import type { Event } from './events.ts';
import { BackendTLSPolicyManifest, type BackendTLSPolicy } from './backend-tls-policy.ts';
import type { Gateway, GatewayClass, ReferenceGrant } from './gateway.ts';
import {
  BGPAdvertisementManifest,
  BGPPeerManifest,
  CommunityManifest,
  type BGPAdvertisement,
  type BGPPeer,
  type Community,
} from './bgp.ts';
import { GatewayClassManifest, GatewayManifest, ReferenceGrantManifest } from './gateway.ts';
import { IDENTITIES, type Kind, type KindIdentity } from './identity.ts';
import { IngressClassManifest, IngressManifest, type Ingress, type IngressClass } from './ingress.ts';
import { LeaseManifest, type Lease } from './lease.ts';
import { LimitRangeManifest, type LimitRange } from './limit-range.ts';
import {
  IPAddressPoolManifest,
  L2AdvertisementManifest,
  type IPAddressPool,
  type L2Advertisement,
} from './load-balancers.ts';
import { JobManifest, type Job } from './job.ts';
import { FILE_OBJECT_NAME, type StoredMeta } from './meta.ts';
import type { Node } from './nodes.ts';
import type { Cluster, Machine, Source } from './own.ts';
import { ClusterManifest, MachineManifest } from './own.ts';
import type { Pod } from './pod.ts';
import { PodManifest } from './pod.ts';
import type { ProxyConfig } from './proxy-config.ts';
import { ResourceQuotaManifest, type ResourceQuota } from './resource-quota.ts';
import type { GRPCRoute, HTTPRoute, TCPRoute, TLSRoute } from './routes.ts';
import { GRPCRouteManifest, HTTPRouteManifest, TCPRouteManifest, TLSRouteManifest } from './routes.ts';
import { RuntimeClassManifest, type RuntimeClass } from './runtime-class.ts';
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
import type { PersistentVolume, PersistentVolumeClaim } from './storage.ts';
import { PersistentVolumeClaimManifest, PersistentVolumeManifest } from './storage.ts';
import { StorageClassManifest, type StorageClass } from './storage-class.ts';
import { StatefulSetManifest, type StatefulSet } from './statefulset.ts';
import type { Deployment, PodTemplate, ReplicaSet, ReplicationController } from './workloads.ts';
import {
  DeploymentManifest,
  PodTemplateManifest,
  ReplicaSetManifest,
  ReplicationControllerManifest,
} from './workloads.ts';

export interface ObjectsByKind {
  Cluster: Cluster;
  Machine: Machine;
  App: App;
  AppSet: AppSet;
  Source: Source;
  Namespace: Namespace;
  CustomResourceDefinition: CustomResourceDefinition;
  Node: Node;
  ConfigMap: ConfigMap;
  Secret: Secret;
  Service: Service;
  IPAddressPool: IPAddressPool;
  L2Advertisement: L2Advertisement;
  BGPPeer: BGPPeer;
  BGPAdvertisement: BGPAdvertisement;
  Community: Community;
  EndpointSlice: EndpointSlice;
  NetworkPolicy: NetworkPolicy;
  PeerSlice: PeerSlice;
  Endpoints: Endpoints;
  Deployment: Deployment;
  ReplicaSet: ReplicaSet;
  ReplicationController: ReplicationController;
  DaemonSet: DaemonSet;
  ControllerRevision: ControllerRevision;
  StatefulSet: StatefulSet;
  Job: Job;
  CronJob: CronJob;
  HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  Pod: Pod;
  PodTemplate: PodTemplate;
  Event: Event;
  RuntimeClass: RuntimeClass;
  PriorityClass: PriorityClass;
  PodDisruptionBudget: PodDisruptionBudget;
  PodGroup: PodGroup;
  KubeSchedulerConfiguration: KubeSchedulerConfiguration;
  DeschedulerPolicy: DeschedulerPolicy;
  SchedulerPlugin: SchedulerPlugin;
  ServiceAccount: ServiceAccount;
  ResourceQuota: ResourceQuota;
  LimitRange: LimitRange;
  Lease: Lease;
  StorageClass: StorageClass;
  PersistentVolume: PersistentVolume;
  PersistentVolumeClaim: PersistentVolumeClaim;
  ProxyConfig: ProxyConfig;
  Ingress: Ingress;
  IngressClass: IngressClass;
  GatewayClass: GatewayClass;
  Gateway: Gateway;
  HTTPRoute: HTTPRoute;
  GRPCRoute: GRPCRoute;
  TLSRoute: TLSRoute;
  TCPRoute: TCPRoute;
  ReferenceGrant: ReferenceGrant;
  BackendTLSPolicy: BackendTLSPolicy;
  ClusterIssuer: ClusterIssuer;
  Issuer: Issuer;
  Certificate: Certificate;
  Order: Order;
  Challenge: Challenge;
}
export type KubeObject = ObjectsByKind[Kind];
/** An object that the store has accepted: uid, resourceVersion, generation and creationTimestamp are there. */
export type Stored<T extends KubeObject = KubeObject> = T & { readonly metadata: StoredMeta };
export type StoredOf<K extends Kind> = Stored<ObjectsByKind[K]>;

export interface KindInfo extends KindIdentity {
  /** Schema of the manifest form, where the kind may be written in Git. Parsing fills defaults. */
  readonly manifest?: z.ZodType;
  /**
   * Other versions of its group that a manifest may name: what they have is read as the kind's own version. Where their
   * fields are others, reconciler/core/manifests/older-versions.ts says which they are.
   */
  readonly alsoReads?: readonly string[];
  /**
   * Name of an object whose manifest says none: the kind is a file of settings in Kubernetes. Such kinds have one
   * object at most.
   */
  readonly defaultName?: string;
}

export const KINDS: { readonly [K in Kind]: KindInfo & { readonly apiVersion: ObjectsByKind[K]['apiVersion'] } } = {
  Cluster: { ...IDENTITIES.Cluster, manifest: ClusterManifest },
  Machine: { ...IDENTITIES.Machine, manifest: MachineManifest },
  App: { ...IDENTITIES.App, manifest: AppManifest },
  AppSet: { ...IDENTITIES.AppSet, manifest: AppSetManifest },
  Source: { ...IDENTITIES.Source },
  Namespace: { ...IDENTITIES.Namespace, manifest: NamespaceManifest },
  CustomResourceDefinition: {
    ...IDENTITIES.CustomResourceDefinition,
    manifest: CustomResourceDefinitionManifest,
  },
  Node: { ...IDENTITIES.Node },
  ConfigMap: { ...IDENTITIES.ConfigMap, manifest: ConfigMapManifest },
  Secret: { ...IDENTITIES.Secret, manifest: SecretManifest },
  ServiceAccount: { ...IDENTITIES.ServiceAccount, manifest: ServiceAccountManifest },
  ResourceQuota: { ...IDENTITIES.ResourceQuota, manifest: ResourceQuotaManifest },
  LimitRange: { ...IDENTITIES.LimitRange, manifest: LimitRangeManifest },
  Lease: { ...IDENTITIES.Lease, manifest: LeaseManifest },
  StorageClass: { ...IDENTITIES.StorageClass, manifest: StorageClassManifest },
  PersistentVolume: { ...IDENTITIES.PersistentVolume, manifest: PersistentVolumeManifest },
  PersistentVolumeClaim: { ...IDENTITIES.PersistentVolumeClaim, manifest: PersistentVolumeClaimManifest },
  Service: { ...IDENTITIES.Service, manifest: ServiceManifest },
  IPAddressPool: { ...IDENTITIES.IPAddressPool, manifest: IPAddressPoolManifest },
  L2Advertisement: { ...IDENTITIES.L2Advertisement, manifest: L2AdvertisementManifest },
  BGPPeer: { ...IDENTITIES.BGPPeer, manifest: BGPPeerManifest },
  BGPAdvertisement: { ...IDENTITIES.BGPAdvertisement, manifest: BGPAdvertisementManifest },
  Community: { ...IDENTITIES.Community, manifest: CommunityManifest },
  NetworkPolicy: { ...IDENTITIES.NetworkPolicy, manifest: NetworkPolicyManifest },
  PeerSlice: { ...IDENTITIES.PeerSlice },
  EndpointSlice: { ...IDENTITIES.EndpointSlice, manifest: EndpointSliceManifest },
  Endpoints: { ...IDENTITIES.Endpoints, manifest: EndpointsManifest },
  Deployment: { ...IDENTITIES.Deployment, manifest: DeploymentManifest },
  ReplicaSet: { ...IDENTITIES.ReplicaSet, manifest: ReplicaSetManifest },
  ReplicationController: { ...IDENTITIES.ReplicationController, manifest: ReplicationControllerManifest },
  DaemonSet: { ...IDENTITIES.DaemonSet, manifest: DaemonSetManifest },
  ControllerRevision: { ...IDENTITIES.ControllerRevision },
  StatefulSet: { ...IDENTITIES.StatefulSet, manifest: StatefulSetManifest },
  Job: { ...IDENTITIES.Job, manifest: JobManifest },
  CronJob: { ...IDENTITIES.CronJob, manifest: CronJobManifest },
  HorizontalPodAutoscaler: {
    ...IDENTITIES.HorizontalPodAutoscaler,
    manifest: HorizontalPodAutoscalerManifest,
    alsoReads: ['v1'],
  },
  Pod: { ...IDENTITIES.Pod, manifest: PodManifest },
  PodTemplate: { ...IDENTITIES.PodTemplate, manifest: PodTemplateManifest },
  RuntimeClass: { ...IDENTITIES.RuntimeClass, manifest: RuntimeClassManifest },
  PriorityClass: { ...IDENTITIES.PriorityClass, manifest: PriorityClassManifest },
  PodDisruptionBudget: { ...IDENTITIES.PodDisruptionBudget, manifest: PodDisruptionBudgetManifest },
  PodGroup: { ...IDENTITIES.PodGroup, manifest: PodGroupManifest },
  KubeSchedulerConfiguration: {
    ...IDENTITIES.KubeSchedulerConfiguration,
    manifest: KubeSchedulerConfigurationManifest,
    defaultName: FILE_OBJECT_NAME,
  },
  DeschedulerPolicy: {
    ...IDENTITIES.DeschedulerPolicy,
    manifest: DeschedulerPolicyManifest,
    defaultName: FILE_OBJECT_NAME,
  },
  SchedulerPlugin: { ...IDENTITIES.SchedulerPlugin, manifest: SchedulerPluginManifest },
  Event: { ...IDENTITIES.Event },
  ProxyConfig: { ...IDENTITIES.ProxyConfig },
  Ingress: { ...IDENTITIES.Ingress, manifest: IngressManifest },
  IngressClass: { ...IDENTITIES.IngressClass, manifest: IngressClassManifest },
  GatewayClass: { ...IDENTITIES.GatewayClass, manifest: GatewayClassManifest, alsoReads: ['v1beta1'] },
  Gateway: { ...IDENTITIES.Gateway, manifest: GatewayManifest, alsoReads: ['v1beta1'] },
  HTTPRoute: { ...IDENTITIES.HTTPRoute, manifest: HTTPRouteManifest, alsoReads: ['v1beta1'] },
  GRPCRoute: { ...IDENTITIES.GRPCRoute, manifest: GRPCRouteManifest, alsoReads: ['v1alpha2'] },
  TLSRoute: { ...IDENTITIES.TLSRoute, manifest: TLSRouteManifest, alsoReads: ['v1alpha2', 'v1alpha3'] },
  TCPRoute: { ...IDENTITIES.TCPRoute, manifest: TCPRouteManifest, alsoReads: ['v1'] },
  ReferenceGrant: {
    ...IDENTITIES.ReferenceGrant,
    manifest: ReferenceGrantManifest,
    alsoReads: ['v1', 'v1alpha2'],
  },
  BackendTLSPolicy: { ...IDENTITIES.BackendTLSPolicy, manifest: BackendTLSPolicyManifest, alsoReads: ['v1alpha3'] },
  ClusterIssuer: { ...IDENTITIES.ClusterIssuer, manifest: ClusterIssuerManifest },
  Issuer: { ...IDENTITIES.Issuer, manifest: IssuerManifest },
  Certificate: { ...IDENTITIES.Certificate, manifest: CertificateManifest },
  Order: { ...IDENTITIES.Order },
  Challenge: { ...IDENTITIES.Challenge },
};
