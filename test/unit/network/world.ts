/** Small makers of the objects that the network is decided from, and an assignment that a test can move. */
import {
  ClusterManifest,
  keyOf,
  kindOfKey,
  objectKey,
  OWN_API_VERSION,
  PodManifest,
  ServiceManifest,
  type Cluster,
  type Endpoint,
  type EndpointSlice,
  type Kind,
  type KubeObject,
  type Node,
  type ObjectKey,
  type ObjectAt,
  type ObjectsByKind,
  type Pod,
  type Service,
} from '../../../contracts/objects/index.ts';
import type { AssignmentSource, AssignmentView } from '../../../nodeagent/core/assignment.ts';
import { planChange, touchedByAll, type Scope } from '../../../nodeagent/core/data-plane/assemble.ts';
import type { ServicePlan } from '../../../nodeagent/core/data-plane/plan.ts';
import type { LocalPod, LocalPodSource } from '../../../nodeagent/core/local-pods.ts';

export interface PortSpec {
  name?: string;
  protocol?: 'TCP' | 'UDP' | 'SCTP';
  port: number;
  targetPort?: number;
  nodePort?: number;
}

export function service(
  name: string,
  clusterIP: string,
  ports: readonly PortSpec[],
  extra: Record<string, unknown> = {},
): Service {
  const type = ports.some((p) => p.nodePort !== undefined) ? 'NodePort' : 'ClusterIP';
  return ServiceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type, clusterIP, ports: [...ports], ...extra },
  });
}

export function endpoint(address: string, state: 'ready' | 'unready' | 'terminating' = 'ready'): Endpoint {
  return {
    addresses: [address],
    conditions: { ready: state === 'ready', serving: state !== 'unready', terminating: state === 'terminating' },
  };
}

/** A pod of the namespace `default`; its uid is its name. */
export function pod(
  name: string,
  ports: readonly Record<string, unknown>[] = [],
  more: Record<string, unknown> = {},
): Pod {
  const { metadata, ...manifest } = PodManifest.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i:1', ports }], ...more },
  });
  return { ...manifest, metadata: { ...metadata, uid: name } };
}

/** The endpoint of a pod that is on `node`. */
export function podEndpoint(
  of: Pod,
  node: string,
  address: string,
  state: 'ready' | 'unready' | 'terminating' = 'ready',
): Endpoint {
  const { name, uid = '' } = of.metadata;
  return { ...endpoint(address, state), nodeName: node, targetRef: { kind: 'Pod', namespace: 'default', name, uid } };
}

/** What a node sees of its pods, moved by the test. */
export class TestLocalPods implements LocalPodSource {
  private readonly pods = new Map<string, LocalPod>();
  private readonly listeners = new Set<(changed: readonly ObjectKey<'Pod'>[]) => void>();

  get(uid: string): LocalPod | undefined {
    return this.pods.get(uid);
  }

  onChange(listener: (changed: readonly ObjectKey<'Pod'>[]) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Undefined: nothing of it is left. */
  see(of: Pod, address: string | undefined, ready = address !== undefined): void {
    this.pods.set(of.metadata.uid ?? '', { address, ready, over: address === undefined });
    for (const listener of this.listeners)
      listener([objectKey('Pod', of.metadata.namespace ?? 'default', of.metadata.name)]);
  }
}

export function slice(of: Service, endpoints: readonly Endpoint[], suffix = 'a', targetPort = 8080): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: {
      name: `${of.metadata.name}-${suffix}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': of.metadata.name },
    },
    endpoints,
    ports: of.spec.ports.map((p) => ({
      name: p.name ?? '',
      protocol: p.protocol,
      port: typeof p.targetPort === 'number' && p.targetPort !== p.port ? p.targetPort : targetPort,
    })),
  };
}

export function node(name: string, address: string | undefined, podCIDR: string | undefined): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: podCIDR === undefined ? {} : { podCIDR },
    status: { addresses: address === undefined ? [] : [{ type: 'InternalIP', address }] },
  };
}

export function cluster(network: Record<string, unknown> = {}): Cluster {
  return ClusterManifest.parse({
    apiVersion: OWN_API_VERSION,
    kind: 'Cluster',
    metadata: { name: 'lab' },
    spec: { network: { podCIDR: '198.19.0.0/17', serviceCIDR: '198.19.128.0/17', ...network } },
  });
}

/** An assignment that lives in the test. Every `set` or `remove` is one move to a new version. */
export class TestAssignment implements AssignmentSource {
  private objects = new Map<ObjectKey, KubeObject>();
  private listeners = new Set<(changed: readonly ObjectKey[]) => void>();
  private version = 0;
  readonly node: string;

  constructor(name: string, objects: readonly KubeObject[] = []) {
    this.node = name;
    if (objects.length > 0) this.set(...objects);
  }

  set(...objects: readonly KubeObject[]): string {
    this.objects = new Map([...this.objects, ...objects.map((o) => [keyOf(o), o] as const)]);
    return this.moved(objects.map(keyOf));
  }

  remove(...keys: readonly ObjectKey[]): string {
    this.objects = new Map([...this.objects].filter(([key]) => !keys.includes(key)));
    return this.moved(keys);
  }

  current(): AssignmentView {
    const { objects } = this;
    return {
      version: this.version === 0 ? null : String(this.version),
      node: this.node,
      get: <Key extends ObjectKey>(key: Key) => objects.get(key) as ObjectAt<Key> | undefined,
      list: <K extends Kind>(kind: K) =>
        [...objects]
          .filter(([key]) => kindOfKey(key) === kind)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, o]) => o as ObjectsByKind[K]),
    };
  }

  onChange(listener: (changed: readonly ObjectKey[]) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  private moved(keys: readonly ObjectKey[]): string {
    this.version += 1;
    for (const listener of this.listeners) listener(keys);
    return String(this.version);
  }
}

/** Everything of the view, as after a start. */
export function wholePlan(scope: Scope): ServicePlan {
  const { policy, forwardings } = planChange(scope, touchedByAll(scope, []));
  if (policy === undefined) throw new Error('a whole plan has a policy');
  return { policy, forwardings };
}
