/** Endpoints of a Service. Source: Kubernetes documentation, "EndpointSlices: Conditions". */
import {
  objectKey,
  SERVICE_NAME_LABEL,
  type Endpoint,
  type EndpointSlice,
  type ServicePort,
  type StoredEndpointSlice,
  type StoredPod,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { compareText, controllerRef } from '../workloads/owners.ts';
import { isFinished, isReady, isTerminating } from '../workloads/pod-state.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { nameHash } from '../workloads/stable-hash.ts';

const MANAGED_BY = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' };
const HASH_LENGTH = 5;

type SlicePort = EndpointSlice['ports'][number];

function resolve(port: ServicePort, pod: StoredPod): SlicePort | undefined {
  const name = port.name ?? '';
  if (typeof port.targetPort === 'number') return { name, port: port.targetPort, protocol: port.protocol };
  const named = pod.spec.containers
    .flatMap((c) => c.ports ?? [])
    .find((p) => p.name === port.targetPort && p.protocol === port.protocol);
  return named && { name, port: named.containerPort, protocol: port.protocol };
}

function endpointOf(pod: StoredPod, ip: string, publishNotReady: boolean): Endpoint {
  const terminating = isTerminating(pod);
  const serving = publishNotReady || isReady(pod);
  return {
    addresses: [ip],
    conditions: { ready: publishNotReady || (serving && !terminating), serving, terminating },
    ...(pod.spec.nodeName !== undefined && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace: pod.metadata.namespace ?? '', name: pod.metadata.name, uid: pod.metadata.uid },
  };
}

/**
 * The slices of a Service over the pods that its selector matches: one for each way in which named target ports
 * resolve, in practice one. A Service without a selector has none; one without endpoints has one empty slice. Finished
 * pods and pods without an address are left out. Order is by pod name.
 */
export function endpointSlices(service: StoredService, pods: readonly StoredPod[]): readonly EndpointSlice[] {
  if (service.spec.selector === undefined || Object.keys(service.spec.selector).length === 0) return [];
  const groups = new Map<string, { ports: readonly SlicePort[]; endpoints: Endpoint[] }>();
  for (const pod of [...pods].sort((a, b) => compareText(a.metadata.name, b.metadata.name))) {
    const ip = pod.status?.podIP;
    if (ip === undefined || isFinished(pod)) continue;
    const ports = service.spec.ports.map((port) => resolve(port, pod)).filter((port) => port !== undefined);
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(pod, ip, service.spec.publishNotReadyAddresses));
  }
  if (groups.size === 0) {
    const ports = service.spec.ports
      .filter((port) => typeof port.targetPort === 'number')
      .map((port): SlicePort => ({ name: port.name ?? '', port: Number(port.targetPort), protocol: port.protocol }));
    groups.set(canonicalJson(ports), { ports, endpoints: [] });
  }
  const { name, namespace } = service.metadata;
  const single = groups.size === 1;
  return [...groups]
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, { ports, endpoints }]) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${nameHash(single ? `${namespace ?? ''}/${name}` : `${namespace ?? ''}/${name} ${key}`, HASH_LENGTH)}`,
        ...(namespace !== undefined && { namespace }),
        labels: { ...MANAGED_BY, [SERVICE_NAME_LABEL]: name },
        ownerReferences: [controllerRef(service)],
      },
      addressType: 'IPv4',
      endpoints,
      ports,
    }));
}

/** Steps from the slices that are there to those that should be. */
export function sliceSteps(wanted: readonly EndpointSlice[], present: readonly StoredEndpointSlice[]): readonly Step[] {
  const steps: Step[] = [];
  const left = new Map(present.map((slice) => [slice.metadata.name, slice]));
  for (const slice of wanted) {
    const before = left.get(slice.metadata.name);
    left.delete(slice.metadata.name);
    if (!before) {
      steps.push({ do: 'create', object: slice });
      continue;
    }
    const after: StoredEndpointSlice = {
      ...slice,
      metadata: {
        ...before.metadata,
        labels: { ...before.metadata.labels, ...slice.metadata.labels },
        ownerReferences: slice.metadata.ownerReferences,
      },
    };
    if (canonicalJson(after) !== canonicalJson(before)) steps.push({ do: 'update', object: after });
  }
  for (const slice of left.values())
    steps.push({
      do: 'delete',
      key: objectKey('EndpointSlice', slice.metadata.namespace, slice.metadata.name),
      uid: slice.metadata.uid,
    });
  return steps;
}
