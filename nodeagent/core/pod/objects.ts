/** What a pod refers to, as its node knows it. */
import type {
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
  Service,
} from '../../../contracts/objects/index.ts';
import { namedKey, objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import type { AssignmentView } from '../assignment.ts';
import type { Resolved } from './resolved.ts';
import type { PodIdentity } from './runtime-types.ts';

export interface PodObjects {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  services(): readonly Service[];
  claim(name: string): PersistentVolumeClaim | undefined;
  /** Of no namespace. */
  runtimeClass(name: string): RuntimeClass | undefined;
  /** Of no namespace. */
  persistentVolume(name: string): PersistentVolume | undefined;
  /** What the node has for its pods; undefined while it is not known. */
  allocatable(): Readonly<Record<string, string>> | undefined;
}

/** What is in the pod's own namespace, and volumes. */
export function objectsFor(view: AssignmentView, namespace: string): PodObjects {
  return {
    configMap: (name) => view.get(objectKey('ConfigMap', namespace, name)),
    // A Secret whose data has not come yet (after a reboot) is as good as none.
    secret(name) {
      const secret = view.get(objectKey('Secret', namespace, name));
      return secret && 'data' in secret ? secret : undefined;
    },
    claim: (name) => view.get(objectKey('PersistentVolumeClaim', namespace, name)),
    persistentVolume: (name) => view.get(objectKey('PersistentVolume', undefined, name)),
    runtimeClass: (name) => view.get(objectKey('RuntimeClass', undefined, name)),
    allocatable: () => view.get(objectKey('Node', undefined, view.node))?.status?.allocatable,
    services: () => view.list('Service').filter((service) => service.metadata.namespace === namespace),
  };
}

export function identityOf(pod: Pod): PodIdentity {
  return { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name, uid: pod.metadata.uid ?? '' };
}

/** Keys of what a pod names. */
export function referredKeys(pod: Pod): ReadonlySet<ObjectKey> {
  const { name: podName, namespace } = pod.metadata;
  return new Set(podReferences(pod.spec, podName).map(({ kind, name }) => namedKey(kind, namespace, name)));
}

/**
 * What the runtime calls the pod's class; empty for a pod of none. It may have been deleted since the pod was made, and
 * may come again. Source: Kubernetes, pkg/kubelet/runtimeclass (LookupRuntimeHandler).
 */
export function handlerOf({ spec: { runtimeClassName } }: Pod, objects: PodObjects): Resolved<string> {
  if (runtimeClassName === undefined) return { ok: true, value: '' };
  const found = objects.runtimeClass(runtimeClassName);
  return found
    ? { ok: true, value: found.handler }
    : { ok: false, message: `runtimeclass.node.k8s.io "${runtimeClassName}" not found` };
}
