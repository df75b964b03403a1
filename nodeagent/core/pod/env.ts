/**
 * The environment of a container. Source: Kubernetes pkg/kubelet/kubelet_pods.go's documented order: service links,
 * envFrom, env; later ones win.
 */
import type { Container, EnvVar, Pod } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { fieldValue, resourceValue } from './downward.ts';
import { expandReferences, MOST_CHARS, tooLong } from './expand.ts';
import type { PodObjects } from './objects.ts';
import type { Resolved } from './resolved.ts';
import { serviceLinks } from './service-links.ts';

export interface EnvInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly objects: PodObjects;
  readonly podIP: string;
  readonly hostIP: string;
  readonly podIPv6?: string | undefined;
  readonly hostIPv6?: string | undefined;
}

/** Or why the container cannot be made as written (`CreateContainerConfigError`). */
export function resolveEnv(input: EnvInput): Resolved<readonly { readonly name: string; readonly value: string }[]> {
  const env = new Map<string, string>();
  let chars = 0;
  const set = (name: string, value: string): void => {
    chars += name.length + value.length;
    env.set(name, value);
  };
  if (input.pod.spec.enableServiceLinks)
    for (const [name, value] of serviceLinks(input.objects.services())) set(name, value);
  for (const from of input.container.envFrom ?? []) {
    const source = envFromSource(from, input.objects);
    if (!source.ok) return source;
    // Every key that a ConfigMap or Secret may have is a name, also one that begins with a digit (KEP-4369).
    for (const [key, value] of Object.entries(source.value)) set(`${from.prefix}${key}`, value);
    if (chars > MOST_CHARS) return tooLong('the environment');
  }
  for (const one of input.container.env ?? []) {
    const value = envValue(one, input, env);
    if (!value.ok) return value;
    if (value.value !== undefined) set(one.name, value.value);
    if (chars > MOST_CHARS) return tooLong('the environment');
  }
  return { ok: true, value: [...env].map(([name, value]) => ({ name, value })) };
}

function envFromSource(
  from: NonNullable<Container['envFrom']>[number],
  objects: PodObjects,
): Resolved<Readonly<Record<string, string>>> {
  if (from.configMapRef) {
    const map = objects.configMap(from.configMapRef.name);
    if (map) return { ok: true, value: map.data ?? {} };
    return from.configMapRef.optional ? { ok: true, value: {} } : missing('configmap', from.configMapRef.name);
  }
  const ref = from.secretRef;
  if (!ref) return { ok: true, value: {} };
  const secret = objects.secret(ref.name);
  if (secret)
    return {
      ok: true,
      value: Object.fromEntries(Object.entries(secret.data).map(([key, value]) => [key, fromBase64(value)])),
    };
  return ref.optional ? { ok: true, value: {} } : missing('secret', ref.name);
}

function envValue(one: EnvVar, input: EnvInput, env: ReadonlyMap<string, string>): Resolved<string | undefined> {
  const from = one.valueFrom;
  if (!from) return expandReferences(one.value ?? '', (name) => env.get(name));
  if (from.fieldRef) return fieldValue(from.fieldRef.fieldPath, input.pod, input);
  if (from.resourceFieldRef)
    return resourceValue(from.resourceFieldRef, input.pod, input.container, input.objects.allocatable());
  if (from.configMapKeyRef) {
    const ref = from.configMapKeyRef;
    const map = input.objects.configMap(ref.name);
    const value = readKey(map?.data, ref.key);
    if (value !== undefined) return { ok: true, value };
    if (ref.optional) return { ok: true, value: undefined };
    return map ? missingKey('ConfigMap', ref.key, input.pod, ref.name) : missing('configmap', ref.name);
  }
  if (from.secretKeyRef) {
    const ref = from.secretKeyRef;
    const secret = input.objects.secret(ref.name);
    const value = readKey(secret?.data, ref.key);
    if (value !== undefined) return { ok: true, value: fromBase64(value) };
    if (ref.optional) return { ok: true, value: undefined };
    return secret ? missingKey('Secret', ref.key, input.pod, ref.name) : missing('secret', ref.name);
  }
  return { ok: true, value: undefined };
}

const fromBase64 = (value: string): string => Buffer.from(value, 'base64').toString('utf8');
const missing = (kind: string, name: string): Resolved<never> => ({
  ok: false,
  message: `${kind} "${name}" not found`,
});
function missingKey(kind: string, key: string, pod: Pod, name: string): Resolved<never> {
  return { ok: false, message: `couldn't find key ${key} in ${kind} ${pod.metadata.namespace ?? 'default'}/${name}` };
}
