/** Small objects for tests. */
import { PodSpec, type ConfigMap, type Pod, type Secret } from '../../../contracts/objects/index.ts';

export function pod(name: string, spec: Partial<PodSpec> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { ...PodSpec.parse({ containers: [{ name: 'main', image: 'app:1', args: [] }] }), ...spec },
  };
}

export function configMap(
  name: string,
  data: Record<string, string>,
  metadata: Partial<ConfigMap['metadata']> = {},
): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ...metadata }, data };
}

export function secret(name: string, data: Record<string, string>): Secret {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, type: 'Opaque', data };
}
