/** One object of each kind, as small as it can be with every part that a facet looks at. */
import {
  ConfigMapManifest,
  CustomResourceDefinitionManifest,
  DeschedulerPolicyManifest,
  KubeSchedulerConfigurationManifest,
  LimitRangeManifest,
  NamespaceManifest,
  OWN_API_VERSION,
  PodDisruptionBudgetManifest,
  PodGroupManifest,
  PriorityClassManifest,
  ReplicaSetManifest,
  ResourceQuotaManifest,
  SchedulerPluginManifest,
  SecretManifest,
  ServiceAccountManifest,
  type Kind,
  type ObjectsByKind,
} from '../../../contracts/objects/index.ts';
import { cluster, deployment, machine, node, pod, running, service, TIME } from '../controllers/objects.ts';

const scoped = { name: 'web', namespace: 'default' };
const PODS = { replicas: 3, readyReplicas: 3, availableReplicas: 3 };

export const EXAMPLES: { readonly [K in Kind]: ObjectsByKind[K] } = {
  Pod: running(pod('web', { nodeName: 'n1' }), true, TIME, '10.244.0.5'),
  Deployment: { ...deployment(), status: { ...PODS, updatedReplicas: 3, unavailableReplicas: 0 } },
  ReplicaSet: {
    ...ReplicaSetManifest.parse({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: scoped,
      spec: { replicas: 3, selector: deployment().spec.selector, template: deployment().spec.template },
    }),
    status: { ...PODS, fullyLabeledReplicas: 3 },
  },
  ControllerRevision: {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: scoped,
    data: { spec: { template: { ...deployment().spec.template, $patch: 'replace' } } },
    revision: 1,
  },
  Service: service('web'),
  CustomResourceDefinition: {
    ...CustomResourceDefinitionManifest.parse({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        names: { plural: 'widgets', kind: 'Widget' },
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    }),
    status: {
      conditions: [{ type: 'Established', status: 'True' }],
      acceptedNames: { plural: 'widgets', kind: 'Widget' },
      storedVersions: ['v1'],
    },
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: scoped,
    addressType: 'IPv4',
    ports: [],
    endpoints: [],
  },
  ConfigMap: ConfigMapManifest.parse({ apiVersion: 'v1', kind: 'ConfigMap', metadata: scoped, immutable: true }),
  Secret: SecretManifest.parse({ apiVersion: 'v1', kind: 'Secret', metadata: scoped, immutable: true }),
  ServiceAccount: ServiceAccountManifest.parse({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: scoped }),
  ResourceQuota: ResourceQuotaManifest.parse({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: scoped,
    spec: { hard: { services: 5 } },
  }),
  LimitRange: LimitRangeManifest.parse({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: scoped,
    spec: { limits: [{ type: 'Container', default: { cpu: '1' } }] },
  }),
  PodDisruptionBudget: PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: scoped,
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  }),
  PodGroup: PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: scoped,
    spec: { minMember: 3 },
  }),
  Namespace: NamespaceManifest.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }),
  Node: node('n1'),
  Machine: machine('n1'),
  Cluster: cluster(),
  Source: {
    apiVersion: OWN_API_VERSION,
    kind: 'Source',
    metadata: { name: 'fleet' },
    spec: { url: '/fleet.git', branch: 'main' },
  },
  PriorityClass: PriorityClassManifest.parse({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'high' },
    value: 10,
  }),
  KubeSchedulerConfiguration: KubeSchedulerConfigurationManifest.parse({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
  }),
  DeschedulerPolicy: DeschedulerPolicyManifest.parse({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    profiles: [{ name: 'p' }],
  }),
  SchedulerPlugin: SchedulerPluginManifest.parse({
    apiVersion: OWN_API_VERSION,
    kind: 'SchedulerPlugin',
    metadata: { name: 'near' },
    spec: { score: { expression: '1' } },
  }),
  Event: {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: scoped,
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    type: 'Normal',
    reason: 'Started',
    message: 'started',
    source: { component: 'agent' },
    firstTimestamp: TIME,
    lastTimestamp: TIME,
    count: 1,
  },
};
