import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ClusterManifest, type StoredNode } from '../../../contracts/objects/index.ts';
import { PodRanges } from '../../../reconciler/core/nodes/pod-ranges.ts';
import { node } from '../controllers/objects.ts';

const settings = (podCIDR: string) =>
  ClusterManifest.parse({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'c' },
    spec: { network: { podCIDR } },
  }).spec.network;

function stored(name: string, podCIDR: string | undefined, age = 0): StoredNode {
  const made = node(name, { spec: podCIDR === undefined ? {} : { podCIDR } });
  return {
    ...made,
    metadata: {
      ...made.metadata,
      uid: name,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, age)).toISOString(),
    },
  };
}

function ranges(podCIDR: string, machines: readonly string[], nodes: readonly StoredNode[] = []): PodRanges {
  const made = new PodRanges(settings(podCIDR));
  for (const one of nodes) made.node(one.metadata.name, one);
  for (const name of machines) made.machine(name, true);
  return made;
}

describe('pod ranges', () => {
  it('are given out in the order of names, whoever asks first, and stay', () => {
    const given = ranges('10.0.0.0/22', ['n2', 'n3', 'n1']);
    assert.equal(given.of('n3'), '10.0.2.0/24');
    assert.equal(given.of('n1'), '10.0.0.0/24');
    assert.equal(given.of('n2'), '10.0.1.0/24');
    given.machine('n0', true);
    assert.equal(given.of('n0'), '10.0.3.0/24');
    assert.equal(given.of('n3'), '10.0.2.0/24');
  });

  it('run out, and are found again when a node goes', () => {
    const given = ranges('10.0.0.0/23', ['n1', 'n2', 'n3']);
    assert.deepEqual(
      ['n1', 'n2', 'n3'].map((name) => given.of(name)),
      ['10.0.0.0/24', '10.0.1.0/24', undefined],
    );
    given.node('n1', stored('n1', '10.0.0.0/24'));
    given.machine('n1', false);
    assert.equal(given.of('n3'), undefined, 'the Node is still there');
    given.node('n1', undefined);
    assert.equal(given.of('n3'), '10.0.0.0/24');
  });

  it('pass over what a range of another size touches', () => {
    const given = ranges('10.0.0.0/21', ['old', 'n1'], [stored('old', '10.0.0.0/22')]);
    assert.equal(given.of('old'), '10.0.0.0/22');
    assert.equal(given.of('n1'), '10.0.4.0/24');
  });

  it('stay with the older of two nodes that have one', () => {
    const given = ranges('10.0.0.0/22', ['a', 'b'], [stored('b', '10.0.0.0/24', 0), stored('a', '10.0.0.0/24', 5)]);
    assert.equal(given.of('b'), '10.0.0.0/24');
    assert.equal(given.of('a'), '10.0.1.0/24');
    assert.deepEqual([...given.holders('10.0.0.0/24')].sort(), ['a', 'b']);
    given.node('a', stored('a', '10.0.1.0/24', 5));
    assert.equal(given.of('a'), '10.0.1.0/24');
    assert.deepEqual(given.holders('10.0.0.0/24'), ['b']);
  });

  it('are never those of two nodes, however machines and nodes come and go', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const step = fc.record({ name: fc.constantFrom(...names), there: fc.boolean(), follows: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const given = ranges('10.0.0.0/22', []);
        const machines = new Set<string>();
        const nodes = new Map<string, string>();
        for (const { name, there, follows } of steps) {
          given.machine(name, there);
          if (there) machines.add(name);
          else machines.delete(name);
          const cidr = there ? given.of(name) : undefined;
          if (!follows) continue;
          given.node(name, cidr === undefined ? undefined : stored(name, cidr));
          if (cidr === undefined) nodes.delete(name);
          else nodes.set(name, cidr);
        }
        const held = [...machines].flatMap((name) => given.of(name) ?? []);
        const lost = [...nodes].filter(([name]) => !machines.has(name)).map(([, cidr]) => cidr);
        assert.equal(new Set([...held, ...lost]).size, held.length + lost.length);
        // Four parts, so that somebody is left without only where all four are held.
        if (held.length < machines.size) assert.equal(new Set([...held, ...lost]).size, 4);
      }),
    );
  });
});
