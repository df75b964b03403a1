import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, it } from 'node:test';
import { keyOf, type Kind, type Stored } from '../../../contracts/objects/index.ts';
import { ObjectTable } from '../../../reconciler/controllers/runtime/object-table.ts';
import { stored } from '../nodes/stored.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const inNamespace = (kind: 'ConfigMap' | 'ServiceAccount', namespace: string, name: string): Stored =>
  stored({ apiVersion: 'v1', kind, metadata: { namespace, name } });

const namesOf = (table: ObjectTable, kind: Kind, namespace?: string): readonly string[] =>
  table.list(kind, namespace).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

/** Puts two objects into a namespace, has them listed, and removes the first. */
function churn(table: ObjectTable): readonly [gone: WeakRef<object>, stays: WeakRef<object>] {
  const [gone, stays] = [inNamespace('ConfigMap', 'pr-1', 'gone'), inNamespace('ConfigMap', 'pr-1', 'stays')];
  for (const object of [gone, stays]) table.put(object);
  table.list('ConfigMap', 'pr-1');
  table.list('ConfigMap');
  table.remove(keyOf(gone));
  return [new WeakRef(gone), new WeakRef(stays)];
}

describe('an object table', () => {
  it('lists a kind, and a namespace of it, as objects come and go', () => {
    const table = new ObjectTable();
    assert.deepEqual(namesOf(table, 'ConfigMap', 'a'), []);
    const [first, other] = [inNamespace('ConfigMap', 'a', 'x'), inNamespace('ConfigMap', 'b', 'x')];
    for (const object of [other, inNamespace('ServiceAccount', 'a', 'y'), first]) table.put(object);
    assert.deepEqual(namesOf(table, 'ConfigMap'), ['a/x', 'b/x']);
    assert.deepEqual(namesOf(table, 'ConfigMap', 'a'), ['a/x']);
    table.remove(keyOf(first));
    assert.deepEqual(namesOf(table, 'ConfigMap'), ['b/x']);
    assert.deepEqual(namesOf(table, 'ConfigMap', 'a'), []);
    table.put(first);
    assert.deepEqual(namesOf(table, 'ConfigMap', 'a'), ['a/x']);
  });

  it('holds nothing of what was removed, whether anybody lists it again or not', async () => {
    const table = new ObjectTable();
    const [gone, stays] = churn(table);
    // What a WeakRef was made of is held until the turn ends.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    collectGarbage();
    assert.ok(stays.deref());
    assert.equal(gone.deref(), undefined);
    assert.equal(table.list('ConfigMap', 'pr-1').length, 1);
  });
});
