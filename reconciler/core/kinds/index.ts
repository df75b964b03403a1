/** The table of kinds: one {@link KindDescriptor} each. */
import type { Kind } from '../../../contracts/objects/index.ts';
import { BACKEND_TLS_POLICY } from './backendtlspolicy.ts';
import { APP } from './app.ts';
import { APP_SET } from './appset.ts';
import { CERTIFICATE } from './certificate.ts';
import { CHALLENGE } from './challenge.ts';
import { CLUSTER } from './cluster.ts';
import { CLUSTER_ISSUER } from './clusterissuer.ts';
import { CONFIG_MAP } from './configmap.ts';
import { CONTROLLER_REVISION } from './controllerrevision.ts';
import { CRON_JOB } from './cronjob.ts';
import { CUSTOM_RESOURCE_DEFINITION } from './customresourcedefinition.ts';
import { DAEMON_SET } from './daemonset.ts';
import { DEPLOYMENT } from './deployment.ts';
import { DESCHEDULER_POLICY } from './deschedulerpolicy.ts';
import type { KindDescriptor } from './descriptor.ts';
import { ENDPOINTS } from './endpoints.ts';
import { ENDPOINT_SLICE } from './endpointslice.ts';
import { EVENT } from './event.ts';
import { GATEWAY } from './gateway.ts';
import { GATEWAY_CLASS } from './gatewayclass.ts';
import { GRPC_ROUTE } from './grpcroute.ts';
import { HORIZONTAL_POD_AUTOSCALER } from './horizontalpodautoscaler.ts';
import { HTTP_ROUTE } from './httproute.ts';
import { INGRESS } from './ingress.ts';
import { INGRESS_CLASS } from './ingressclass.ts';
import { IP_ADDRESS_POOL } from './ipaddresspool.ts';
import { ISSUER } from './issuer.ts';
import { JOB } from './job.ts';
import { KUBE_SCHEDULER_CONFIGURATION } from './kubeschedulerconfiguration.ts';
import { BGP_ADVERTISEMENT } from './bgpadvertisement.ts';
import { BGP_PEER } from './bgppeer.ts';
import { COMMUNITY } from './community.ts';
import { L2_ADVERTISEMENT } from './l2advertisement.ts';
import { LEASE } from './lease.ts';
import { LIMIT_RANGE } from './limitrange.ts';
import { MACHINE } from './machine.ts';
import { NAMESPACE } from './namespace.ts';
import { NETWORK_POLICY } from './networkpolicy.ts';
import { NODE } from './node.ts';
import { ORDER } from './order.ts';
import { PEER_SLICE } from './peerslice.ts';
import { PERSISTENT_VOLUME } from './persistentvolume.ts';
import { PERSISTENT_VOLUME_CLAIM } from './persistentvolumeclaim.ts';
import { POD } from './pod.ts';
import { POD_TEMPLATE } from './podtemplate.ts';
import { POD_DISRUPTION_BUDGET } from './poddisruptionbudget.ts';
import { POD_GROUP } from './podgroup.ts';
import { PRIORITY_CLASS } from './priorityclass.ts';
import { PROXY_CONFIG } from './proxyconfig.ts';
import { REFERENCE_GRANT } from './referencegrant.ts';
import { REPLICA_SET } from './replicaset.ts';
import { REPLICATION_CONTROLLER } from './replicationcontroller.ts';
import { RESOURCE_QUOTA } from './resourcequota.ts';
import { RUNTIME_CLASS } from './runtimeclass.ts';
import { SCHEDULER_PLUGIN } from './schedulerplugin.ts';
import { SECRET } from './secret.ts';
import { SERVICE_ACCOUNT } from './serviceaccount.ts';
import { SERVICE } from './service.ts';
import { SOURCE } from './source.ts';
import { STORAGE_CLASS } from './storageclass.ts';
import { STATEFUL_SET } from './statefulset.ts';
import { TCP_ROUTE } from './tcproute.ts';
import { TLS_ROUTE } from './tlsroute.ts';

export type { KindDescriptor } from './descriptor.ts';

export const DESCRIPTORS: { readonly [K in Kind]: KindDescriptor<K> } = {
  Pod: POD,
  PodTemplate: POD_TEMPLATE,
  Service: SERVICE,
  Deployment: DEPLOYMENT,
  ReplicaSet: REPLICA_SET,
  ReplicationController: REPLICATION_CONTROLLER,
  DaemonSet: DAEMON_SET,
  ControllerRevision: CONTROLLER_REVISION,
  StatefulSet: STATEFUL_SET,
  Job: JOB,
  CronJob: CRON_JOB,
  HorizontalPodAutoscaler: HORIZONTAL_POD_AUTOSCALER,
  IPAddressPool: IP_ADDRESS_POOL,
  L2Advertisement: L2_ADVERTISEMENT,
  BGPPeer: BGP_PEER,
  BGPAdvertisement: BGP_ADVERTISEMENT,
  Community: COMMUNITY,
  EndpointSlice: ENDPOINT_SLICE,
  NetworkPolicy: NETWORK_POLICY,
  PeerSlice: PEER_SLICE,
  Endpoints: ENDPOINTS,
  ConfigMap: CONFIG_MAP,
  Secret: SECRET,
  ServiceAccount: SERVICE_ACCOUNT,
  ResourceQuota: RESOURCE_QUOTA,
  LimitRange: LIMIT_RANGE,
  Lease: LEASE,
  StorageClass: STORAGE_CLASS,
  PersistentVolume: PERSISTENT_VOLUME,
  PersistentVolumeClaim: PERSISTENT_VOLUME_CLAIM,
  PodDisruptionBudget: POD_DISRUPTION_BUDGET,
  PodGroup: POD_GROUP,
  Namespace: NAMESPACE,
  CustomResourceDefinition: CUSTOM_RESOURCE_DEFINITION,
  Node: NODE,
  Machine: MACHINE,
  App: APP,
  AppSet: APP_SET,
  Cluster: CLUSTER,
  Source: SOURCE,
  RuntimeClass: RUNTIME_CLASS,
  PriorityClass: PRIORITY_CLASS,
  KubeSchedulerConfiguration: KUBE_SCHEDULER_CONFIGURATION,
  DeschedulerPolicy: DESCHEDULER_POLICY,
  SchedulerPlugin: SCHEDULER_PLUGIN,
  Event: EVENT,
  ProxyConfig: PROXY_CONFIG,
  Ingress: INGRESS,
  IngressClass: INGRESS_CLASS,
  GatewayClass: GATEWAY_CLASS,
  Gateway: GATEWAY,
  HTTPRoute: HTTP_ROUTE,
  GRPCRoute: GRPC_ROUTE,
  TLSRoute: TLS_ROUTE,
  TCPRoute: TCP_ROUTE,
  ReferenceGrant: REFERENCE_GRANT,
  BackendTLSPolicy: BACKEND_TLS_POLICY,
  ClusterIssuer: CLUSTER_ISSUER,
  Issuer: ISSUER,
  Certificate: CERTIFICATE,
  Order: ORDER,
  Challenge: CHALLENGE,
};

/** The descriptor of a kind that is only known at run time: what it is asked of must be of that kind. */
export function descriptorOf(kind: Kind): KindDescriptor<Kind> {
  return DESCRIPTORS[kind];
}
