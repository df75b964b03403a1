/**
 * Whether a node is short of something, and for how long it says so. Source: Kubernetes documentation, "Node-pressure
 * Eviction"; pkg/kubelet/eviction (nodeConditionsObservedSince, Admit).
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { PRESSURE_TAINTS, tolerates, tolerationsOf, type Pressure } from '../../../contracts/objects/taints.ts';

/** As the node's condition has it. */
export interface PressureState {
  readonly pressure: boolean;
  readonly message: string;
}
export type Pressures = Readonly<Partial<Record<Pressure, PressureState>>>;

/** Kubelet's evictionPressureTransitionPeriod. */
export const PRESSURE_HOLDS_MS = 300_000;

/** What was seen over time; milliseconds of a clock that never steps. */
export interface PressureWatch {
  /** Undefined before the first look. */
  readonly state: PressureState | undefined;
  readonly shortAt: number;
}
export const NOT_LOOKED: PressureWatch = { state: undefined, shortAt: 0 };

/** Pressure stays for its time when what is short is there again: a node that says yes and no in turn fills up each time. */
export function afterLook(before: PressureWatch, seen: PressureState, now: number): PressureWatch {
  if (seen.pressure) return { state: seen, shortAt: now };
  const holds = before.state?.pressure === true && now - before.shortAt < PRESSURE_HOLDS_MS;
  return { state: holds ? before.state : seen, shortAt: before.shortAt };
}

/**
 * Whether a node that is short of `pressures` takes the pod in all the same. One that is short of memory alone takes
 * those in that ask for some of what they need, and those that say they can bear it.
 */
export function isTakenUnder(pressures: readonly Pressure[], pod: Pod, isCritical: boolean): boolean {
  if (pressures.length === 0 || isCritical) return true;
  if (pressures.some((pressure) => pressure !== 'MemoryPressure')) return false;
  const taint = { key: PRESSURE_TAINTS.MemoryPressure, effect: 'NoSchedule' } as const;
  return tolerationsOf(pod.spec).some((one) => tolerates(one, taint));
}
