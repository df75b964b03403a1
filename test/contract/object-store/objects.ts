/** Small objects for tests. */
import {
  PodSpec,
  unstructured,
  type ConfigMap,
  type Pod,
  type Secret,
  type Unstructured,
} from '../../../contracts/objects/index.ts';

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

/** Of a custom kind, with a name that is also one of ours. */
export function customSecret(
  name: string,
  spec: unknown,
  metadata: Partial<Unstructured['metadata']> = {},
): Unstructured {
  return unstructured('secrets.vault.example.com', {
    apiVersion: 'vault.example.com/v1',
    kind: 'Secret',
    metadata: { name, namespace: 'default', ...metadata },
    spec,
  });
}
