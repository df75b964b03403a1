import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { isAnothersKey, neighbourhoodOf } from '../../../reconciler/controllers/nodes/known-node.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { machine } from '../controllers/objects.ts';
import { stored } from './stored.ts';

const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.4', '198.18.0.3', '198.18.0.4', 'gate.example'];

/** Those of the addresses that the node may not claim: by its word, or where it is reached. */
function othersOf(
  name: string,
  objects: readonly KubeObject[],
  by: 'isAnothers' | 'isSurelyAnothers' = 'isAnothers',
): readonly string[] {
  const table = new ObjectTable();
  for (const object of objects) table.put(stored(object));
  const around = neighbourhoodOf(name, table);
  return ADDRESSES.filter((address) => around[by](address));
}

const node = (name: string, address: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: {},
  status: { addresses: [{ type: 'InternalIP', address }] },
});

describe('the addresses that a node may not claim', () => {
  it('are what others told, and what Git states of them, heard or not', () => {
    const objects = [
      machine('a', { address: '192.0.2.1' }),
      machine('new', { address: '192.0.2.2' }),
      machine('behind', { address: 'gate.example', internalIP: '198.18.0.3' }),
      machine('old', { address: '192.0.2.4' }),
      node('old', '198.18.0.4'),
    ];
    assert.deepEqual(othersOf('a', objects), ['192.0.2.2', '192.0.2.4', '198.18.0.3', '198.18.0.4', 'gate.example']);
  });

  it('are none that its own Machine states: several may be reached at one address', () => {
    const gate = machine('gate', { address: '192.0.2.1' });
    const behind = machine('behind', { address: '192.0.2.1', port: 2222 });
    assert.deepEqual(othersOf('gate', [gate, behind]), []);
  });

  it('are where another machine is reached by its name, not what another one merely tells', () => {
    const objects = [
      machine('a', { address: 'a.example' }),
      machine('b', { address: 'b.example' }),
      node('b', '198.18.0.3'),
      machine('c', { address: '192.0.2.1' }),
      node('c', '198.18.0.4'),
    ];
    assert.deepEqual(othersOf('a', objects), ['192.0.2.1', '198.18.0.3', '198.18.0.4']);
    assert.deepEqual(othersOf('a', objects, 'isSurelyAnothers'), ['192.0.2.1', '198.18.0.3']);
  });
});

describe('the WireGuard key that a node may not claim', () => {
  const keyed = (name: string, publicKey: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: {},
    status: { wireguard: { publicKey } },
  });
  const table = new ObjectTable();
  for (const object of [keyed('a', 'one'), keyed('b', 'two'), keyed('c', 'two'), node('d', '192.0.2.1')])
    table.put(stored(object));
  for (const [name, key, expected] of [
    ['a', 'one', false],
    ['a', 'new', false],
    ['a', 'two', true],
    ['b', 'one', true],
    ['d', 'one', true],
    ['nobody', 'one', true],
    // Two that told it in one moment keep it: other nodes believe the first by name.
    ['c', 'two', false],
  ] as const)
    it(`${expected ? "is another's" : 'is not'}: ${key}, told by ${name}`, () => {
      assert.equal(isAnothersKey(name, key, table), expected);
    });
});
