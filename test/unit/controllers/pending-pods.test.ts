/**
 * The scheduler over the store's objects: gangs, gates, configuration, refused bindings, and many proposers with one
 * committer.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  findCondition,
  KubeSchedulerConfigurationManifest,
  objectKey,
  PodDisruptionBudgetManifest,
  PodGroupManifest,
  PriorityClassManifest,
  SchedulerPluginManifest,
  type KubeObject,
  type ObjectKey,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { fill } from '../../../reconciler/controllers/scheduling/cluster-feed.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node, pod } from './objects.ts';
import { World } from './world.ts';

const asking = (cpu: string): object => ({
  containers: [{ name: 'app', image: 'app:v1', resources: { requests: { cpu } } }],
});
const member = (name: string, cpu: string): ReturnType<typeof pod> =>
  pod(name, asking(cpu), { labels: { 'scheduling.x-k8s.io/pod-group': 'gang' } });
const group = (minMember: number): KubeObject =>
  PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'gang', namespace: 'default' },
    spec: { minMember },
  });

/** Keeps telling the scheduler of the world's changes, as the cache does. */
class Lane {
  readonly world: World;
  readonly pending: PendingPods;
  constructor(world: World) {
    this.world = world;
    this.pending = PendingPods.of(world);
  }
  put(object: KubeObject): void {
    const stored = this.world.put(object);
    this.pending.changed('put', stored, undefined);
  }
  remove(name: string, key: ObjectKey = objectKey('Pod', 'default', name)): void {
    const gone = this.world.get(key);
    this.world.remove(key);
    if (gone) this.pending.changed('delete', gone, gone);
  }
  pass(): void {
    const before = new Map(this.world.list('Pod').map((p) => [p.metadata.uid, p]));
    this.world.apply({ steps: this.pending.pass(this.world.now, Infinity).steps });
    for (const p of this.world.list('Pod'))
      if (before.get(p.metadata.uid) !== p) this.pending.changed('put', p, before.get(p.metadata.uid));
  }
  /** Lets all back-offs end. */
  wait(ms = 20_000): void {
    this.world.now = new Date(this.world.now.getTime() + ms);
  }
  nodeOf(name: string): string | undefined {
    return this.world.get(objectKey('Pod', 'default', name))?.spec.nodeName;
  }
  told(name: string): string | undefined {
    return findCondition(this.world.get(objectKey('Pod', 'default', name))?.status?.conditions, 'PodScheduled')
      ?.message;
  }
}

describe('gangs', () => {
  it('get all their places or none, and hold none while they wait', () => {
    const world = new World();
    for (const name of ['n1', 'n2']) world.put(node(name));
    world.put(group(3));
    for (const name of ['a', 'b', 'c']) world.put(member(name, '2'));
    const lane = new Lane(world);
    lane.pass();
    assert.deepEqual(
      ['a', 'b', 'c'].map((name) => lane.nodeOf(name)),
      [undefined, undefined, undefined],
    );
    assert.equal(
      lane.told('a'),
      'pod group default/gang needs 3 pods placed together, 2 can be: c: 0/2 nodes are available: 2 Insufficient cpu.',
    );
    lane.put(pod('single', asking('2')));
    lane.pass();
    assert.notEqual(lane.nodeOf('single'), undefined, 'what the gang could not use is free');
    lane.put(node('n3'));
    lane.put(node('n4'));
    lane.wait();
    lane.pass();
    assert.equal(new Set(['a', 'b', 'c', 'single'].map((name) => lane.nodeOf(name))).size, 4);
  });

  it('wait for members that are not there yet, and for their group', () => {
    const world = new World();
    world.put(node('n1', { allocatable: { cpu: '8', memory: '8Gi', pods: '10' } }));
    world.put(member('a', '1'));
    const lane = new Lane(world);
    lane.pass();
    assert.equal(lane.told('a'), 'PodGroup default/gang does not exist');
    lane.put(group(2));
    lane.wait();
    lane.pass();
    assert.equal(lane.told('a'), 'pod group default/gang needs 2 pods placed together, 1 can be: it has 1 pods');
    lane.put(member('b', '1'));
    lane.pass();
    assert.deepEqual([lane.nodeOf('a'), lane.nodeOf('b')], ['n1', 'n1']);
    lane.put(member('late', '1'));
    lane.pass();
    assert.equal(lane.nodeOf('late'), 'n1', 'a group that is complete takes more');
  });
});

describe('pending pods', () => {
  it('that are gated are told so and not tried', () => {
    const world = new World();
    world.put(node('n1'));
    world.put(pod('gated', { schedulingGates: [{ name: 'example.com/wait' }] }));
    const lane = new Lane(world);
    lane.pass();
    assert.equal(lane.nodeOf('gated'), undefined);
    assert.equal(
      findCondition(world.get(objectKey('Pod', 'default', 'gated'))?.status?.conditions, 'PodScheduled')?.reason,
      'SchedulingGated',
    );
    assert.equal(lane.pending.nextInMs(world.now), undefined, 'told once');
  });

  it('go where the configuration in the repository wants them, from the moment it is there', () => {
    const world = new World();
    world.put(node('empty'));
    world.put(node('busy'));
    world.put(pod('there', { ...asking('1'), nodeName: 'busy' }));
    const lane = new Lane(world);
    lane.put(pod('spread', asking('500m')));
    lane.pass();
    assert.equal(lane.nodeOf('spread'), 'empty');
    lane.put(
      KubeSchedulerConfigurationManifest.parse({
        apiVersion: 'kubescheduler.config.k8s.io/v1',
        kind: 'KubeSchedulerConfiguration',
        metadata: { name: 'default' },
        profiles: [
          {
            plugins: { score: { disabled: [{ name: 'NodeResourcesBalancedAllocation' }] } },
            pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }],
          },
          { schedulerName: 'other' },
        ],
      }),
    );
    lane.put(pod('packed', asking('500m')));
    lane.pass();
    assert.equal(lane.nodeOf('packed'), 'busy');
    lane.put(pod('other', { ...asking('500m'), schedulerName: 'other' }));
    lane.pass();
    assert.equal(lane.nodeOf('other'), 'empty');
  });

  it('follow a plugin that is written in the repository, for as long as it is there', () => {
    const plugin = (spec: object): KubeObject =>
      SchedulerPluginManifest.parse({
        apiVersion: 'plumbline.dev/v1alpha1',
        kind: 'SchedulerPlugin',
        metadata: { name: 'prefer-busy' },
        spec,
      });
    const world = new World();
    for (const name of ['empty', 'busy']) world.put(node(name));
    world.put(pod('there', { ...asking('1'), nodeName: 'busy' }));
    world.put(
      KubeSchedulerConfigurationManifest.parse({
        apiVersion: 'kubescheduler.config.k8s.io/v1',
        kind: 'KubeSchedulerConfiguration',
        metadata: { name: 'default' },
        profiles: [
          { plugins: { multiPoint: { enabled: [{ name: 'prefer-busy', weight: 50 }] } } },
          { schedulerName: 'plain' },
        ],
      }),
    );
    const lane = new Lane(world);
    const placed = (name: string, schedulerName = 'default-scheduler'): string | undefined => {
      lane.put(pod(name, { ...asking('100m'), schedulerName }));
      lane.pass();
      return lane.nodeOf(name);
    };
    assert.equal(placed('before'), 'empty', 'the profile names a plugin that is not there yet');
    lane.put(plugin({ score: { expression: "100 * node.requested['cpu'] / node.allocatable['cpu']" } }));
    assert.deepEqual([placed('during'), placed('other', 'plain')], ['busy', 'empty']);
    lane.put(
      plugin({ filter: { expression: "node.name == 'busy' && node.pods < 2", reason: 'node(s) were not busy' } }),
    );
    assert.equal(placed('refused'), undefined);
    assert.equal(lane.told('refused'), '0/2 nodes are available: 2 node(s) were not busy.');
    lane.remove('prefer-busy', objectKey('SchedulerPlugin', undefined, 'prefer-busy'));
    assert.equal(placed('after'), 'empty');
    assert.equal(lane.nodeOf('refused'), 'empty', 'what waited is looked at again');
  });

  it('whose binding the store refused give their place back and are tried again', () => {
    const world = new World();
    world.put(node('n1'));
    world.put(pod('p', asking('2')));
    const pending = PendingPods.of(world);
    const pass = pending.pass(world.now, 10);
    assert.equal(pass.placed.length, 1);
    assert.equal(pending.scheduler.cluster.resource('cpu').used[0], 2000);
    for (const p of pass.placed) pending.notBound(p);
    assert.equal(pending.scheduler.cluster.resource('cpu').used[0], 0);
    assert.equal(pending.nextInMs(world.now), 1000);
    assert.equal(pending.pass(new Date(world.now.getTime() + 1000), 10).placed.length, 1);
  });
});

describe('preemption', () => {
  const ofClass = (name: string, cpu: string, priorityClassName: string, more: object = {}): ReturnType<typeof pod> =>
    pod(name, { ...asking(cpu), priorityClassName, ...more });
  function worldWith(nodes: readonly string[]): World {
    const world = new World();
    for (const name of nodes) world.put(node(name));
    for (const [name, value] of [
      ['mid', 5],
      ['high', 10],
    ] as const) {
      world.put(
        PriorityClassManifest.parse({
          apiVersion: 'scheduling.k8s.io/v1',
          kind: 'PriorityClass',
          metadata: { name },
          value,
        }),
      );
    }
    return world;
  }
  const statusOf = (lane: Lane, name: string): StoredPod['status'] =>
    lane.world.get(objectKey('Pod', 'default', name))?.status;

  it('deletes the victim with a reason, keeps its room, and places the pod when it is gone', () => {
    const world = worldWith(['n1']);
    world.put(pod('low', { ...asking('2'), nodeName: 'n1' }));
    world.put(ofClass('high', '2', 'high'));
    const lane = new Lane(world);
    lane.pass();
    assert.notEqual(world.get(objectKey('Pod', 'default', 'low'))?.metadata.deletionTimestamp, undefined);
    assert.deepEqual(
      world.events.filter(({ reason }) => reason === 'Preempted').map(({ message }) => message),
      ['Preempted by pod default/high on node n1'],
    );
    assert.equal(findCondition(statusOf(lane, 'low')?.conditions, 'DisruptionTarget')?.reason, 'PreemptionByScheduler');
    assert.equal(statusOf(lane, 'high')?.nominatedNodeName, 'n1');
    lane.wait();
    lane.pass();
    assert.equal(lane.nodeOf('high'), undefined);
    lane.remove('low');
    lane.wait();
    lane.pass();
    assert.equal(lane.nodeOf('high'), 'n1');
    assert.equal(world.conflicts, 0);
  });

  it('counts a victim whose deletion the store refused as one that stays, and takes its place after a back-off', () => {
    const world = worldWith(['n1']);
    const low = world.put(pod('low', { ...asking('2'), nodeName: 'n1' }));
    world.put(ofClass('high', '2', 'high'));
    const pending = PendingPods.of(world);
    const terminates = (): boolean | undefined => pending.scheduler.cluster.placed(low.metadata.uid)?.shape.terminating;
    const { preemptions } = pending.pass(world.now, 10);
    assert.deepEqual([preemptions.map(({ victims }) => victims), terminates()], [[[low]], true]);
    for (const preemption of preemptions) pending.notDeleted(preemption);
    assert.equal(terminates(), false);
    assert.equal(pending.nextInMs(world.now), 1000);
    const again = pending.pass(new Date(world.now.getTime() + 1000), 10);
    assert.deepEqual(
      [again.steps.filter((step) => step.do === 'delete').map(({ uid }) => uid), terminates()],
      [[low.metadata.uid], true],
    );
  });

  it('counts a victim as going from the decision on, whatever is told of it before its deletion shows', () => {
    const world = worldWith(['n1']);
    const low = world.put(pod('low', { ...asking('2'), nodeName: 'n1' }));
    world.put(ofClass('high', '2', 'high'));
    const pending = PendingPods.of(world);
    const terminates = (): boolean | undefined => pending.scheduler.cluster.placed(low.metadata.uid)?.shape.terminating;
    const [preemption] = pending.pass(world.now, 10).preemptions;
    assert.ok(preemption);
    const told = world.put({ ...low, status: { phase: 'Running' } });
    pending.changed('put', told, low);
    assert.equal(terminates(), true);
    pending.notDeleted(preemption);
    assert.equal(terminates(), false);
    pending.changed('put', told, told);
    assert.equal(terminates(), false, 'it stays as nobody deletes it any more');
  });

  it('leaves victims alone that are gone, or going, whatever became of the others', () => {
    const world = worldWith(['n1']);
    const gone = world.put(pod('gone', { ...asking('1'), nodeName: 'n1' }));
    const going = world.put(pod('going', { ...asking('1'), nodeName: 'n1' }));
    world.put(ofClass('high', '2', 'high'));
    const pending = PendingPods.of(world);
    const { preemptions } = pending.pass(world.now, 10);
    world.remove(objectKey('Pod', 'default', 'gone'));
    world.put({ ...going, metadata: { ...going.metadata, deletionTimestamp: world.now.toISOString() } });
    for (const preemption of preemptions) pending.notDeleted(preemption);
    assert.deepEqual(
      [gone, going].map(({ metadata: { uid } }) => pending.scheduler.cluster.placed(uid)?.shape.terminating),
      [true, true],
    );
  });

  it('takes a nomination from a lower pod, and its status says so no more', () => {
    const world = worldWith(['n1']);
    world.put(pod('low', { ...asking('2'), nodeName: 'n1' }));
    world.put(ofClass('mid', '2', 'mid'));
    const lane = new Lane(world);
    lane.pass();
    assert.equal(statusOf(lane, 'mid')?.nominatedNodeName, 'n1');
    lane.put(ofClass('high', '2', 'high'));
    lane.pass();
    assert.deepEqual(
      ['mid', 'high'].map((name) => statusOf(lane, name)?.nominatedNodeName),
      [undefined, 'n1'],
    );
    lane.remove('low');
    lane.wait();
    lane.pass();
    assert.deepEqual(
      ['mid', 'high'].map((name) => lane.nodeOf(name)),
      [undefined, 'n1'],
    );
    assert.equal(world.conflicts, 0);
  });

  it('spares pods whose budget allows no eviction', () => {
    const world = worldWith(['n1', 'n2']);
    world.put(pod('kept', { ...asking('2'), nodeName: 'n1' }, { labels: { app: 'kept' } }));
    world.put(ofClass('free', '2', 'mid', { nodeName: 'n2' }));
    world.put(ofClass('high', '2', 'high'));
    const lane = new Lane(world);
    lane.put(
      PodDisruptionBudgetManifest.parse({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'kept', namespace: 'default' },
        spec: { maxUnavailable: 0, selector: { matchLabels: { app: 'kept' } } },
      }),
    );
    lane.pass();
    assert.equal(statusOf(lane, 'high')?.nominatedNodeName, 'n2');
  });
});

describe('many proposers and one committer', () => {
  it('never give a node more than it has, and place all that fits', () => {
    const shapes = fc.array(
      fc.record({
        cpu: fc.integer({ min: 1, max: 4 }),
        port: fc.boolean(),
        worker: fc.integer({ min: 0, max: 3 }),
        stale: fc.boolean(),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(shapes, (asks) => {
        const world = new World();
        for (let i = 0; i < 5; i++) world.put(node(`n${i}`, { allocatable: { cpu: '4', memory: '8Gi', pods: '6' } }));
        const scheduler = (): Scheduler => {
          const cluster = new ClusterState();
          fill({ cluster }, world);
          return new Scheduler(cluster, { profiles: buildProfiles(undefined).profiles, seed: 'x' });
        };
        const committer = scheduler();
        const workers = [0, 1, 2, 3].map(scheduler);
        let waiting = asks.map(({ cpu, port, worker, stale }, i) => ({
          worker,
          stale,
          pod: world.put(
            pod(`p${i}`, {
              containers: [
                {
                  name: 'a',
                  image: 'i',
                  resources: { requests: { cpu: String(cpu) } },
                  ports: port ? [{ containerPort: 80, hostPort: 80 }] : [],
                },
              ],
            }),
          ),
        }));
        const bound = new Map<string, StoredPod>();
        for (let round = 0; waiting.length > 0; round++) {
          // Every worker proposes on what it knew when the round began, together with its own proposals.
          const proposals = waiting.flatMap((ask) => {
            const outcome = workers[ask.worker]?.place(ask.pod);
            return outcome?.is === 'placed' ? [{ ...ask, node: outcome.node }] : [];
          });
          const lost = proposals.filter(({ pod: p, node: name }) => !committer.commit(p, name));
          for (const { pod: p, node: name } of proposals)
            if (!lost.some((l) => l.pod === p))
              bound.set(p.metadata.uid, { ...p, spec: { ...p.spec, nodeName: name } });
          if (proposals.length === lost.length) assert.equal(proposals.length, 0, 'of those who race somebody wins');
          // The workers hear of what was committed, and give up what was not.
          for (const worker of workers) {
            for (const { pod: p } of lost) worker.forget(p);
            for (const p of bound.values()) worker.cluster.setPod(p);
          }
          if (proposals.length === 0) break;
          waiting = waiting.filter(({ pod: p }) => !bound.has(p.metadata.uid));
        }
        const { cluster } = committer;
        for (const name of cluster.nodeNames()) {
          const number = cluster.number(name) ?? -1;
          const here = [...bound.values()].filter((p) => p.spec.nodeName === name);
          const cpu = here.reduce((sum, p) => sum + Number(p.spec.containers[0]?.resources.requests?.['cpu']), 0);
          assert.ok(
            cpu <= 4 && here.length <= 6 && here.filter((p) => p.spec.containers[0]?.ports?.length).length <= 1,
          );
          assert.equal(cluster.resource('cpu').used[number], cpu * 1000);
        }
        for (const { pod: p } of waiting) assert.equal(committer.place(p).is, 'refused', 'who is left fits nowhere');
      }),
      { numRuns: 60 },
    );
  });
});
