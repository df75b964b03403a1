import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  DEFAULT_SCHEDULER_NAME,
  DeschedulerPolicyManifest,
  findCondition,
  PodDisruptionBudgetManifest,
  type DeschedulerPolicy,
  type PodDisruptionBudget,
  type StoredDeschedulerPolicy,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { DESCHEDULER_NAME, deschedulerController } from '../../../reconciler/controllers/descheduling/descheduler.ts';
import { rebalance } from '../../../reconciler/controllers/descheduling/rebalance.ts';
import { podDisruptionBudgetController } from '../../../reconciler/controllers/poddisruptionbudget.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import type { Clock } from '../../../reconciler/ports/clock.ts';
import { deployment, node, running } from './objects.ts';
import { World } from './world.ts';

const PROFILES = buildProfiles(undefined).profiles;
const KEY = 'deschedulerpolicies.descheduler//default';

function policy(spec: object): DeschedulerPolicy {
  return DeschedulerPolicyManifest.parse({ apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy', ...spec });
}
const DUPLICATES = {
  profiles: [{ name: 'p', plugins: { balance: { enabled: ['RemoveDuplicates'] } } }],
  deschedulingIntervalSeconds: 60,
};

function budget(spec: object): PodDisruptionBudget {
  return PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });
}

/** A world whose scheduler and nodes do their part: pending pods are placed, bound ones run, deleted ones go. */
class Cluster extends World {
  constructor() {
    super([
      deploymentController,
      replicaSetController(new NodeMonitor()),
      podDisruptionBudgetController,
      deschedulerController,
    ]);
  }

  pods(): readonly StoredPod[] {
    return this.list('Pod');
  }
  perNode(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const {
      spec: { nodeName = 'none' },
    } of this.pods())
      counts[nodeName] = (counts[nodeName] ?? 0) + 1;
    return counts;
  }
  going(): readonly StoredPod[] {
    return this.pods().filter((pod) => pod.metadata.deletionTimestamp !== undefined);
  }
  policy(): StoredDeschedulerPolicy {
    const found = this.get(KEY);
    assert.ok(found?.kind === 'DeschedulerPolicy');
    return found;
  }

  schedule(): void {
    const state = new ClusterState();
    for (const machine of this.list('Node')) state.setNode(machine);
    for (const {
      spec: { nodeName, ...spec },
      ...pod
    } of this.pods())
      if (nodeName !== undefined) state.assume({ ...pod, spec }, nodeName);
    const scheduler = new Scheduler(state, { profiles: PROFILES, seed: DEFAULT_SCHEDULER_NAME });
    for (const pod of this.pendingPods()) {
      const outcome = scheduler.place(pod);
      if (outcome.is === 'placed') this.put({ ...pod, spec: { ...pod.spec, nodeName: outcome.node } });
    }
  }

  /** Until nothing happens any more. `stuck`: pods that are going stay. */
  live(stuck = false): void {
    for (let turn = 0; turn < 20; turn++) {
      this.settle();
      const before = JSON.stringify(this.pods());
      this.schedule();
      for (const pod of this.pods()) {
        if (pod.metadata.deletionTimestamp !== undefined) {
          if (!stuck) this.remove(`pods/default/${pod.metadata.name}`);
        } else if (pod.spec.nodeName !== undefined && pod.status?.phase !== 'Running') this.put(running(pod, true));
      }
      this.settle();
      if (JSON.stringify(this.pods()) === before) return;
    }
    throw new Error('never at rest');
  }

  /** Pods run on node `a`, the others come later: as after an outage. */
  static crowded(replicas: number, others: string): Cluster {
    const cluster = new Cluster();
    cluster.put(node('a', { allocatable: { cpu: '8', memory: '8Gi', pods: '100' } }));
    cluster.put(deployment({ replicas }));
    cluster.live();
    for (const name of others.split(' '))
      cluster.put(node(name, { allocatable: { cpu: '8', memory: '8Gi', pods: '100' } }));
    return cluster;
  }
}

describe('a DeschedulerPolicy with an interval', () => {
  it('moves pods when the interval is over, says so on each, and then has nothing more to do', () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(policy(DUPLICATES));
    world.live();
    assert.deepEqual(world.perNode(), { a: 3 }, 'not before');
    assert.equal(world.timers.get(`${DESCHEDULER_NAME} ${KEY}`), world.monotonic + 60_000);
    world.advance(60_000);
    world.settle();
    assert.equal(world.going().length, 2);
    const events = world.events.filter(({ reason }) => reason === 'Descheduled');
    assert.deepEqual(
      events.map(({ regarding }) => regarding.metadata.name).sort(),
      world
        .going()
        .map((pod) => pod.metadata.name)
        .sort(),
    );
    assert.deepEqual(
      world.going().map(({ status }) => findCondition(status?.conditions, 'DisruptionTarget')?.reason),
      ['EvictionByEvictionAPI', 'EvictionByEvictionAPI'],
    );
    assert.match(
      events[0]?.message ?? '',
      /^pod evicted from node a by RemoveDuplicates: 3 of 3 pods of ReplicaSet web-\w+ are on a, which has to have no more than 1$/,
    );
    world.live();
    assert.deepEqual(world.perNode(), { a: 1, b: 1, c: 1 });
    assert.deepEqual(
      [world.policy().status?.evicted, world.policy().status?.skipped, world.policy().status?.lastRoundTime],
      [2, 0, '2026-01-01T00:01:00Z'],
    );
    for (let round = 0; round < 3; round++) {
      world.advance(60_000);
      world.live();
    }
    assert.equal(world.events.filter(({ reason }) => reason === 'Descheduled').length, 2);
    assert.equal(world.policy().status?.evicted, 0);
    assert.equal(world.conflicts, 0);
  });

  it('evicts no more pods at a time than their budget allows, and books each first', () => {
    const world = Cluster.crowded(4, 'b c d');
    world.put(budget({ maxUnavailable: 1 }));
    world.put(policy(DUPLICATES));
    world.live();
    world.advance(60_000);
    assert.ok(world.step());
    assert.deepEqual(
      [world.going().length, Object.keys(world.list('PodDisruptionBudget')[0]?.status?.disruptedPods ?? {}).length],
      [0, 1],
      'first it is booked',
    );
    world.settle();
    assert.equal(world.going().length, 1);
    for (let round = 0; round < 5; round++) {
      world.advance(60_000);
      world.settle();
      assert.ok(
        world.pods().filter((pod) => pod.status?.phase === 'Running' && pod.metadata.deletionTimestamp === undefined)
          .length >= 3,
        'the budget holds',
      );
      world.live();
    }
    assert.deepEqual(world.perNode(), { a: 1, b: 1, c: 1, d: 1 });
  });

  it('evicts nobody else while the pods of an earlier round are still going', () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(policy(DUPLICATES));
    world.live();
    for (let round = 0; round < 4; round++) {
      world.advance(60_000);
      world.live(true);
    }
    assert.equal(world.events.filter(({ reason }) => reason === 'Descheduled').length, 2);
  });

  it('does nothing by itself without an interval, and by the first policy only', () => {
    const world = Cluster.crowded(3, 'b c');
    const { deschedulingIntervalSeconds: _none, ...rest } = DUPLICATES;
    world.put(policy(rest));
    world.put(policy({ ...DUPLICATES, metadata: { name: 'second' } }));
    world.live();
    world.advance(3_600_000);
    world.resync();
    world.live();
    assert.deepEqual(world.perNode(), { a: 3 });
  });

  it('does nothing by a policy that cannot be read, and says where', () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(
      policy({
        ...DUPLICATES,
        profiles: [
          ...DUPLICATES.profiles,
          { name: 'q', pluginConfig: [{ name: 'LowNodeUtilization', args: { numberOfNode: 1 } }] },
        ],
      }),
    );
    world.live();
    world.advance(60_000);
    world.live();
    assert.deepEqual(world.perNode(), { a: 3 });
    const valid = findCondition(world.policy().status?.conditions, 'Valid');
    assert.deepEqual(
      [valid?.status, valid?.message],
      ['False', 'profiles[1].pluginConfig[0].args has no field numberOfNode'],
    );
    world.put(policy(DUPLICATES));
    world.advance(60_000);
    world.live();
    assert.equal(findCondition(world.policy().status?.conditions, 'Valid')?.status, 'True');
    assert.deepEqual(world.perNode(), { a: 1, b: 1, c: 1 });
  });
});

describe('rebalancing on demand', () => {
  const signal = new AbortController().signal;
  const clockOf = (world: World): Pick<Clock, 'now' | 'sleep'> => ({
    now: () => world.now,
    sleep: async () => undefined,
  });
  const order = (world: World, apply: boolean): ReturnType<typeof rebalance> =>
    rebalance(
      {
        view: world,
        clock: clockOf(world),
        execute: async (steps) => {
          world.apply({ steps });
          return [];
        },
      },
      { plugins: [], apply },
      signal,
    );

  it('shows what would be done, and does that', async () => {
    const world = Cluster.crowded(3, 'b c');
    const shown = await order(world, false);
    assert.deepEqual(
      [shown.moves.map(({ from, to }) => `${from} ${to}`), shown.evicted, world.going().length],
      [['a c', 'a b'], undefined, 0],
    );
    const done = await order(world, true);
    assert.deepEqual(done.moves, shown.moves);
    assert.deepEqual(
      done.evicted,
      shown.moves.map(({ pod }) => pod),
    );
    world.live();
    assert.deepEqual(world.perNode(), { a: 1, b: 1, c: 1 });
    assert.deepEqual((await order(world, true)).moves, []);
  });

  it('asks budgets again when it evicts', async () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(budget({ maxUnavailable: 2 }));
    world.live();
    let writes = 0;
    const done = await rebalance(
      {
        view: world,
        clock: clockOf(world),
        execute: async (steps) => {
          // The first booking is lost: somebody else took one of the two evictions in between.
          if (writes++ === 0) {
            const [found] = world.list('PodDisruptionBudget');
            assert.ok(found?.status);
            world.put({ ...found, status: { ...found.status, disruptionsAllowed: 1 } });
            return steps.flatMap((step) =>
              step.do === 'updateStatus' ? [{ step, reason: 'Conflict' as const, message: 'was changed' }] : [],
            );
          }
          world.apply({ steps });
          return [];
        },
      },
      { plugins: ['RemoveDuplicates'], apply: true },
      signal,
    );
    assert.deepEqual([done.moves.length, done.evicted?.length, done.refused?.length], [2, 1, 1]);
    assert.match(done.refused?.[0]?.message ?? '', /would violate the pod's disruption budget/);
    assert.equal(world.going().length, 1);
  });

  it('gives up a pod that others keep changing', async () => {
    const world = Cluster.crowded(2, 'b');
    const done = await rebalance(
      {
        view: world,
        clock: clockOf(world),
        execute: async (steps) =>
          steps.flatMap((step) =>
            step.do === 'delete' ? [{ step, reason: 'Conflict' as const, message: 'was changed' }] : [],
          ),
      },
      { plugins: ['RemoveDuplicates'], apply: true },
      signal,
    );
    assert.deepEqual(
      [done.evicted, done.refused?.map(({ message }) => message)],
      [[], ['others kept changing it or its disruption budget']],
    );
  });

  it('evicts nothing by a policy with mistakes', async () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(policy({ profiles: [{ ...DUPLICATES.profiles[0], pluginConfig: [{ name: 'Nothing' }] }] }));
    const done = await order(world, true);
    assert.deepEqual(
      [done.policy, done.problems.length, done.moves.length, done.evicted, world.going().length],
      ['default', 1, 2, [], 0],
    );
  });

  it('takes arguments of plugins that are not enabled from the policy', async () => {
    const world = Cluster.crowded(3, 'b c');
    world.put(
      policy({
        profiles: [
          { name: 'p', pluginConfig: [{ name: 'RemoveDuplicates', args: { excludeOwnerKinds: ['ReplicaSet'] } }] },
        ],
      }),
    );
    const asked = await rebalance(
      { view: world, clock: clockOf(world), execute: async () => [] },
      { plugins: ['RemoveDuplicates', 'LowNodeUtilization'], apply: false },
      signal,
    );
    assert.deepEqual([asked.plugins, asked.moves], [['RemoveDuplicates', 'LowNodeUtilization'], []]);
    assert.deepEqual((await order(world, false)).plugins, [], 'it enables none');
  });
});
