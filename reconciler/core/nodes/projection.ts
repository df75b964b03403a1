/** What of an object a node needs, and which other objects come with it. */
import {
  objectKey,
  type Kind,
  type KubeObject,
  type Node,
  type ObjectKey,
  type Pod,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { canonicalJson } from '../storage/canonical-json.ts';

/** Kinds that every node holds. */
const SHARED_KINDS: ReadonlySet<Kind> = new Set<Kind>(['Service', 'EndpointSlice', 'Node', 'Cluster', 'Source']);
/** Kinds that a node holds when a pod of its own leads to them. */
const FOLLOWED_KINDS: ReadonlySet<Kind> = new Set<Kind>(['Pod', 'ConfigMap', 'Secret']);

export type Reach = 'shared' | 'followed' | 'none';

export function reachOf(kind: Kind): Reach {
  if (SHARED_KINDS.has(kind)) return 'shared';
  return FOLLOWED_KINDS.has(kind) ? 'followed' : 'none';
}

/**
 * The object as a node gets it. Keeps uid, labels, annotations, owners and times, so that a pod can be followed again;
 * keeps the resourceVersion, which is no part of {@link projectionText}.
 */
export function project(object: Stored): KubeObject {
  switch (object.kind) {
    case 'Node':
      return projectNode(object);
    case 'Source':
      return {
        apiVersion: object.apiVersion,
        kind: object.kind,
        metadata: object.metadata,
        spec: object.spec,
        ...(object.status?.appliedRevision !== undefined && {
          status: { appliedRevision: object.status.appliedRevision, history: [] },
        }),
      };
    case 'Pod':
    case 'Service': {
      const { status: _status, ...rest } = object;
      return rest;
    }
    default:
      return object;
  }
}

/**
 * Routes need a node's pod range and address. Its owner is a Machine, which is read from Git again after a recovery.
 */
function projectNode(node: Stored<Node>): Node {
  const { name, uid, resourceVersion, creationTimestamp } = node.metadata;
  return {
    apiVersion: node.apiVersion,
    kind: node.kind,
    metadata: { name, uid, resourceVersion, creationTimestamp },
    spec: node.spec.podCIDR === undefined ? {} : { podCIDR: node.spec.podCIDR },
    ...(node.status?.addresses && { status: { addresses: node.status.addresses } }),
  };
}

/** A node's own Node: also what its agent holds new pods against. */
export function projectOwnNode(node: Stored<Node>): Node {
  const { metadata, spec, ...rest } = projectNode(node);
  const { labels } = node.metadata;
  const status = { ...rest.status, ...(node.status?.allocatable && { allocatable: node.status.allocatable }) };
  return {
    ...rest,
    metadata: { ...metadata, ...(labels && { labels }) },
    spec: { ...spec, ...(node.spec.taints && { taints: node.spec.taints }) },
    status,
  };
}

/** Equal for objects that are the same to a node. The generation moves with the spec, which is in it. */
export function projectionText(projected: KubeObject): string {
  const { resourceVersion: _version, generation: _generation, ...metadata } = projected.metadata;
  return canonicalJson({ ...projected, metadata });
}

/** Keys that a node needs because it needs this object. */
export function referencesOf(object: KubeObject): readonly ObjectKey[] {
  switch (object.kind) {
    case 'Pod':
      return podReferences(object);
    default:
      return [];
  }
}

function podReferences(pod: Pod): readonly ObjectKey[] {
  const { namespace } = pod.metadata;
  const keys = new Set<ObjectKey>();
  const configMap = (name: string | undefined): void => {
    if (name !== undefined) keys.add(objectKey('ConfigMap', namespace, name));
  };
  const secret = (name: string | undefined): void => {
    if (name !== undefined) keys.add(objectKey('Secret', namespace, name));
  };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const { valueFrom } of container.env ?? []) {
      configMap(valueFrom?.configMapKeyRef?.name);
      secret(valueFrom?.secretKeyRef?.name);
    }
    for (const from of container.envFrom ?? []) {
      configMap(from.configMapRef?.name);
      secret(from.secretRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    configMap(volume.configMap?.name);
    secret(volume.secret?.secretName);
  }
  return [...keys];
}
