/** Runs one workload through the scheduling library in this process, pod after pod, and takes the times. */
import type { Node, StoredPod, StoredService } from '../../contracts/objects/index.ts';
import { ClusterState } from '../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles } from '../../reconciler/core/scheduling/profile.ts';
import { Scheduler, type Outcome } from '../../reconciler/core/scheduling/scheduler.ts';
import { cpuNow } from './cpu.ts';
import { HIGH } from './objects.ts';

/** What happens next, in the order given. */
export type Happening =
  /**
   * A pod is tried. `counted` is false for pods that are there only to be in the way: their time counts, they do not.
   */
  | { readonly pod: StoredPod; readonly counted: boolean }
  /** Something else comes to pass in the cluster. */
  | { readonly change: (cluster: ClusterState) => void };

export interface Workload {
  readonly nodes: readonly Node[];
  readonly services?: readonly StoredService[];
  /** Pods that have their nodes. */
  readonly bound?: readonly StoredPod[];
  /** Pods that the scheduler places before the clock runs. */
  readonly initial?: readonly StoredPod[];
  readonly measured: readonly Happening[];
}

export interface Placement {
  readonly pod: StoredPod;
  readonly node: string;
}

export interface Run {
  /** Counted pods that got a node. */
  readonly placed: number;
  /** Tries that found none. */
  readonly refused: number;
  readonly preemptors: number;
  readonly victims: number;
  readonly perSecond: number;
  /** The same by the processor time of this process: what it would be on cores of its own. */
  readonly perCpuSecond: number;
  /**
   * Of counted pods, from the first try to the place, without the time in which victims leave: by the clock, and by
   * processor time.
   */
  readonly micros: Quantiles;
  readonly cpuMicros: Quantiles;
  /** To take in nodes and bound pods. */
  readonly buildMs: number;
  /**
   * Megabytes that the state holds beyond the objects it was given, and that the candidates of all shapes hold at the
   * end.
   */
  readonly megabytes: { readonly objects: number; readonly state: number; readonly candidates: number };
  /** Where every pod is at the end. */
  readonly placements: readonly Placement[];
  /** Message of the last refusal. */
  readonly refusal: string | undefined;
}

export interface Quantiles {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Preemptors that wait for their victims at one time: these leave together. */
const WAITING_FOR_VICTIMS = 100;

export function run(make: () => Workload): Run {
  const empty = megabytes();
  const workload = make();
  const objects = megabytes();
  const building = performance.now();
  const scheduler = schedulerFor(workload);
  const { cluster } = scheduler;
  const buildMs = performance.now() - building;
  for (const pod of workload.initial ?? [])
    if (scheduler.place(pod).is !== 'placed') throw new Error(`initial pod ${pod.metadata.name} found no node`);
  const state = megabytes();

  const timed = place(scheduler, workload.measured);
  const after = megabytes();
  const placed = timed.micros.length;
  const pods = [
    ...(workload.bound ?? []),
    ...(workload.initial ?? []),
    ...workload.measured.flatMap((next) => ('pod' in next ? [next.pod] : [])),
  ];
  return {
    placed,
    refused: timed.refused,
    preemptors: timed.preemptors,
    victims: timed.victims,
    perSecond: placed / timed.seconds,
    perCpuSecond: placed / timed.cpuSeconds,
    micros: quantiles(timed.micros),
    cpuMicros: quantiles(timed.cpuMicros),
    buildMs,
    megabytes: { objects: objects - empty, state: state - objects, candidates: after - state },
    placements: pods.flatMap((pod) => {
      const placed = cluster.placed(pod.metadata.uid);
      return placed && placed.node >= 0 && !placed.nominated ? [{ pod, node: placed.nodeName }] : [];
    }),
    refusal: timed.refusal,
  };
}

/** One that knows the workload's nodes, Services and bound pods. */
export function schedulerFor({ nodes, services = [], bound = [] }: Workload): Scheduler {
  const cluster = new ClusterState();
  cluster.priorityClasses = new Map([[HIGH.metadata.name, HIGH]]);
  for (const node of nodes) cluster.setNode(node);
  for (const [namespace, group] of byNamespace(services)) cluster.setServices(namespace, group);
  for (const pod of bound) cluster.setPod(pod);
  return new Scheduler(cluster, { profiles: buildProfiles(undefined).profiles, seed: 'bench' });
}

function byNamespace(services: readonly StoredService[]): ReadonlyMap<string, readonly StoredService[]> {
  const groups = new Map<string, StoredService[]>();
  for (const service of services) {
    const namespace = service.metadata.namespace ?? '';
    groups.set(namespace, [...(groups.get(namespace) ?? []), service]);
  }
  return groups;
}

function quantiles(values: Float64Array): Quantiles {
  const sorted = values.slice().sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
  };
}

interface Waiting {
  readonly pod: StoredPod;
  readonly micros: number;
  readonly cpuMicros: number;
  readonly victims: readonly StoredPod[];
}

interface Timed {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** One for each counted pod that was placed. */
  readonly micros: Float64Array;
  readonly cpuMicros: Float64Array;
  readonly refused: number;
  readonly preemptors: number;
  readonly victims: number;
  readonly refusal: string | undefined;
}

function place(scheduler: Scheduler, happenings: readonly Happening[]): Timed {
  const micros = new Float64Array(happenings.length);
  const cpuMicros = new Float64Array(happenings.length);
  const counted = new Set(happenings.flatMap((next) => ('pod' in next && next.counted ? [next.pod] : [])));
  let placed = 0;
  let refused = 0;
  let preemptors = 0;
  let victims = 0;
  let refusal: string | undefined;
  let waiting: Waiting[] = [];

  const attempt = (pod: StoredPod, microsBefore: number, cpuBefore: number): void => {
    const [clock, cpu] = [performance.now(), cpuNow()];
    const outcome: Outcome = scheduler.place(pod);
    const took = microsBefore + (performance.now() - clock) * 1000;
    const cpuTook = cpuBefore + cpuNow() - cpu;
    switch (outcome.is) {
      case 'placed':
        if (!counted.has(pod)) break;
        micros[placed] = took;
        cpuMicros[placed++] = cpuTook;
        break;
      case 'nominated':
        preemptors++;
        victims += outcome.nomination.victims.length;
        waiting.push({ pod, micros: took, cpuMicros: cpuTook, victims: outcome.nomination.victims });
        break;
      case 'refused':
        refused++;
        refusal = outcome.refusal.message;
    }
  };
  const letVictimsGo = (): void => {
    const gone = waiting;
    waiting = [];
    for (const { victims: pods } of gone) for (const pod of pods) scheduler.cluster.removePod(pod.metadata.uid);
    for (const { pod, micros: before, cpuMicros: cpuBefore } of gone) attempt(pod, before, cpuBefore);
  };

  const [clock, cpu] = [performance.now(), cpuNow()];
  for (const next of happenings) {
    if ('pod' in next) attempt(next.pod, 0, 0);
    else next.change(scheduler.cluster);
    if (waiting.length >= WAITING_FOR_VICTIMS) letVictimsGo();
  }
  for (let rounds = 0; waiting.length > 0 && rounds < 10; rounds++) letVictimsGo();
  return {
    seconds: (performance.now() - clock) / 1000,
    cpuSeconds: (cpuNow() - cpu) / 1e6,
    micros: micros.subarray(0, placed),
    cpuMicros: cpuMicros.subarray(0, placed),
    refused,
    preemptors,
    victims,
    refusal,
  };
}

/** What the heap and the buffers outside it hold once the garbage is gone; needs `--expose-gc`. */
function megabytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 2 ** 20;
}
