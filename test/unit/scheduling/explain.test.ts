/** What is said of a pod's place, and that saying it changes nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  KubeSchedulerConfigurationManifest,
  objectKey,
  PodGroupManifest,
  type KubeObject,
  type Node,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import type { PlacedPod, PlacementExplanation, WaitingPod } from '../../../reconciler/core/scheduling/explain.ts';
import { nodeNames, verdictLines } from '../../../reconciler/core/scheduling/verdict-lines.ts';
import { node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const asking = (requests: Record<string, string>): object => ({
  containers: [{ name: 'app', image: 'app:v1', resources: { requests } }],
});
const tainted = (name: string): Node =>
  node(name, { spec: { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' }] } });
const inGang = (name: string): Pod =>
  pod(name, asking({ cpu: '1' }), { labels: { 'scheduling.x-k8s.io/pod-group': 'gang' } });
const gang = (minMember: number): KubeObject =>
  PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'gang', namespace: 'default' },
    spec: { minMember },
  });

class Bench {
  readonly world = new World();
  readonly pending: PendingPods;
  constructor(...objects: readonly KubeObject[]) {
    for (const object of objects) this.world.put(object);
    this.pending = PendingPods.of(this.world);
  }
  pass(): void {
    const before = new Map(this.world.list('Pod').map((p) => [p.metadata.uid, p]));
    this.world.apply({ steps: this.pending.pass(this.world.now, Infinity).steps });
    for (const p of this.world.list('Pod'))
      if (before.get(p.metadata.uid) !== p) this.pending.changed('put', p, before.get(p.metadata.uid));
  }
  put(object: KubeObject): void {
    this.pending.changed('put', this.world.put(object), undefined);
  }
  wait(ms: number): void {
    this.world.now = new Date(this.world.now.getTime() + ms);
  }
  explain(name: string): PlacementExplanation | undefined {
    return this.pending.explain(this.world.get(objectKey('Pod', 'default', name)) ?? assert.fail(`no pod ${name}`));
  }
  waiting(name: string): WaitingPod {
    const explained = this.explain(name);
    return explained?.is === 'waiting' ? explained : assert.fail(`pod ${name} is ${explained?.is}`);
  }
  placed(name: string): PlacedPod {
    const explained = this.explain(name);
    return explained?.is === 'placed' ? explained : assert.fail(`pod ${name} is ${explained?.is}`);
  }
}

describe('a pod that waits', () => {
  const small = (name: string): Node => node(name, { allocatable: { cpu: '2', memory: '4Gi', pods: '110' } });
  const rows: readonly { name: string; objects: readonly KubeObject[]; says: string; lines?: readonly string[] }[] = [
    { name: 'for a node at all', objects: [pod('x')], says: 'no nodes available to schedule pods', lines: [] },
    {
      name: 'for room, and for a taint to go',
      objects: [
        ...['n1', 'n2', 'n3'].map(small),
        tainted('n4'),
        tainted('n5'),
        pod('there', { ...asking({ cpu: '500m' }), nodeName: 'n3' }),
        pod('x', asking({ cpu: '4' })),
      ],
      says: '0/5 nodes are available: 2 node(s) had untolerated taint {gpu: true}, 3 Insufficient cpu.',
      lines: [
        '3 Insufficient cpu',
        '  n1, n2: cpu: asks for 4000m, 2000m of 2000m is free',
        '  n3: cpu: asks for 4000m, 1500m of 2000m is free',
        '2 node(s) had untolerated taint {gpu: true}',
        '  n4, n5: taint gpu=true:NoSchedule',
      ],
    },
    {
      name: 'for several resources of one node',
      objects: [small('n1'), pod('x', asking({ cpu: '3', memory: '8Gi', 'example.com/gpu': '1' }))],
      says: '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Insufficient memory.',
      lines: [
        '1 Insufficient cpu, Insufficient memory, Insufficient example.com/gpu',
        '  n1: cpu: asks for 3000m, 2000m of 2000m is free; memory: asks for 8192Mi, 4096Mi of 4096Mi is free; example.com/gpu: asks for 1, 0 of 0 is free',
      ],
    },
    {
      name: 'for its gates',
      objects: [small('n1'), pod('x', { schedulingGates: [{ name: 'example.com/wait' }] })],
      says: 'Scheduling is blocked due to non-empty scheduling gates: example.com/wait',
      lines: [],
    },
    {
      name: 'for somebody else',
      objects: [small('n1'), pod('x', { schedulerName: 'nobody' })],
      says: 'no profile of the scheduler has the name nobody',
      lines: [],
    },
    {
      name: 'for its turn',
      objects: [small('n1'), tainted('n2'), pod('x')],
      says: '1 of 2 nodes would have it now: it gets a place when its turn comes',
      lines: ['1 node(s) had untolerated taint {gpu: true}', '  n2: taint gpu=true:NoSchedule'],
    },
    {
      name: 'for its group to be made',
      objects: [small('n1'), inGang('x')],
      says: 'PodGroup default/gang does not exist',
      lines: [],
    },
    {
      name: 'for more of its group',
      objects: [small('n1'), gang(3), inGang('x'), inGang('y')],
      says: 'pod group default/gang needs 3 pods placed together (0 placed, 2 waiting): only 2 are there',
      lines: [],
    },
    {
      name: 'for room for its group',
      objects: [tainted('n1'), gang(2), inGang('x'), inGang('y')],
      says: 'pod group default/gang needs 2 pods placed together (0 placed, 2 waiting): 0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.',
      lines: ['1 node(s) had untolerated taint {gpu: true}', '  n1: taint gpu=true:NoSchedule'],
    },
  ];
  for (const { name, objects, says, lines = [] } of rows) {
    it(name, () => {
      const { message, verdicts } = new Bench(...objects).waiting('x');
      assert.equal(message, says);
      assert.deepEqual(verdictLines(verdicts), lines);
    });
  }

  it('is told where in the queue it is, what could wake it, and when it is tried again', () => {
    const bench = new Bench(tainted('n1'), pod('x', asking({ cpu: '1' })));
    const start = bench.world.now.getTime();
    const at = (ms: number): string => new Date(start + ms).toISOString();
    assert.deepEqual(bench.waiting('x').queue, { part: 'active', attempts: 0, waitsFor: [], since: at(0) });
    bench.wait(10);
    bench.pass();
    assert.deepEqual(bench.waiting('x').queue, {
      part: 'unschedulable',
      attempts: 1,
      waitsFor: ['TaintToleration'],
      since: at(0),
      lastTried: at(10),
      nextTryBy: at(300_010),
    });
    bench.put(node('small', { allocatable: { cpu: '500m', memory: '1Gi', pods: '10' } }));
    const backing = bench.waiting('x');
    assert.deepEqual(backing.queue, {
      part: 'backoff',
      attempts: 1,
      waitsFor: [],
      since: at(0),
      lastTried: at(10),
      nextTryBy: at(1010),
    });
    assert.match(backing.message, /^0\/2 nodes are available: 1 Insufficient cpu, 1 node/);
    assert.equal(backing.lastTold, '0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.');
    assert.deepEqual(
      new Bench(node('n1'), pod('x', { schedulingGates: [{ name: 'a.b/c' }] })).waiting('x').queue?.part,
      'gated',
    );
  });

  it('is told its nomination, and the room that is kept for it is not held against it', () => {
    const bench = new Bench(node('n1'), {
      ...pod('x', asking({ cpu: '2' })),
      status: { phase: 'Pending', nominatedNodeName: 'n1' },
    });
    const { nominatedNode, message } = bench.waiting('x');
    assert.deepEqual(
      [nominatedNode, message],
      ['n1', '1 of 1 nodes would have it now: it gets a place when its turn comes'],
    );
  });

  it('is told where room is made for it, and that it waits for that', () => {
    const high: KubeObject = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'high' },
      value: 10,
      globalDefault: false,
      preemptionPolicy: 'PreemptLowerPriority',
    };
    const bench = new Bench(
      high,
      node('n1'),
      pod('there', { ...asking({ cpu: '2' }), nodeName: 'n1' }),
      pod('x', { ...asking({ cpu: '1' }), priorityClassName: 'high' }),
    );
    bench.pass();
    const { nominatedNode, queue, message } = bench.waiting('x');
    assert.deepEqual(
      [nominatedNode, queue?.part, queue?.roomOn, queue?.waitsFor, message],
      ['n1', 'unschedulable', 'n1', [], '0/1 nodes are available: 1 Insufficient cpu.'],
    );
    assert.equal(bench.explain('there'), undefined, 'it is on its way out');
  });

  it('is told of all nodes in data, and of few in text', () => {
    const bench = new Bench(
      ...Array.from({ length: 5000 }, (_, at) =>
        node(`n${String(at).padStart(4, '0')}`, {
          allocatable: { cpu: at < 4 ? `${at}m` : '1', memory: '1Gi', pods: '10' },
        }),
      ),
      pod('x', asking({ cpu: '8' })),
    );
    const { verdicts } = bench.waiting('x');
    assert.equal(verdicts.length, 5000);
    assert.deepEqual(verdictLines(verdicts), [
      '5,000 Insufficient cpu',
      '  n0004, n0005, n0006, n0007, n0008 and 4,991 more: cpu: asks for 8000m, 1000m of 1000m is free',
      '  n0000: cpu: asks for 8000m, 0m of 0m is free',
      '  n0001: cpu: asks for 8000m, 1m of 1m is free',
      '  and 2 more',
    ]);
  });

  it('shortens lists of names where that saves something', () => {
    assert.equal(nodeNames(['a', 'b', 'c', 'd', 'e', 'f']), 'a, b, c, d, e, f');
    assert.equal(nodeNames(['a', 'b', 'c', 'd', 'e', 'f', 'g']), 'a, b, c, d, e and 2 more');
    assert.equal(nodeNames(Array.from({ length: 1_234_572 }, () => 'n')), 'n, n, n, n, n and 1,234,567 more');
  });
});

describe('a pod that has its node', () => {
  it('is told the best nodes as if it were placed again: itself taken out, its own marked', () => {
    const bench = new Bench(
      node('n1'),
      node('n2'),
      pod('other', { ...asking({ cpu: '500m', memory: '1Gi' }), nodeName: 'n2' }),
      pod('x', { ...asking({ cpu: '1', memory: '2Gi' }), nodeName: 'n1' }),
    );
    const { ranking, ...rest } = bench.placed('x');
    assert.deepEqual(rest, { is: 'placed', node: 'n1', nodes: 2, available: 2 });
    assert.deepEqual(
      ranking.map(({ node: name, rank, own }) => ({ name, rank, own })),
      [
        { name: 'n1', rank: 1, own: true },
        { name: 'n2', rank: 2, own: false },
      ],
    );
    const fit = ranking.map(({ plugins }) => plugins.find(({ plugin }) => plugin === 'NodeResourcesFit')?.score);
    assert.deepEqual(fit, [50, 25], 'n1 is empty but for the pod itself');
    for (const { total, plugins } of ranking)
      assert.equal(
        total,
        plugins.reduce((sum, { score, weight }) => sum + score * weight, 0),
      );
  });

  it('is told of five nodes, and of its own wherever that is', () => {
    const bench = new Bench(
      ...Array.from({ length: 9 }, (_, at) =>
        node(`n${at}`, { allocatable: { cpu: String(at + 2), memory: `${at + 2}Gi`, pods: '10' } }),
      ),
      pod('x', { ...asking({ cpu: '1', memory: '1Gi' }), nodeName: 'n1' }),
    );
    assert.deepEqual(
      bench.placed('x').ranking.map(({ node: name, rank }) => `${rank} ${name}`),
      ['1 n8', '2 n7', '3 n6', '4 n5', '5 n4', '8 n1'],
    );
  });

  it('is told why its node would not have it again', () => {
    const bench = new Bench(node('n1', { spec: { unschedulable: true } }), node('n2'), pod('x', { nodeName: 'n1' }));
    const { refusedNow, ranking, available } = bench.placed('x');
    assert.deepEqual(refusedNow, {
      node: 'n1',
      plugin: 'NodeUnschedulable',
      reasons: [{ reason: 'node(s) were unschedulable', detail: 'the node is cordoned' }],
    });
    assert.deepEqual([ranking.map((ranked) => ranked.node), available], [['n2'], 1]);
  });

  it('is told nothing once it ended or is being deleted', () => {
    const bench = new Bench(node('n1'), pod('x', { nodeName: 'n1' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }), {
      ...pod('y', { nodeName: 'n1' }),
      status: { phase: 'Succeeded' },
    });
    assert.deepEqual([bench.explain('x'), bench.explain('y')], [undefined, undefined]);
  });

  it('keeps it for itself: nobody in the queue hears of it', () => {
    const bench = new Bench(
      node('n1'),
      pod('big', asking({ cpu: '2' })),
      pod('x', { ...asking({ cpu: '1' }), nodeName: 'n1' }),
    );
    bench.pass();
    assert.equal(bench.pending.counts.unschedulable, 1);
    bench.placed('x');
    assert.deepEqual(bench.pending.counts, { active: 0, backoff: 0, unschedulable: 1, gated: 0 });
  });
});

describe('explaining', () => {
  const spec = fc.record({
    cpu: fc.integer({ min: 1, max: 12 }),
    app: fc.constantFrom('a', 'b'),
    tolerates: fc.boolean(),
    rule: fc.constantFrom('none', 'apart', 'together', 'spread'),
    port: fc.boolean(),
  });
  const podOf = (
    name: string,
    { cpu, app, tolerates, rule, port }: { cpu: number; app: string; tolerates: boolean; rule: string; port: boolean },
  ): Pod => {
    const term = {
      labelSelector: { matchLabels: { app } },
      topologyKey: rule === 'apart' ? 'kubernetes.io/hostname' : 'zone',
    };
    return pod(
      name,
      {
        containers: [
          {
            name: 'app',
            image: 'app:v1',
            resources: { requests: { cpu: `${cpu * 100}m` } },
            ...(port && { ports: [{ containerPort: 80, hostPort: 80 }] }),
          },
        ],
        ...(tolerates && { tolerations: [{ key: 'gpu', operator: 'Exists' }] }),
        ...(rule === 'apart' && {
          affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
        }),
        ...(rule === 'together' && {
          affinity: {
            podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 50, podAffinityTerm: term }] },
          },
        }),
        ...(rule === 'spread' && {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'zone',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { app } },
            },
          ],
        }),
      },
      { labels: { app } },
    );
  };

  it('changes no decision, however often it is done in between', () => {
    fc.assert(
      fc.property(
        fc.array(spec, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.nat(11), { maxLength: 6 }),
        (specs, nodes, asked) => {
          const objects = Array.from({ length: nodes }, (_, at) =>
            node(`n${at}`, {
              labels: { zone: `z${at % 2}` },
              ...(at === 1 && { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' as const }] } }),
            }),
          );
          const places = (explains: boolean): unknown => {
            const bench = new Bench(...objects);
            for (const [at, one] of specs.entries()) {
              bench.put(podOf(`p${at}`, one));
              if (explains) for (const name of [...asked.filter((i) => i <= at), at]) bench.explain(`p${name}`);
              bench.pass();
              if (explains) for (const name of asked.filter((i) => i <= at)) bench.explain(`p${name}`);
            }
            return [
              bench.world
                .list('Pod')
                .map(({ spec: { nodeName }, status }) => [nodeName, status?.conditions?.[0]?.message]),
              bench.pending.counts,
            ];
          };
          assert.deepEqual(places(true), places(false));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('ranks the node first that the scheduler takes', () => {
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 10 }), fc.integer({ min: 2, max: 5 }), (specs, nodes) => {
        const bench = new Bench(
          ...Array.from({ length: nodes }, (_, at) => node(`n${at}`, { labels: { zone: `z${at % 2}` } })),
        );
        for (const [at, one] of specs.entries()) {
          bench.put(podOf(`p${at}`, one));
          bench.pass();
          const explained = bench.explain(`p${at}`);
          if (explained?.is === 'placed') assert.deepEqual(explained.ranking.find(({ own }) => own)?.rank, 1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('knows the profile that the pod asks for', () => {
    const config = KubeSchedulerConfigurationManifest.parse({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      metadata: { name: 'default' },
      profiles: [{}, { schedulerName: 'other', plugins: { multiPoint: { disabled: [{ name: 'TaintToleration' }] } } }],
    }) as KubeObject;
    const bench = new Bench(config, tainted('n1'), pod('x', { schedulerName: 'other' }), pod('y'));
    assert.match(bench.waiting('x').message, /^1 of 1 nodes/);
    assert.match(bench.waiting('y').message, /^0\/1 nodes/);
  });
});
