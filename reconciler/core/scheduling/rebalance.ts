/**
 * Which running pods should run elsewhere, and where they would go now. Strategies complain of pods; a pod is moved
 * only if the ordinary scheduler, run on a copy of the cluster without it, has another node for it, the strategy that
 * complained is better off, and nothing that goes before it is worse off:
 *
 *  - never, for any strategy: a required rule of another pod (affinity, spread with DoNotSchedule);
 *  - for strategies that only prefer: an even spread that pods ask for (ScheduleAnyway);
 *  - what strategies before it look at: those of required rules come first, then an even spread, taints and affinity
 *    that are preferred, duplicates, utilization.
 *
 * So every move makes the first number that it changes smaller, the search ends, and at its end no strategy finds
 * another move: a plan that was carried out is followed by an empty one. Strategies and their arguments are those of
 * kubernetes-sigs/descheduler.
 */
import type {
  DeschedulerPluginName,
  DeschedulerPlugin,
  DeschedulerSettings,
  StoredPod,
  StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import type { Paced } from '../paced.ts';
import { controllerOf } from '../workloads/owners.ts';
import type { PodShape } from './pod-shape.ts';
import { Allowance, type EvictionLimits } from './rebalance/allowance.ts';
import { duplicates } from './rebalance/duplicates.ts';
import { concerns, whyNotEvictable, type EvictorContext } from './rebalance/evictable.ts';
import { nodeTaints, preferredNodeAffinity, requiredNodeAffinity } from './rebalance/node-rules.ts';
import { antiAffinity, lonelyPods } from './rebalance/pod-rules.ts';
import { byCost, Simulation, type ClusterSnapshot, type Running } from './rebalance/simulation.ts';
import { spread } from './rebalance/spread.ts';
import { compared, type Measure, type Strategy } from './rebalance/strategy.ts';
import { lowNodeUtilization } from './rebalance/utilization.ts';

export interface RebalancePolicy extends EvictionLimits {
  readonly profiles: readonly DeschedulerSettings[];
}

export interface RebalanceInput {
  readonly cluster: ClusterSnapshot;
  readonly budgets: readonly StoredPodDisruptionBudget[];
  readonly policy: RebalancePolicy;
  readonly now: Date;
}

export interface Move {
  readonly pod: StoredPod;
  readonly from: string;
  /** Where the scheduler would place it now. */
  readonly to: string;
  readonly plugin: DeschedulerPluginName;
  readonly reason: string;
}

/** A pod that a strategy would see elsewhere, and that stays. */
export interface Skipped {
  readonly pod: StoredPod;
  readonly node: string;
  readonly plugin: DeschedulerPluginName;
  /** Why it should move, and why it does not. */
  readonly reason: string;
  readonly obstacle: string;
}

export interface RebalancePlan {
  readonly moves: readonly Move[];
  readonly skipped: readonly Skipped[];
}

/** Deterministic: the order in which nodes and pods are given does not matter. */
export function* planRebalance(input: RebalanceInput): Paced<RebalancePlan> {
  return yield* new Planner(input, yield* Simulation.of(input.cluster)).plan();
}

interface Enabled {
  readonly strategy: Strategy;
  readonly plugin: DeschedulerPlugin;
  readonly evictor: DeschedulerSettings['evictor'];
  /** What must not get worse, its own included. */
  readonly guards: readonly Measure[];
}

class Planner {
  readonly #sim: Simulation;
  readonly #context: EvictorContext;
  readonly #allowance: Allowance;
  readonly #enabled: readonly Enabled[];
  /** All that is told of moves. */
  readonly #measures: ReadonlySet<Measure>;
  readonly #moves = new Map<string, Move>();
  readonly #skipped = new Map<string, Skipped>();
  /** Why no pod of a shape can leave a node, by strategy; true until something moves. */
  readonly #stuck = new Map<Strategy, Map<string, string>>();

  constructor({ budgets, policy, now }: RebalanceInput, sim: Simulation) {
    this.#sim = sim;
    this.#allowance = new Allowance(policy, budgets, now);
    const replicas = new Map<string, number>();
    for (const { pod } of this.#sim.running()) {
      const owner = controllerOf(pod.metadata)?.uid;
      if (owner !== undefined) replicas.set(owner, (replicas.get(owner) ?? 0) + 1);
    }
    this.#context = { sim: this.#sim, replicas, budgets, now };
    this.#enabled = enable(this.#sim, policy.profiles);
    this.#measures = new Set(this.#enabled.flatMap(({ guards }) => guards));
  }

  *plan(): Paced<RebalancePlan> {
    for (let moved = true; moved;) {
      moved = false;
      this.#skipped.clear();
      for (const enabled of this.#enabled) moved = (yield* this.#round(enabled)) || moved;
    }
    const skipped = [...this.#skipped.values()].filter(({ pod }) => !this.#moves.has(pod.metadata.uid));
    return { moves: [...this.#moves.values()], skipped };
  }

  /** Looks once at every pod that the strategy complains of; whether any moved. */
  *#round(enabled: Enabled): Paced<boolean> {
    let moved = false;
    for (const { running, shape, node } of yield* this.#complaints(enabled)) {
      // Others moved since: it may be well where it is now.
      const reason = enabled.strategy.complaint(shape, node);
      yield;
      if (reason === undefined) continue;
      const obstacle = this.#try(enabled, running, shape, node, reason);
      if (obstacle === undefined) moved = true;
      else this.#skip(enabled, running, node, reason, obstacle);
    }
    return moved;
  }

  *#complaints({
    strategy,
    plugin,
  }: Enabled): Paced<readonly { readonly running: Running; readonly shape: PodShape; readonly node: number }[]> {
    const { cluster } = this.#sim;
    const found: { node: number; shape: PodShape; urgency: number }[] = [];
    for (const [shape, nodes] of cluster.liveShapes()) {
      if (shape.terminating) continue;
      yield;
      for (const node of nodes.keys()) {
        // What becomes of pods on a node that is silent is not for us to decide.
        if (cluster.ready(node) && strategy.complaint(shape, node) !== undefined)
          found.push({ node, shape, urgency: strategy.urgency?.(shape, node) ?? 0 });
      }
    }
    const pods: { running: Running; shape: PodShape; node: number; urgency: number }[] = [];
    for (const { node, shape, urgency } of found) {
      yield;
      for (const running of this.#sim.runningOn(node, shape))
        if (concerns(plugin, running)) pods.push({ running, shape, node, urgency });
    }
    return pods.sort((a, b) => b.urgency - a.urgency || a.node - b.node || byCost(a.running, b.running));
  }

  /** Moves the pod if that is right; else says why not, and leaves everything as it was. */
  #try(
    { strategy, evictor, guards }: Enabled,
    running: Running,
    shape: PodShape,
    from: number,
    reason: string,
  ): string | undefined {
    const refused =
      whyNotEvictable(running, evictor, this.#context) ?? this.#allowance.whyNot(running) ?? strategy.hopeless?.(shape);
    if (refused !== undefined) return refused;
    let stuck = this.#stuck.get(strategy);
    if (!stuck) this.#stuck.set(strategy, (stuck = new Map<string, string>()));
    const key = `${shape.id} ${from}`;
    const known = stuck.get(key);
    if (known !== undefined) return known;

    const before = guards.map((measure) => measure.weigh(shape, from));
    const answer = this.#sim.replace(running);
    const obstacle =
      'stays' in answer
        ? answer.stays
        : this.#weigh(strategy, guards, before, this.#sim.placeOf(running).shape, from, answer.to);
    if (obstacle !== undefined) {
      if ('to' in answer) this.#sim.putBack(running, from);
      stuck.set(key, obstacle);
      return obstacle;
    }
    this.#stuck.clear();
    this.#allowance.take(running);
    this.#note(running, strategy, reason);
    return undefined;
  }

  /** Tells the measures of the move, and takes it back with a reason when one of them does not want it. */
  #weigh(
    strategy: Strategy,
    guards: readonly Measure[],
    before: readonly (readonly number[])[],
    shape: PodShape,
    from: number,
    to: number,
  ): string | undefined {
    const name = this.#sim.cluster.nodeName(to);
    if (strategy.accepts?.(shape, from, to) === false)
      return `the scheduler would place it on ${name}, which has not the room that is wanted`;
    this.#tell(shape, from, to);
    let [better, worse] = [false, false];
    for (const [at, measure] of guards.entries()) {
      const change = compared(before[at] ?? [], measure.weigh(shape, to));
      worse ||= change.worse;
      if (measure === strategy) better = change.better;
    }
    if (better && !worse) return undefined;
    this.#tell(shape, to, from);
    return worse
      ? `the scheduler would place it on ${name}, which would be worse for other rules`
      : `the scheduler would place it on ${name}, which is no better`;
  }

  #tell(shape: PodShape, from: number, to: number): void {
    for (const measure of this.#measures) {
      measure.moved?.(shape, from, -1);
      measure.moved?.(shape, to, 1);
    }
  }

  /** A pod that moves twice is one move; one that comes back to where it really is has not moved. */
  #note(running: Running, { plugin }: Strategy, reason: string): void {
    const { uid } = running.pod.metadata;
    const to = this.#sim.placeOf(running).nodeName;
    if (to === running.home) this.#moves.delete(uid);
    else this.#moves.set(uid, { plugin, reason, ...this.#moves.get(uid), pod: running.pod, from: running.home, to });
  }

  #skip({ strategy: { plugin } }: Enabled, { pod }: Running, node: number, reason: string, obstacle: string): void {
    const key = `${plugin} ${pod.metadata.uid}`;
    if (!this.#skipped.has(key))
      this.#skipped.set(key, { pod, node: this.#sim.cluster.nodeName(node), plugin, reason, obstacle });
  }
}

/** Strategies in the order in which they go before each other, each with what it must not make worse. */
function enable(sim: Simulation, profiles: readonly DeschedulerSettings[]): readonly Enabled[] {
  const { cluster } = sim;
  const [hard, soft, lonely] = [
    spread(cluster, 'DoNotSchedule'),
    spread(cluster, 'ScheduleAnyway'),
    lonelyPods(cluster),
  ];
  const made = profiles.flatMap(({ plugins, evictor }) =>
    plugins.flatMap((plugin) =>
      strategiesOf(plugin, sim, hard, soft).map((strategy) => ({ strategy, plugin, evictor })),
    ),
  );
  const ordered = [
    ...made.filter(({ strategy }) => strategy.required),
    ...made.filter(({ strategy }) => !strategy.required).sort((a, b) => rank(a.strategy) - rank(b.strategy)),
  ];
  return ordered.map((entry, at) => ({
    ...entry,
    guards: [
      ...new Set([
        lonely,
        hard,
        ...(entry.strategy.required ? [] : [soft]),
        ...ordered.slice(0, at + 1).map(({ strategy }) => strategy),
      ]),
    ],
  }));
}

/** Of strategies that only prefer: spreads first, as nothing after them may make one less even. */
function rank({ plugin }: Strategy): number {
  return PREFERRING.indexOf(plugin);
}
const PREFERRING: readonly DeschedulerPluginName[] = [
  'RemovePodsViolatingTopologySpreadConstraint',
  'RemovePodsViolatingNodeTaints',
  'RemovePodsViolatingNodeAffinity',
  'RemoveDuplicates',
  'LowNodeUtilization',
];

function strategiesOf(plugin: DeschedulerPlugin, sim: Simulation, hard: Strategy, soft: Strategy): readonly Strategy[] {
  const { cluster } = sim;
  switch (plugin.name) {
    case 'RemovePodsViolatingNodeTaints':
      return [
        nodeTaints(cluster, plugin.args, 'NoSchedule'),
        ...(plugin.args.includePreferNoSchedule ? [nodeTaints(cluster, plugin.args, 'PreferNoSchedule')] : []),
      ];
    case 'RemovePodsViolatingNodeAffinity':
      return plugin.args.nodeAffinityType.map((type) =>
        type.startsWith('required') ? requiredNodeAffinity(cluster) : preferredNodeAffinity(cluster),
      );
    case 'RemovePodsViolatingInterPodAntiAffinity':
      return [antiAffinity(cluster)];
    case 'RemovePodsViolatingTopologySpreadConstraint':
      return plugin.args.constraints.map((when) => (when === 'DoNotSchedule' ? hard : soft));
    case 'RemoveDuplicates':
      return [duplicates(sim, plugin.args)];
    case 'LowNodeUtilization':
      return [lowNodeUtilization(cluster, plugin.args)];
  }
}
