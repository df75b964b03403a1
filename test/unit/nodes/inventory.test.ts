import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AlikeLines, InventoryReader } from '../../../reconciler/controllers/nodes/inventory.ts';

const INFO = {
  agentVersion: '1',
  bundleHash: 'b',
  runtimeHash: 'r',
  pid: 1,
  startedAt: '2026-01-01T00:00:00Z',
  node: 'n1',
  epoch: 1,
  assignmentVersion: null,
};

describe('an inventory in one piece, as agents of before tell it', () => {
  for (const text of ['null', '5', '"text"', '[]', '{', ''])
    it(`that is ${text || 'empty'} is asked for again`, () => {
      const reader = new InventoryReader();
      assert.throws(
        () => {
          reader.takeWhole(text);
          reader.finish();
        },
        { code: 'AgentFailed' },
      );
    });

  it('counts what of it cannot be read, and leaves out lists that are none', () => {
    const reader = new InventoryReader();
    reader.takeWhole(JSON.stringify({ info: INFO, objects: [null, 7, {}], pods: { length: 1 } }));
    assert.deepEqual([reader.finish().unread, reader.finish().keys, reader.finish().pods], [3, [], []]);
  });
});

describe('a pod whose spec cannot be read', () => {
  const told = (spec: object) => {
    const reader = new InventoryReader();
    const metadata = { name: 'db-0', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' };
    reader.take(JSON.stringify({ object: { apiVersion: 'v1', kind: 'Pod', metadata, spec } }));
    reader.take(JSON.stringify({ info: INFO }));
    reader.take(JSON.stringify({ end: true }));
    return reader.finish();
  };

  it('is told with its name and node, so that its name is known to be taken, and counted', () => {
    const { claims, unread } = told({ nodeName: 'n1', containers: 'of another version' });
    assert.deepEqual(
      claims.map((claim) => [claim.kind, claim.metadata.name, claim.kind === 'Pod' && claim.spec.nodeName]),
      [['Pod', 'db-0', 'n1']],
    );
    assert.equal(unread, 1);
  });
  it('is read as it was made where something was put into it since', () => {
    const made = { nodeName: 'n1', containers: [{ name: 'web', image: 'x:1' }] };
    const { claims, unread } = told({ ...made, ephemeralContainers: [{ name: 'look', image: 'y:1' }] });
    assert.deepEqual(claims, told(made).claims);
    assert.deepEqual([claims.length, unread], [1, 0]);
  });
  it('is left out where it is on no node', () => assert.deepEqual(told({ containers: 5 }).claims, []));
});

describe('what many nodes tell alike', () => {
  const node = (podCIDR: string): string =>
    JSON.stringify({ object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n9' }, spec: { podCIDR } } });
  const metadata = { name: 'p', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' };
  const spec = { nodeName: 'n1', containers: [{ name: 'web', image: 'x:1' }] };
  const pod = JSON.stringify({ object: { apiVersion: 'v1', kind: 'Pod', metadata, spec } });
  const told = (alike: AlikeLines | undefined, lines: readonly string[]) => {
    const reader = new InventoryReader(alike);
    for (const line of [...lines, JSON.stringify({ info: INFO }), JSON.stringify({ end: true })]) reader.take(line);
    return reader.finish();
  };
  const lines = [node('10.0.0.0/24'), pod, node('10.0.1.0/24'), node('10.0.0.0/24'), 'no line', '{"object":{}}'];

  it('is what each would be read to have told by itself, and is one object', () => {
    const alike = new AlikeLines();
    const [first, second] = [told(alike, lines), told(alike, lines)];
    assert.deepEqual(first, told(undefined, lines));
    assert.deepEqual(second, first);
    const ranges = ({ claims }: typeof first): readonly unknown[] => claims.filter(({ kind }) => kind === 'Node');
    for (const [index, claim] of ranges(second).entries()) assert.equal(claim, ranges(first)[index]);
    assert.notEqual(second.claims[1], first.claims[1]);
  });

  it('is read each time where it finds no room', () => {
    const alike = new AlikeLines(100);
    assert.deepEqual(told(alike, lines), told(undefined, lines));
    assert.deepEqual(told(alike, lines), told(undefined, lines));
  });
});
