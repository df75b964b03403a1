/** What a pod has from its RuntimeClass. Source: Kubernetes, plugin/pkg/admission/runtimeclass/admission.go. */
import {
  parseQuantity,
  readKey,
  type PodSpec,
  type ResourceList,
  type RuntimeClass,
  type Toleration,
} from '../../../contracts/objects/index.ts';
import { equal } from '../fields/json.ts';

/**
 * The pod with the overhead, the node labels and the tolerations of its class. What it says itself stays, also where
 * {@link classObjection} has something against it. `runtimeClass`: undefined where it names none, or none that there is.
 * Doing it again changes nothing; where nothing is changed, the pod itself is answered.
 */
export function withRuntimeClass<T extends { readonly spec: PodSpec }>(
  pod: T,
  runtimeClass: RuntimeClass | undefined,
): T {
  const { overhead, nodeSelector, tolerations = [] } = pod.spec;
  const { nodeSelector: labels, tolerations: added } = runtimeClass?.scheduling ?? {};
  const podFixed = runtimeClass?.overhead?.podFixed;
  const given = {
    ...(podFixed && overhead === undefined && { overhead: podFixed }),
    ...(labels &&
      Object.keys(labels).some((label) => readKey(nodeSelector ?? {}, label) === undefined) && {
        nodeSelector: { ...labels, ...nodeSelector },
      }),
  };
  const merged = added === undefined ? tolerations : mergeTolerations(tolerations, added);
  if (Object.keys(given).length === 0 && equal(merged, tolerations)) return pod;
  return { ...pod, spec: { ...pod.spec, ...given, tolerations: merged } };
}

/**
 * Why there must be no such pod, in Kubernetes' words; undefined where there may. Says the same of a pod before it has
 * what its class gives it, but for an overhead that it does not say yet.
 */
export function classObjection(
  { overhead, nodeSelector }: PodSpec,
  runtimeClass: RuntimeClass | undefined,
): string | undefined {
  for (const [label, value] of Object.entries(runtimeClass?.scheduling?.nodeSelector ?? {})) {
    const own = readKey(nodeSelector ?? {}, label);
    if (own !== undefined && own !== value)
      return `conflict: runtimeClass.scheduling.nodeSelector[${label}] = ${value}; pod.spec.nodeSelector[${label}] = ${own}`;
  }
  if (overhead === undefined) return undefined;
  const podFixed = runtimeClass?.overhead?.podFixed;
  if (podFixed === undefined)
    return 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';
  return isSame(overhead, podFixed)
    ? undefined
    : "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
}

function isSame(one: ResourceList, other: ResourceList): boolean {
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => {
    const [a, b] = [readKey(one, name), readKey(other, name)];
    return a !== undefined && b !== undefined && parseQuantity(a) === parseQuantity(b);
  });
}

/** Both, without those that another one covers. Source: Kubernetes, pkg/util/tolerations (MergeTolerations). */
export function mergeTolerations(own: readonly Toleration[], added: readonly Toleration[]): Toleration[] {
  const all = [...own, ...added];
  const merged: Toleration[] = [];
  for (const [i, one] of all.entries()) {
    if (merged.some((kept) => covers(kept, one))) continue;
    // Of equal ones the first is kept.
    if (all.slice(i + 1).some((later) => !equal(later, one) && covers(later, one))) continue;
    merged.push(one);
  }
  return merged;
}

/** Whether `wide` tolerates all that `one` does, and for as long. */
function covers(wide: Toleration, one: Toleration): boolean {
  if (equal(wide, one)) return true;
  if (wide.key !== one.key && (wide.key !== undefined || wide.operator !== 'Exists')) return false;
  if (wide.effect !== one.effect && wide.effect !== undefined) return false;
  if (
    wide.effect === 'NoExecute' &&
    wide.tolerationSeconds !== undefined &&
    (one.tolerationSeconds === undefined || one.tolerationSeconds > wide.tolerationSeconds)
  )
    return false;
  return wide.operator === 'Exists' || (one.operator === 'Equal' && (wide.value ?? '') === (one.value ?? ''));
}
