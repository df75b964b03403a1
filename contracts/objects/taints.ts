/**
 * Taints and tolerations. Free of schemas: a node agent uses it. Source: Kubernetes documentation, "Taints and
 * Tolerations".
 */
import type { Taint } from './nodes.ts';
import type { PodSpec, Toleration } from './pod.ts';
import { qosClass } from './qos.ts';

/** Conditions of a node that is short of something, and the taint of each that keeps other pods away from it. */
export const PRESSURE_TAINTS = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
} as const;
export type Pressure = keyof typeof PRESSURE_TAINTS;

const BEARS_SHORT_MEMORY: Toleration = {
  key: PRESSURE_TAINTS.MemoryPressure,
  operator: 'Exists',
  effect: 'NoSchedule',
};

/**
 * What a pod tolerates: whoever asks for some of what it needs, also that a node is short of memory. Source: Kubernetes
 * documentation, "Taint Nodes by Condition".
 */
export function tolerationsOf(
  spec: Pick<PodSpec, 'containers' | 'initContainers' | 'tolerations'>,
): readonly Toleration[] {
  return qosClass(spec) === 'BestEffort' ? spec.tolerations : [...spec.tolerations, BEARS_SHORT_MEMORY];
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
  if (toleration.key === undefined) return toleration.operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

/** The first taint of the given effects that nothing tolerates. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[],
  effects: readonly Taint['effect'][],
): Taint | undefined {
  return taints?.find((taint) => effects.includes(taint.effect) && !tolerations.some((t) => tolerates(t, taint)));
}
