/** What a pod refers to, as its node knows it. */
import type { ConfigMap, Pod, Secret, Service } from '../../../contracts/objects/index.ts';
import { objectKey, type ObjectKey } from '../../../contracts/objects/key.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import type { AssignmentView } from '../assignment.ts';
import type { PodIdentity } from './runtime-types.ts';

export interface PodObjects {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  services(): readonly Service[];
}

/** Everything in the pod's own namespace. */
export function objectsFor(view: AssignmentView, namespace: string): PodObjects {
  return {
    configMap: (name) => view.get(objectKey('ConfigMap', namespace, name)),
    // A Secret whose data has not come yet (after a reboot) is as good as none.
    secret(name) {
      const secret = view.get(objectKey('Secret', namespace, name));
      return secret && 'data' in secret ? secret : undefined;
    },
    services: () => view.list('Service').filter((service) => service.metadata.namespace === namespace),
  };
}

export function identityOf(pod: Pod): PodIdentity {
  return { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name, uid: pod.metadata.uid ?? '' };
}

/** Keys of the ConfigMaps and Secrets that a pod's containers and volumes name. */
export function referredKeys(pod: Pod): ReadonlySet<ObjectKey> {
  return new Set(podReferences(pod.spec).map(({ kind, name }) => objectKey(kind, pod.metadata.namespace, name)));
}
