import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Node, StoredPod, StoredService } from '../../../contracts/objects/index.ts';
import { capacityOf, hostPortsOf, requestsOf } from '../../../reconciler/core/scheduling/resources.ts';
import { schedule, type Snapshot } from '../../../reconciler/core/scheduling/schedule.ts';
import { node, pod, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const world = new World();
const stored = (name: string, spec: object = {}, metadata: object = {}): StoredPod => world.put(pod(name, spec, metadata));
const asking = (requests: Record<string, string>, more: object = {}): object => ({ containers: [{ name: 'app', image: 'app:v1', resources: { requests }, ...more }] });
const owned = (uid: string): object => ({ ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: uid, uid, controller: true }] });

function place(pods: readonly StoredPod[], nodes: readonly Node[], rest: Partial<Snapshot> = {}): ReturnType<typeof schedule> {
  return schedule(pods, { nodes, bound: [], services: [], ...rest }, { seed: 'test' });
}
function perNode(result: ReturnType<typeof schedule>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { node: name } of result.bindings) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

describe('requests', () => {
  it('are the sum of containers or the largest init container', () => {
    const p = pod('p', {
      containers: [{ name: 'a', image: 'i', resources: { requests: { cpu: '100m', memory: '1Gi' } } }, { name: 'b', image: 'i', resources: { requests: { cpu: '0.2' } } }],
      initContainers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1', memory: '1Mi' } } }],
    });
    assert.deepEqual(Object.fromEntries(requestsOf(p)), { pods: 1, cpu: 1000, memory: 2 ** 30 });
  });
  it('of ports are host ports, all ports in the host network', () => {
    const ports = [{ containerPort: 80 }, { containerPort: 53, hostPort: 5353, protocol: 'UDP' }];
    assert.deepEqual(hostPortsOf(pod('p', asking({}, { ports }))), ['UDP/5353']);
    assert.deepEqual(hostPortsOf(pod('p', { ...asking({}, { ports }), hostNetwork: true })), ['TCP/80', 'UDP/5353']);
  });
});

describe('schedule', () => {
  const gpu = { key: 'gpu', value: 'true', effect: 'NoSchedule' } as const;
  const refusals: readonly { name: string; spec: object; nodes: readonly Node[]; bound?: readonly StoredPod[]; message: string; detail?: string }[] = [
    { name: 'no node at all', spec: {}, nodes: [], message: 'no nodes available to schedule pods' },
    {
      name: 'cpu and taints', spec: asking({ cpu: '3' }), nodes: [node('a'), node('b', { spec: { taints: [gpu] } }), node('c', { spec: { taints: [gpu] } })],
      message: '0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {gpu: true}.', detail: 'cpu: asks for 3000m, 2000m of 2000m is free',
    },
    { name: 'memory and an extended resource at once', spec: asking({ memory: '5Gi', 'example.com/fpga': '1' }), nodes: [node('a')], message: '0/1 nodes are available: 1 Insufficient example.com/fpga, 1 Insufficient memory.' },
    { name: 'cordoned', spec: {}, nodes: [node('a', { spec: { unschedulable: true } })], message: '0/1 nodes are available: 1 node(s) were unschedulable.' },
    { name: 'not ready', spec: {}, nodes: [node('a', { ready: 'Unknown' })], message: '0/1 nodes are available: 1 node(s) were not ready.' },
    { name: 'labels', spec: { nodeSelector: { disk: 'ssd' } }, nodes: [node('a')], message: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", detail: 'lacks label disk=ssd' },
    {
      name: 'a taken host port', spec: asking({}, { ports: [{ containerPort: 80, hostPort: 80 }] }), nodes: [node('a')],
      bound: [stored('holder', { ...asking({}, { ports: [{ containerPort: 1, hostPort: 80 }] }), nodeName: 'a' })],
      message: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", detail: 'host port TCP/80 is taken',
    },
    { name: 'too many pods', spec: {}, nodes: [node('a', { allocatable: { cpu: '1', memory: '1Gi', pods: '0' } })], message: '0/1 nodes are available: 1 Too many pods.' },
  ];
  for (const row of refusals) {
    it(`refuses: ${row.name}`, () => {
      const result = place([stored('p', row.spec)], row.nodes, { bound: row.bound ?? [] });
      assert.deepEqual(result.bindings, []);
      assert.equal(result.unschedulable[0]?.message, row.message);
      if (row.detail) assert.ok(result.unschedulable[0]?.verdicts.some((v) => v.details.includes(row.detail ?? '')));
    });
  }

  it('tolerates taints, and obeys nodeSelector', () => {
    const nodes = [node('a', { labels: { disk: 'ssd' }, spec: { taints: [gpu] } }), node('b')];
    const result = place([stored('p', { nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] })], nodes);
    assert.equal(result.bindings[0]?.node, 'a');
  });

  it('spreads the pods of one owner, counting those that run', () => {
    const nodes = ['a', 'b', 'c'].map((name) => node(name));
    const bound = ['x', 'y'].map((name) => stored(name, { nodeName: 'a' }, owned('rs-1')));
    const result = place(Array.from({ length: 7 }, (_, i) => stored(`s${i}`, {}, owned('rs-1'))), nodes, { bound });
    assert.deepEqual(perNode(result), { a: 1, b: 3, c: 3 });
  });

  it('spreads the pods behind one Service although their owners differ', () => {
    const services: StoredService[] = [world.put(service('web'))];
    const bound = [stored('v1', { nodeName: 'a' }, { ...owned('old'), labels: { app: 'web' } })];
    const result = place([stored('v2', {}, { ...owned('new'), labels: { app: 'web' } })], [node('a'), node('b')], { bound, services });
    assert.equal(result.bindings[0]?.node, 'b');
  });

  it('prefers the emptier node, and a node without PreferNoSchedule', () => {
    const busy = stored('busy', { ...asking({ cpu: '1500m' }), nodeName: 'a' });
    assert.equal(place([stored('q')], [node('a'), node('b')], { bound: [busy] }).bindings[0]?.node, 'b');
    const avoided = node('b', { spec: { taints: [{ key: 'old', effect: 'PreferNoSchedule' }] } });
    assert.equal(place([stored('q')], [node('a'), avoided], { bound: [busy] }).bindings[0]?.node, 'a');
  });

  it('places what fits and says why the rest does not', () => {
    const result = place(Array.from({ length: 5 }, (_, i) => stored(`f${i}`, asking({ cpu: '1' }))), [node('a'), node('b')]);
    assert.equal(result.bindings.length, 4);
    assert.equal(result.unschedulable[0]?.message, '0/2 nodes are available: 2 Insufficient cpu.');
  });

  it('places 10,000 pods on 5,000 nodes without looking at every pair', () => {
    const nodes = Array.from({ length: 5000 }, (_, i) => node(`n${i}`));
    const calls = { count: 0 };
    const counting = { name: 'Counting', filter: () => { calls.count++; return undefined; } };
    const base = pod('big', asking({ cpu: '100m' }), owned('rs-big'));
    const pods = Array.from({ length: 10_000 }, (_, i): StoredPod => ({
      ...base, metadata: { ...base.metadata, name: `big-${i}`, uid: `u${i}`, resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
    }));
    const result = schedule(pods, { nodes, bound: [], services: [] }, { seed: 'test', filters: [counting] });
    assert.equal(result.bindings.length, 10_000);
    assert.ok(calls.count <= 5000 + 2 * 10_000, `${calls.count} filter calls`);
    assert.deepEqual(new Set(Object.values(perNode(result))), new Set([2]));
  });
});

describe('property: schedule', () => {
  const cpu = fc.integer({ min: 0, max: 30 }).map((tenths) => `${tenths * 100}m`);
  const memory = fc.integer({ min: 0, max: 6 }).map((gi) => `${gi}Gi`);
  const podArb = fc.record({ cpu, memory, port: fc.constantFrom(undefined, undefined, 80, 81), owner: fc.constantFrom('r1', 'r2'), init: fc.constantFrom(undefined, '2500m') });
  const nodeArb = fc.record({ cpu: fc.integer({ min: 0, max: 4 }), memory: fc.integer({ min: 0, max: 8 }), pods: fc.integer({ min: 0, max: 4 }) });

  it('never over-commits a node, whatever comes, and does not depend on the order of its input', () => {
    fc.assert(fc.property(fc.array(podArb, { maxLength: 14 }), fc.array(nodeArb, { maxLength: 5 }), fc.nat(), (specs, sizes, turn) => {
      const w = new World();
      const make = (s: typeof specs[number], i: number): StoredPod => w.put(pod(`p${i}`, {
        ...asking({ cpu: s.cpu, memory: s.memory }, s.port ? { ports: [{ containerPort: 8080, hostPort: s.port }] } : {}),
        ...(s.init && { initContainers: [{ name: 'i', image: 'i', resources: { requests: { cpu: s.init } } }] }),
      }, owned(s.owner)));
      const pods = specs.map(make);
      const nodes = sizes.map((n, i) => node(`n${i}`, { allocatable: { cpu: String(n.cpu), memory: `${n.memory}Gi`, pods: String(n.pods) } }));
      const first = place(pods, nodes);
      assert.equal(first.bindings.length + first.unschedulable.length, pods.length);
      for (const n of nodes) {
        const here = first.bindings.filter((b) => b.node === n.metadata.name).map((b) => b.pod);
        const has = capacityOf(n.status?.allocatable);
        for (const resource of ['cpu', 'memory', 'pods']) {
          const asked = here.reduce((sum, p) => sum + (requestsOf(p).get(resource) ?? 0), 0);
          assert.ok(asked <= (has.get(resource) ?? 0), `${resource}: ${asked} of ${has.get(resource)}`);
        }
        const ports = here.flatMap(hostPortsOf);
        assert.equal(new Set(ports).size, ports.length);
      }
      const rotate = <T>(list: readonly T[]): T[] => [...list.slice(turn % Math.max(1, list.length)), ...list.slice(0, turn % Math.max(1, list.length))].reverse();
      const second = place(rotate(pods), rotate(nodes));
      const plain = (r: typeof first): unknown => [r.bindings.map((b) => [b.pod.metadata.name, b.node]), r.unschedulable.map((u) => [u.pod.metadata.name, u.message])];
      assert.deepEqual(plain(second), plain(first));
    }), { numRuns: 200 });
  });
});
