/** Objects as the store gives them, for tests of nodes. */
import type {
  EndpointSlice,
  Kind,
  KubeObject,
  ObjectsByKind,
  Stored,
  StoredOf,
} from '../../../contracts/objects/index.ts';
import { pod as podManifest, TIME } from '../controllers/objects.ts';

let version = 0;

export function stored<K extends Kind>(
  object: ObjectsByKind[K] & { readonly kind: K },
  metadata: object = {},
): StoredOf<K> {
  version += 1;
  const plain = object as KubeObject;
  return {
    ...plain,
    metadata: {
      uid: `uid-${plain.metadata.name}`,
      generation: 1,
      creationTimestamp: TIME,
      ...plain.metadata,
      resourceVersion: String(version),
      ...metadata,
    },
  } as unknown as StoredOf<K>;
}

/** Bound to a node. */
export function boundPod(
  name: string,
  nodeName: string | undefined,
  spec: object = {},
  metadata: object = {},
): StoredOf<'Pod'> {
  return stored<'Pod'>(podManifest(name, { ...(nodeName !== undefined && { nodeName }), ...spec }, metadata));
}

export function configMap(name: string, data: Record<string, string> = { a: '1' }): StoredOf<'ConfigMap'> {
  return stored<'ConfigMap'>({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data });
}

export function secret(name: string): StoredOf<'Secret'> {
  return stored<'Secret'>({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default' },
    type: 'Opaque',
    data: { a: 'MQ==' },
  });
}

export function nodeObject(name: string, podCIDR: string, heartbeat = TIME): StoredOf<'Node'> {
  return stored<'Node'>({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { zone: 'a' } },
    spec: { podCIDR },
    status: {
      addresses: [{ type: 'InternalIP', address: '198.18.0.2' }],
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: heartbeat }],
    },
  });
}

export function withStatus<T extends Stored>(object: T, status: unknown): T {
  version += 1;
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) }, status };
}

export function changed<T extends Stored>(object: T, change: object): T {
  version += 1;
  return {
    ...object,
    ...change,
    metadata: { ...object.metadata, resourceVersion: String(version), generation: object.metadata.generation + 1 },
  };
}

/** The EndpointSlice `web-1` with one pod as its endpoint. */
export function sliceOf(p: Stored, terminating: boolean): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'default' },
    addressType: 'IPv4',
    ports: [],
    endpoints: [
      {
        addresses: ['198.19.1.2'],
        conditions: { ready: !terminating, serving: true, terminating },
        targetRef: { kind: 'Pod', namespace: 'default', name: p.metadata.name, uid: p.metadata.uid },
      },
    ],
  };
}
