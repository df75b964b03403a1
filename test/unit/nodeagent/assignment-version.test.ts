import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KubeObject, ObjectKey } from '../../../contracts/objects/index.ts';
import { keyOf } from '../../../contracts/objects/key.ts';
import { AssignmentVersion } from '../../../nodeagent/core/assignment-version.ts';
import { node, service } from '../network/world.ts';

const KEYS = ['a', 'b', 'c'].flatMap((name): ObjectKey[] => [
  keyOf(made('Service', name, 0)),
  keyOf(made('Node', name, 0)),
]);

function made(kind: 'Service' | 'Node', name: string, port: number): KubeObject {
  return kind === 'Node'
    ? node(name, `198.18.0.${port}`, undefined)
    : service(name, '198.19.128.1', [{ port: port + 1 }]);
}

const object = fc
  .tuple(fc.constantFrom('Service' as const, 'Node' as const), fc.constantFrom('a', 'b', 'c'), fc.nat(9))
  .map(([kind, name, port]) => made(kind, name, port));
const step = fc.record({
  upsert: fc.array(object, { maxLength: 3 }),
  remove: fc.array(fc.constantFrom(...KEYS), { maxLength: 2 }),
  /** Whether somebody lists the kinds of this version before the next is made. */
  looked: fc.boolean(),
});

/** Everything that a view tells. */
function told(view: AssignmentVersion): unknown {
  return [view.version, view.list('Service'), view.list('Node'), KEYS.map((key) => view.get(key))];
}

describe('a version of the assignment', () => {
  it('stays what it was, whatever comes after it', () => {
    fc.assert(
      fc.property(fc.array(object), fc.array(step, { maxLength: 8 }), (first, steps) => {
        const expected = new Map(first.map((one) => [keyOf(one), one]));
        const views: { readonly view: AssignmentVersion; readonly expected: ReadonlyMap<ObjectKey, KubeObject> }[] = [];
        let view = AssignmentVersion.of('v0', 'n1', first);
        views.push({ view, expected: new Map(expected) });
        for (const [i, { upsert, remove, looked }] of steps.entries()) {
          if (looked) told(view);
          view = view.next({ version: `v${i + 1}`, node: 'n1', upsert, remove });
          for (const key of remove) expected.delete(key);
          for (const one of upsert) expected.set(keyOf(one), one);
          views.push({ view, expected: new Map(expected) });
          assert.deepEqual([...view.keys()].sort(), [...expected.keys()].sort());
          assert.equal(view.size, expected.size);
        }
        for (const [i, { view: one, expected: objects }] of views.entries()) {
          const all = [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, it]) => it);
          assert.deepEqual(told(one), [
            `v${i}`,
            all.filter(({ kind }) => kind === 'Service'),
            all.filter(({ kind }) => kind === 'Node'),
            KEYS.map((key) => objects.get(key)),
          ]);
        }
      }),
    );
  });

  it('keeps the lists of kinds that a step does not touch', () => {
    const first = AssignmentVersion.of('v0', 'n1', [made('Service', 'a', 1), made('Node', 'a', 1)]);
    const nodes = first.list('Node');
    const next = first.next({ version: 'v1', node: 'n1', upsert: [made('Service', 'b', 1)], remove: [] });
    assert.equal(next.list('Node'), nodes);
    assert.equal(next.list('Service').length, 2);
  });

  it('has one after it alone', () => {
    const first = AssignmentVersion.of('v0', 'n1', []);
    const change = { version: 'v1', node: 'n1', upsert: [], remove: [] };
    first.next(change);
    assert.throws(() => first.next(change), /a version after v0 already/);
  });
});
