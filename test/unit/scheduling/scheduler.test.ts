/** What the scheduler makes of its plugins: messages, choice, sampling. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ZONE_LABEL, type Node } from '../../../contracts/objects/index.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node, pod } from '../controllers/objects.ts';
import {
  asking,
  clusterOf,
  owned,
  place,
  placedOn,
  placesOf,
  podWith,
  profilesOf,
  schedulerFor,
  stored,
  verdictsOn,
} from './situation.ts';

const gpu = { spec: { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' as const }] } };

describe('a pod without a node', () => {
  const rows: readonly { title: string; nodes: readonly Node[]; spec: object; message: string }[] = [
    { title: 'no node at all', nodes: [], spec: {}, message: 'no nodes available to schedule pods' },
    {
      title: 'each reason with its nodes, in the order of the text',
      nodes: [node('a'), node('b', gpu), node('c', gpu)],
      spec: asking({ cpu: '3' }),
      message: '0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.',
    },
    {
      title: 'two reasons of one node',
      nodes: [node('a')],
      spec: asking({ memory: '5Gi', 'example.com/gpu': '1' }),
      message: '0/1 nodes are available: 1 Insufficient example.com/gpu, 1 Insufficient memory.',
    },
    {
      title: 'the first plugin speaks for the node',
      nodes: [node('a', { spec: { unschedulable: true }, ready: 'False' })],
      spec: asking({ cpu: '9' }),
      message: '0/1 nodes are available: 1 node(s) were unschedulable.',
    },
    {
      title: 'one node by name, two others',
      nodes: [node('a'), node('b'), node('c')],
      message: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector.",
      spec: {
        ...asking({ cpu: '3' }),
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
            },
          },
        },
      },
    },
  ];
  for (const { title, nodes, spec, message } of rows) {
    it(title, () => {
      const [outcome] = place(schedulerFor({ nodes }), pod('p', spec));
      assert.equal(outcome?.is, 'refused');
      assert.equal(outcome.refusal.message, message);
    });
  }

  it('finds one when somebody leaves, and not before', () => {
    const scheduler = schedulerFor({
      nodes: [node('n')],
      pods: [placedOn('n', {}, asking({ cpu: '2' }), { uid: 'big' })],
    });
    const wanted = pod('p', asking({ cpu: '1' }));
    scheduler.cluster.setPod(stored(placedOn('n')));
    assert.deepEqual(placesOf(place(scheduler, wanted, wanted)), [undefined, undefined]);
    scheduler.cluster.removePod('big');
    assert.deepEqual(placesOf(place(scheduler, wanted)), ['n']);
  });
  it('finds one when a pod comes that it wants to be near', () => {
    const scheduler = schedulerFor({ nodes: [node('n')] });
    const wanted = pod('p', {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'cache' } } },
          ],
        },
      },
    });
    assert.deepEqual(placesOf(place(scheduler, wanted)), [undefined]);
    assert.deepEqual(placesOf(place(scheduler, podWith({ app: 'cache' }), wanted)), ['n', 'n']);
  });
  it('asking why is no refusal', () => {
    const scheduler = schedulerFor({ nodes: [node('a'), node('b', gpu)] });
    assert.deepEqual(verdictsOn(scheduler, pod('p')), {
      a: 'passes',
      b: 'TaintToleration: node(s) had untolerated taint {gpu: true}',
    });
    assert.deepEqual(placesOf(place(scheduler, pod('p'))), ['a']);
  });
});

describe('the choice', () => {
  const places = (nodes: readonly Node[], seed: string): (string | undefined)[] =>
    placesOf(
      place(
        new Scheduler(clusterOf({ nodes }), { profiles: profilesOf([{}]).profiles, seed }),
        ...Array.from({ length: 12 }, (_, i) => pod(`p${i}`, asking({ cpu: '100m', memory: '100Mi' }))),
      ),
    );
  const nodes = ['a', 'b', 'c', 'd'].map((name) => node(name));

  it("between equal nodes is the seed's, whatever the order in which they came", () => {
    assert.deepEqual(places(nodes, 'one'), places([...nodes].reverse(), 'one'));
    assert.notDeepEqual(places(nodes, 'one'), places(nodes, 'two'));
  });
  it('goes round before it comes back', () => {
    const [first] = [places(nodes, 'one')];
    for (const from of [0, 4, 8]) assert.equal(new Set(first.slice(from, from + 4)).size, 4);
  });
  it('is the first of the ranking', () => {
    const scheduler = schedulerFor({
      nodes: [node('a', { labels: { disk: 'ssd' } }), node('b'), node('c', gpu)],
      pods: [placedOn('a', {}, asking({ cpu: '1' }), owned('x'))],
    });
    const wanted = stored(pod('p', asking({ cpu: '500m', memory: '1Gi' })));
    const ranking = scheduler.ranking(wanted, 9);
    assert.deepEqual(
      ranking.map((entry) => entry.node),
      ['b', 'a'],
    );
    for (const { total, plugins } of ranking)
      assert.ok(Math.abs(total - plugins.reduce((sum, { score, weight }) => sum + score * weight, 0)) < 1e-9);
    assert.deepEqual(scheduler.ranking(wanted, 1), ranking.slice(0, 1));
    assert.deepEqual(placesOf([scheduler.place(wanted)]), ['b']);
  });
});

describe('a pod that is refused again', () => {
  const wanted = asking({ cpu: '2', memory: '2Gi' });
  const told = (scheduler: Scheduler): string | undefined => {
    const outcome = scheduler.place(stored(pod('p', wanted)));
    return outcome.is === 'refused' ? outcome.refusal.message : undefined;
  };

  it('is told what holds now, though nothing left since', () => {
    const small = { allocatable: { cpu: '1', memory: '4Gi', pods: '9' } };
    const scheduler = schedulerFor({ nodes: [node('a', small), node('b', small)] });
    assert.equal(told(scheduler), '0/2 nodes are available: 2 Insufficient cpu.');
    scheduler.cluster.setPod(stored(placedOn('a', {}, asking({ memory: '3Gi' }))));
    assert.equal(told(scheduler), '0/2 nodes are available: 1 Insufficient memory, 2 Insufficient cpu.');
    scheduler.cluster.setNode(node('b', { ...small, spec: { unschedulable: true } }));
    assert.equal(
      told(scheduler),
      '0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable.',
    );
    scheduler.cluster.removeNode('a');
    assert.equal(told(scheduler), '0/1 nodes are available: 1 node(s) were unschedulable.');
    scheduler.cluster.removeNode('b');
    assert.equal(told(scheduler), 'no nodes available to schedule pods');
  });

  it('is told nothing of nodes that another pod kept it from, once that is gone', () => {
    const zone = { labels: { [ZONE_LABEL]: 'a' } };
    const alone = {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: ZONE_LABEL, labelSelector: { matchLabels: { app: 'web' } } },
          ],
        },
      },
    };
    const scheduler = schedulerFor({
      nodes: [node('a1', zone), node('a2', zone)],
      pods: [placedOn('a1', {}, alone, { uid: 'alone' })],
    });
    const web = stored(podWith({ app: 'web' }));
    assert.equal(
      scheduler.refusal(web).message,
      "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
    );
    scheduler.cluster.removePod('alone');
    assert.deepEqual([...scheduler.refusal(web).plugins], []);
  });
});

describe('percentageOfNodesToScore', () => {
  const zones = ['a', 'b', 'c'];
  /** 300 nodes, those of zone a first. */
  const nodes = zones.flatMap((zone) =>
    Array.from({ length: 100 }, (_, i) =>
      node(`${zone}${String(i).padStart(3, '0')}`, { labels: { [ZONE_LABEL]: zone } }),
    ),
  );
  const sampling = (percentageOfNodesToScore: number | undefined, given = nodes): Scheduler =>
    new Scheduler(clusterOf({ nodes: given }), {
      profiles: profilesOf([{ ...(percentageOfNodesToScore !== undefined && { percentageOfNodesToScore }) }]).profiles,
      seed: 's',
    });
  /** How many nodes a pod was compared on. */
  const examined = (scheduler: Scheduler): number => {
    const wanted = stored(pod('p', asking({ cpu: '1m' })));
    scheduler.place(wanted);
    const profile = scheduler.profileOf(wanted);
    assert.ok(profile);
    return scheduler.candidates(scheduler.cluster.shape(wanted), profile).examined;
  };

  it('looks at a share of the nodes, never at fewer than 100', () => {
    assert.deepEqual(
      [100, 50, 10].map((percentage) => examined(sampling(percentage))),
      [300, 150, 100],
    );
  });
  it('0 chooses by the number of nodes: 50 per cent less one for every 125', () =>
    assert.equal(examined(sampling(0)), Math.floor((300 * 48) / 100)));
  it('small clusters are looked at in full', () => assert.equal(examined(sampling(5, nodes.slice(0, 100))), 100));
  it('takes one of each zone in turn', () => {
    const { cluster } = sampling(40, [...nodes].reverse());
    const order = cluster.zoneFairOrder().map((number) => cluster.nodeName(number));
    assert.deepEqual([order.slice(0, 6), new Set(order).size], [['a000', 'b000', 'c000', 'a001', 'b001', 'c001'], 300]);
  });
  it('goes on with the others where a zone has no more', () => {
    const { cluster } = sampling(
      40,
      nodes.filter(({ metadata }) => metadata.name < 'b002'),
    );
    assert.deepEqual(
      cluster
        .zoneFairOrder()
        .slice(0, 6)
        .map((number) => cluster.nodeName(number)),
      ['a000', 'b000', 'a001', 'b001', 'a002', 'a003'],
    );
  });
  it('begins where it ended, so that every node has its turn', () => {
    const scheduler = sampling(34);
    const order = scheduler.cluster.zoneFairOrder().map((number) => scheduler.cluster.nodeName(number));
    // 102 of 300 each time; the third time goes round.
    const places = placesOf(
      place(scheduler, ...Array.from({ length: 4 }, (_, i) => pod(`p${i}`, asking({ cpu: '1' })))),
    );
    const windows = [0, 102, 204, 6].map(
      (start) => new Set(Array.from({ length: 102 }, (_, i) => order[(start + i) % 300])),
    );
    assert.deepEqual(
      places.map((name, at) => windows[at]?.has(name ?? '')),
      [true, true, true, true],
    );
  });
  it('nodes that refuse do not count', () => {
    const scheduler = sampling(34);
    const wanted = stored(pod('p', { nodeSelector: { [ZONE_LABEL]: 'c' } }));
    const outcome = scheduler.place(wanted);
    assert.ok(outcome.is === 'placed' && outcome.node.startsWith('c'));
  });
});
