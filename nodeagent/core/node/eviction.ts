/**
 * Which pod a node gives up next. Source: Kubernetes pkg/kubelet/eviction/helpers.go (rankMemoryPressure,
 * rankDiskPressureFunc, rankPIDPressure).
 */
import { CRITICAL_PRIORITY } from '../../../contracts/objects/priority.ts';

/** Kubernetes' reason for a pod that its node gave up, or does not take in while it is short of something. */
export const EVICTED = 'Evicted';

/** A pod, and what it holds of that which the node lacks. */
export interface Candidate {
  readonly uid: string;
  readonly priority: number;
  /** Undefined for one of which nobody can tell: it may hold anything. */
  readonly used: number | undefined;
  readonly requested: number;
}

/** Negative where `a` goes before `b`. */
type Order = (a: Candidate, b: Candidate) => number;

const first = (a: boolean, b: boolean): number => Number(b) - Number(a);
const unknownFirst: Order = (a, b) => first(a.used === undefined, b.used === undefined);
const excess = ({ used = 0, requested }: Candidate): number => used - requested;
const aboveRequestFirst: Order = (a, b) => first(excess(a) > 0, excess(b) > 0);
const lowPriorityFirst: Order = (a, b) => a.priority - b.priority;
const largestExcessFirst: Order = (a, b) => excess(b) - excess(a);
const byUid: Order = (a, b) => (a.uid < b.uid ? -1 : 1);

/**
 * Of memory and disk a pod may ask for some, and whoever takes no more than that comes last, whatever its priority. Of
 * processes none can be asked for.
 */
const ORDERS = {
  requests: [unknownFirst, aboveRequestFirst, lowPriorityFirst, largestExcessFirst, byUid],
  priority: [lowPriorityFirst, unknownFirst, largestExcessFirst, byUid],
} as const satisfies Record<string, readonly Order[]>;

export const isCritical = (priority: number): boolean => priority >= CRITICAL_PRIORITY;

/** Never one that the system needs, nor one that holds nothing: that would free nothing. */
export function podToEvict<C extends Candidate>(pods: readonly C[], by: keyof typeof ORDERS): C | undefined {
  const order = (a: C, b: C): number => ORDERS[by].map((compare) => compare(a, b)).find((side) => side !== 0) ?? 0;
  return pods.filter(({ priority, used }) => !isCritical(priority) && used !== 0).sort(order)[0];
}
