/**
 * Nodes and pods of the workloads. The specs are those of Kubernetes' test/integration/scheduler_perf/templates; what
 * they leave to the API server (labels of a node, the numeric priority of a pod) is given as this cluster gives it.
 */
import {
  HOSTNAME_LABEL,
  PodManifest,
  ServiceManifest,
  ZONE_LABEL,
  type Node,
  type PriorityClass,
  type StoredPod,
  type StoredService,
} from '../../contracts/objects/index.ts';

const TIME = '2026-01-01T00:00:00Z';
const PAUSE = 'registry.k8s.io/pause:3.10';

let made = 0;
function meta(namespace: string | undefined, name: string): StoredPod['metadata'] {
  made += 1;
  return {
    ...(namespace !== undefined && { namespace }),
    name,
    uid: `uid-${made}`,
    resourceVersion: String(made),
    generation: 1,
    creationTimestamp: TIME,
  };
}

/** node-default.yaml. */
export function makeNode(name: string, zone: string | undefined, pods = '110'): Node {
  const amounts = { cpu: '4', memory: '32Gi', pods };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { [HOSTNAME_LABEL]: name, ...(zone !== undefined && { [ZONE_LABEL]: zone }) } },
    spec: {},
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: TIME }],
    },
  };
}

/** Nodes in the zones by turns. */
export function makeNodes(count: number, zones: readonly string[] = []): Node[] {
  return Array.from({ length: count }, (_, i) =>
    makeNode(`scheduler-perf-${String(i).padStart(5, '0')}`, zones[i % zones.length]),
  );
}

/** What a template says of its pods. */
export interface Template {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpu?: string;
  readonly memory?: string;
  /** Uid of the ReplicaSet that owns the pods. */
  readonly owner?: string;
  /** The rest of the pod's spec. */
  readonly spec?: object;
}

/** Pods as they come from the store: none shares a part with another. */
export function makePods(count: number, template: Template, nodeOf?: (index: number) => string): StoredPod[] {
  const { name, namespace = 'default', labels, cpu, memory, owner, spec } = template;
  const asked = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
  const text = JSON.stringify(
    PodManifest.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        containers: [
          {
            name: 'pause',
            image: PAUSE,
            ports: [{ containerPort: 80 }],
            ...(Object.keys(asked).length > 0 && { resources: { requests: asked } }),
          },
        ],
        ...spec,
      },
    }).spec,
  );
  return Array.from({ length: count }, (_, i): StoredPod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...meta(namespace, `${name}-${String(i).padStart(5, '0')}`),
      ...(labels && { labels: { ...labels } }),
      ...(owner !== undefined && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
      }),
    },
    spec: { ...(JSON.parse(text) as StoredPod['spec']), ...(nodeOf && { nodeName: nodeOf(i) }) },
    status: { phase: nodeOf ? 'Running' : 'Pending' },
  }));
}

/** service.yaml, for the pods with the labels. */
export function makeService(namespace: string, name: string, selector: Record<string, string>): StoredService {
  const { spec } = ServiceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector, ports: [{ port: 80 }] },
  });
  return { apiVersion: 'v1', kind: 'Service', metadata: meta(namespace, name), spec };
}

export const HIGH: PriorityClass = {
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: 'high' },
  value: 10,
  globalDefault: false,
  preemptionPolicy: 'PreemptLowerPriority',
};

/** pod-default.yaml. */
export const DEFAULT_POD: Template = { name: 'pod', cpu: '100m', memory: '500Mi' };

/** daemonset-pod.yaml: all pods go to one node by name. */
export function daemonSetPod(node: string): Template {
  return {
    name: 'daemonset',
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
          },
        },
      },
    },
  };
}

/** pod-with-topology-spreading.yaml and pod-with-preferred-topology-spreading.yaml. */
export function spreadingPod(whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway'): Template {
  const labels = { color: 'blue' };
  return {
    ...DEFAULT_POD,
    name: 'spreading-pod',
    labels,
    spec: {
      topologySpreadConstraints: [
        { maxSkew: 5, topologyKey: ZONE_LABEL, whenUnsatisfiable, labelSelector: { matchLabels: labels } },
      ],
    },
  };
}

const BOTH_NAMESPACES = ['sched-1', 'sched-0'];

/** pod-with-pod-affinity.yaml (zone) and pod-with-pod-anti-affinity.yaml (host). */
export function affinePod(
  direction: 'podAffinity' | 'podAntiAffinity',
  topologyKey: string,
  color: string,
  namespace: string,
): Template {
  const labels = { color };
  return {
    ...DEFAULT_POD,
    name: 'affinity-pod',
    namespace,
    labels,
    spec: {
      affinity: {
        [direction]: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: labels }, topologyKey, namespaces: BOTH_NAMESPACES },
          ],
        },
      },
    },
  };
}

/** pod-with-preferred-pod-affinity.yaml and pod-with-preferred-pod-anti-affinity.yaml. */
export function attractedPod(direction: 'podAffinity' | 'podAntiAffinity', color: string, namespace: string): Template {
  const labels = { color };
  const podAffinityTerm = {
    labelSelector: { matchLabels: labels },
    topologyKey: HOSTNAME_LABEL,
    namespaces: BOTH_NAMESPACES,
  };
  return {
    ...DEFAULT_POD,
    name: 'preferred-pod',
    namespace,
    labels,
    spec: {
      affinity: { [direction]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm }] } },
    },
  };
}

/** pod-low-priority.yaml: four of them leave 0.4 cores of a node. */
export const LOW_PRIORITY_POD: Template = {
  name: 'low',
  cpu: '900m',
  memory: '500Mi',
  spec: { terminationGracePeriodSeconds: 0 },
};
/** pod-high-priority.yaml: needs the room of three low ones. */
export const HIGH_PRIORITY_POD: Template = {
  name: 'high',
  cpu: '3',
  memory: '500Mi',
  spec: { priorityClassName: 'high' },
};
/** pod-high-priority-large-cpu.yaml: more than any node has. */
export const LARGE_POD: Template = { name: 'large', cpu: '9', memory: '500Mi', spec: { priorityClassName: 'high' } };
