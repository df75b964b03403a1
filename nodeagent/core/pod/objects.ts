/** What a pod refers to, as its node knows it. */
import type {
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Service,
} from '../../../contracts/objects/index.ts';
import { objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import type { AssignmentView } from '../assignment.ts';
import type { PodIdentity } from './runtime-types.ts';

export interface PodObjects {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  services(): readonly Service[];
  claim(name: string): PersistentVolumeClaim | undefined;
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
    allocatable: () => view.get(objectKey('Node', undefined, view.node))?.status?.allocatable,
    services: () => view.list('Service').filter((service) => service.metadata.namespace === namespace),
  };
}

export function identityOf(pod: Pod): PodIdentity {
  return { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name, uid: pod.metadata.uid ?? '' };
}

/** Keys of what a pod's containers and volumes name. */
export function referredKeys(pod: Pod): ReadonlySet<ObjectKey> {
  const { name: podName, namespace } = pod.metadata;
  return new Set(podReferences(pod.spec, podName).map(({ kind, name }) => objectKey(kind, namespace, name)));
}
