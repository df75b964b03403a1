/**
 * What two reports of a node come to. Source of the rules: metrics-server, pkg/storage/pod.go, node.go and types.go; the
 * reports say counters, and a rate is the difference of two over the time between.
 */
import type { ContainerCounters, UsageReport } from '../../../contracts/agent/index.ts';
import { groupBy } from '../group-by.ts';
import { kubeTime } from '../storage/object-form.ts';
import { cpuQuantity, memoryQuantity, windowOf, type NodeMetrics, type NodeSample, type PodMetrics } from './shapes.ts';

/** A pod that is bound to the node: what the node says of others is not taken. */
export interface OwnPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

/** A rate over less is mostly chance. */
const SHORTEST_WINDOW_MS = 500;
/** Over more, it says little of now. */
const LONGEST_WINDOW_MS = 120_000;
/** Counters that the runtime read longer before the report say nothing of now. */
const MOST_AGE_MS = 30_000;
/**
 * A container that started after the report before counts from its start, when it has run for this long: the time in
 * which programs start up would be all of it otherwise.
 */
const FRESH_MS = { least: 10_000, most: 15_000 };

interface Point {
  readonly at: number;
  readonly cpuNanoseconds: number;
}
interface Rate {
  readonly nanocores: number;
  readonly windowMs: number;
}

/**
 * `previous`: the report before, if there is one. `takenAt`: when the latest came. A pod of which one running container
 * has no rate is left out whole, as its sum would be too small: a container that was started again in between, or just
 * now.
 */
export function sampleOf(
  previous: UsageReport | undefined,
  latest: UsageReport,
  of: { readonly node: string; readonly pods: readonly OwnPod[]; readonly takenAt: Date },
): NodeSample {
  const before = previous?.agentStartedAt === latest.agentStartedAt ? previous : undefined;
  const timestampOf = (at: number): string => kubeTime(new Date(of.takenAt.getTime() - Math.max(0, latest.at - at)));
  const containers = groupBy(
    latest.containers.filter(({ at }) => latest.at - at <= MOST_AGE_MS),
    ({ podUid }) => podUid,
  );
  const points = new Map(before?.containers.map((one) => [one.id, one]));
  const pods = of.pods.flatMap((pod): readonly (readonly [string, PodMetrics])[] => {
    const metrics = podMetrics(pod, containers.get(pod.uid) ?? [], points, timestampOf);
    return metrics ? [[pod.uid, metrics]] : [];
  });
  return { node: nodeMetrics(of.node, before, latest, timestampOf), pods: new Map(pods) };
}

function nodeMetrics(
  name: string,
  before: UsageReport | undefined,
  { node }: UsageReport,
  timestampOf: (at: number) => string,
): NodeMetrics | undefined {
  const rate = before && rateOf(before.node, node);
  if (!rate) return undefined;
  return {
    metadata: { name },
    timestamp: timestampOf(node.at),
    window: windowOf(rate.windowMs),
    usage: { cpu: cpuQuantity(rate.nanocores), memory: memoryQuantity(node.memoryBytes) },
  };
}

function podMetrics(
  { uid, namespace, name }: OwnPod,
  counted: readonly ContainerCounters[],
  before: ReadonlyMap<string, ContainerCounters>,
  timestampOf: (at: number) => string,
): PodMetrics | undefined {
  // The newest of a name: of one that was just replaced, the runtime may still show both.
  const running = [
    ...new Map(counted.toSorted((a, b) => a.startedAt - b.startedAt).map((one) => [one.name, one])).values(),
  ];
  const measured = running.flatMap((latest) => {
    const rate = rateOf(before.get(latest.id) ?? freshStart(latest), latest);
    return rate ? { latest, rate } : [];
  });
  const [first, ...rest] = measured;
  if (!first || measured.length < running.length) return undefined;
  const earliest = rest.reduce((a, b) => (b.latest.at < a.latest.at ? b : a), first);
  return {
    metadata: { name, namespace, uid },
    timestamp: timestampOf(earliest.latest.at),
    window: windowOf(earliest.rate.windowMs),
    containers: measured
      .map(({ latest, rate }) => ({
        name: latest.name,
        usage: { cpu: cpuQuantity(rate.nanocores), memory: memoryQuantity(latest.memoryBytes) },
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function freshStart({ startedAt, at }: ContainerCounters): Point | undefined {
  const age = at - startedAt;
  return age >= FRESH_MS.least && age < FRESH_MS.most ? { at: startedAt, cpuNanoseconds: 0 } : undefined;
}

/** Undefined where the counter or the clock went back, and for a window that says little. */
function rateOf(before: Point | undefined, latest: Point): Rate | undefined {
  if (!before) return undefined;
  const windowMs = latest.at - before.at;
  const nanoseconds = latest.cpuNanoseconds - before.cpuNanoseconds;
  if (nanoseconds < 0 || windowMs < SHORTEST_WINDOW_MS || windowMs > LONGEST_WINDOW_MS) return undefined;
  return { nanocores: (nanoseconds / windowMs) * 1000, windowMs };
}
