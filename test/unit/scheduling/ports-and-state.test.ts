/** Host ports, readiness, and nodes and pods that come and go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { ClusterEvent } from '../../../reconciler/core/scheduling/cluster-event.ts';
import { node, pod } from '../controllers/objects.ts';
import {
  asking,
  owned,
  PASSES,
  place,
  placedOn,
  placesOf,
  podWith,
  schedulerFor,
  stored,
  verdicts,
  verdictsOn,
} from './situation.ts';

const P = PASSES;
const PORTS = "NodePorts: node(s) didn't have free ports for the requested pod ports";
const NOT_READY = 'NodeReady: node(s) were not ready';
const FULL = 'NodeResourcesFit: Insufficient cpu';

const exposing = (...ports: object[]): object =>
  asking({}, { ports: ports.map((port) => ({ containerPort: 8080, ...port })) });

describe('host ports', () => {
  const http = placedOn('n', {}, exposing({ hostPort: 80 }));
  const rows: readonly (readonly [string, Pod, object, string])[] = [
    ['a port that is taken', http, exposing({ hostPort: 80 }), PORTS],
    ['another port', http, exposing({ hostPort: 81 }), P],
    ['another protocol', http, exposing({ hostPort: 80, protocol: 'UDP' }), P],
    ['one of several', http, exposing({ hostPort: 81 }, { hostPort: 80 }), PORTS],
    ['container ports alone take nothing', http, exposing({ containerPort: 80 }), P],
    [
      'in the host network container ports are host ports',
      http,
      { ...exposing({ containerPort: 80 }), hostNetwork: true },
      PORTS,
    ],
    [
      'held by a pod in the host network',
      placedOn('n', {}, { ...exposing({ containerPort: 80 }), hostNetwork: true }),
      exposing({ hostPort: 80 }),
      PORTS,
    ],
    [
      'held by a pod of another namespace',
      placedOn('n', {}, exposing({ hostPort: 80 }), { namespace: 'other' }),
      exposing({ hostPort: 80 }),
      PORTS,
    ],
    [
      'held by a pod that terminates',
      placedOn('n', {}, exposing({ hostPort: 80 }), { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      exposing({ hostPort: 80 }),
      PORTS,
    ],
    [
      'held by a pod that was stopped and that a finalizer keeps',
      {
        ...placedOn('n', {}, exposing({ hostPort: 80 }), {
          deletionTimestamp: '2026-01-01T00:00:00Z',
          finalizers: ['example.com/x'],
        }),
        status: { phase: 'Failed' },
      },
      exposing({ hostPort: 80 }),
      P,
    ],
    [
      'at another address of the node',
      placedOn('n', {}, exposing({ hostPort: 80, hostIP: '198.18.0.1' })),
      exposing({ hostPort: 80, hostIP: '198.18.0.2' }),
      P,
    ],
    [
      'at the same address',
      placedOn('n', {}, exposing({ hostPort: 80, hostIP: '198.18.0.1' })),
      exposing({ hostPort: 80, hostIP: '198.18.0.1' }),
      PORTS,
    ],
    [
      'at all addresses, held at one',
      placedOn('n', {}, exposing({ hostPort: 80, hostIP: '198.18.0.1' })),
      exposing({ hostPort: 80 }),
      PORTS,
    ],
    [
      'at one address, held at all',
      placedOn('n', {}, exposing({ hostPort: 80, hostIP: '0.0.0.0' })),
      exposing({ hostPort: 80, hostIP: '198.18.0.1' }),
      PORTS,
    ],
    [
      'held by a pod that ended',
      { ...placedOn('n', {}, exposing({ hostPort: 80 })), status: { phase: 'Failed' } },
      exposing({ hostPort: 80 }),
      P,
    ],
  ];
  for (const [title, placed, spec, expected] of rows)
    it(title, () =>
      assert.deepEqual(verdicts({ nodes: [node('n'), node('free')], pods: [placed] }, pod('p', spec)), {
        n: expected,
        free: P,
      }),
    );

  it('of one pod, named twice, are taken once', () => {
    const scheduler = schedulerFor({ nodes: [node('n')] });
    const twice = {
      containers: [
        { name: 'a', image: 'i', ports: [{ containerPort: 1, hostPort: 80 }] },
        { name: 'b', image: 'i', ports: [{ containerPort: 2, hostPort: 80 }] },
      ],
    };
    assert.deepEqual(placesOf(place(scheduler, pod('one', twice), pod('two', twice))), ['n', undefined]);
    scheduler.forget(stored(pod('one', twice)));
    assert.deepEqual(placesOf(place(scheduler, pod('two', twice))), ['n']);
  });
});

describe('nodes', () => {
  for (const ready of ['False', 'Unknown'] as const)
    it(`refuse while Ready is ${ready}`, () =>
      assert.deepEqual(verdicts({ nodes: [node('n', { ready })] }, pod('p')), { n: NOT_READY }));
  it('refuse while they have not told', () => {
    const { status: _, ...silent } = node('n');
    assert.deepEqual(verdicts({ nodes: [silent] }, pod('p')), { n: NOT_READY });
  });
  it('refuse until they are ready, cordoned or relabelled', () => {
    const scheduler = schedulerFor({ nodes: [node('n', { ready: 'False' })] });
    const says = (): string | undefined => verdictsOn(scheduler, pod('p', { nodeSelector: { disk: 'ssd' } })).n;
    const seen = [says()];
    for (const changed of [
      node('n'),
      node('n', { labels: { disk: 'ssd' } }),
      node('n', { labels: { disk: 'ssd' }, spec: { unschedulable: true } }),
    ]) {
      scheduler.cluster.setNode(changed);
      seen.push(says());
    }
    assert.deepEqual(seen, [
      NOT_READY,
      "NodeAffinity: node(s) didn't match Pod's node affinity/selector",
      P,
      'NodeUnschedulable: node(s) were unschedulable',
    ]);
  });
  it('a heartbeat changes nothing', () => {
    const cluster = new ClusterState();
    const events: ClusterEvent[] = [];
    cluster.setNode(node('n'));
    cluster.subscribe((event) => events.push(event));
    const before = cluster.topology;
    const beat = node('n');
    cluster.setNode({
      ...beat,
      status: {
        ...beat.status,
        conditions: (beat.status?.conditions ?? []).map((c) => ({ ...c, lastHeartbeatTime: '2027-01-01T00:00:00Z' })),
      },
    });
    assert.deepEqual([cluster.topology, events], [before, []]);
  });
  it('that went take their pods with them, and find them again', () => {
    const scheduler = schedulerFor({ nodes: [node('a'), node('b')], pods: [placedOn('a', {}, asking({ cpu: '2' }))] });
    const wanted = pod('p', asking({ cpu: '1' }));
    assert.deepEqual(verdictsOn(scheduler, wanted), { a: FULL, b: P });
    scheduler.cluster.removeNode('a');
    assert.deepEqual(verdictsOn(scheduler, wanted), { b: P });
    // It takes the number of the one that went.
    scheduler.cluster.setNode(node('c'));
    assert.deepEqual(verdictsOn(scheduler, wanted), { b: P, c: P });
    scheduler.cluster.setNode(node('a'));
    assert.deepEqual(verdictsOn(scheduler, wanted), { a: FULL, b: P, c: P });
  });
  it('pods that come before their node are counted with it', () => {
    const scheduler = schedulerFor({ nodes: [node('a')], pods: [placedOn('late', {}, asking({ cpu: '2' }))] });
    scheduler.cluster.setNode(node('late'));
    assert.deepEqual(verdictsOn(scheduler, pod('p', asking({ cpu: '1' }))), { a: P, late: FULL });
  });
});

describe('pods', () => {
  it('of one owner that have their node tie the next ones to none', () => {
    const scheduler = schedulerFor({
      nodes: [node('a'), node('b')],
      pods: [placedOn('a', { app: 'web' }, asking({ cpu: '1500m' }), owned('rs'))],
    });
    assert.deepEqual(verdictsOn(scheduler, podWith({ app: 'web' }, asking({ cpu: '1500m' }), owned('rs'))), {
      a: FULL,
      b: P,
    });
  });
  it('keep their room while their binding is on its way, and give it back when it fails', () => {
    const scheduler = schedulerFor({ nodes: [node('n')] });
    const [first, second] = [pod('first', asking({ cpu: '2' })), pod('second', asking({ cpu: '1' }))];
    assert.deepEqual(placesOf(place(scheduler, first)), ['n']);
    scheduler.cluster.setPod(stored(first));
    assert.deepEqual(verdictsOn(scheduler, second), { n: FULL });
    scheduler.forget(stored(first));
    scheduler.forget(stored(first));
    assert.deepEqual(verdictsOn(scheduler, second), { n: P });
  });
  it('are counted once, however often they are told of', () => {
    const scheduler = schedulerFor({ nodes: [node('n')] });
    const first = pod('first', asking({ cpu: '1' }));
    place(scheduler, first);
    const bound = stored({ ...first, spec: { ...first.spec, nodeName: 'n' } });
    for (let i = 0; i < 3; i++) scheduler.cluster.setPod(bound);
    assert.deepEqual(verdictsOn(scheduler, pod('p', asking({ cpu: '1' }))), { n: P });
    assert.equal(scheduler.cluster.podCount, 1);
    scheduler.cluster.setPod({ ...bound, status: { phase: 'Succeeded' } });
    assert.equal(scheduler.cluster.podCount, 0);
  });
});
