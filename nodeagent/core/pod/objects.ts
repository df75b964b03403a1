/** What a pod refers to, as its node knows it. */
import type { ConfigMap, Pod, Secret, Service } from '../../../contracts/objects/index.ts';
import { objectKey } from '../../../contracts/objects/key.ts';
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
export function referredKeys(pod: Pod): ReadonlySet<string> {
  const keys = new Set<string>();
  const namespace = pod.metadata.namespace;
  const configMap = (name: string | undefined): void => {
    if (name !== undefined) keys.add(objectKey('ConfigMap', namespace, name));
  };
  const secret = (name: string | undefined): void => {
    if (name !== undefined) keys.add(objectKey('Secret', namespace, name));
  };
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    for (const from of container.envFrom ?? []) {
      configMap(from.configMapRef?.name);
      secret(from.secretRef?.name);
    }
    for (const env of container.env ?? []) {
      configMap(env.valueFrom?.configMapKeyRef?.name);
      secret(env.valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    configMap(volume.configMap?.name);
    secret(volume.secret?.secretName);
  }
  return keys;
}
