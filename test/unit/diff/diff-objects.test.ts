import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import jsonPatch from 'fast-json-patch';
import type { FieldSemantics } from '../../../contracts/objects/index.ts';
import { diffObjects, type PatchOperation } from '../../../reconciler/core/diff/index.ts';
import { processorTime } from '../../support/processor-time.ts';

function apply(before: unknown, patch: readonly PatchOperation[]): unknown {
  return jsonPatch.applyPatch(structuredClone(before), structuredClone(patch) as jsonPatch.Operation[], true)
    .newDocument;
}

const named: FieldSemantics = { list: 'map', keys: ['name'] };
/** Lists with keys, at the root and some way down. */
function semanticsTo(depth: number): FieldSemantics {
  const values = depth === 0 ? {} : semanticsTo(depth - 1);
  const list = (more: FieldSemantics): FieldSemantics => ({ ...more, values });
  return {
    values,
    fields: {
      containers: list(named),
      env: list(named),
      ports: list({ list: 'map', keys: ['port', 'protocol'], keyDefaults: { protocol: 'TCP' } }),
      volumeMounts: list({ list: 'map', keys: ['mountPath'] }),
      conditions: list({ list: 'set' }),
      tolerations: list({ keys: ['key', 'operator'], keyDefaults: { operator: 'Equal' } }),
    },
  };
}
const SEMANTICS = semanticsTo(3);

/** Field names that matter: list-maps, their keys, and characters that RFC 6901 escapes. */
const fieldName = fc.oneof(
  fc.constantFrom(
    'containers',
    'ports',
    'env',
    'volumeMounts',
    'conditions',
    'tolerations',
    'name',
    'port',
    'protocol',
    'a/b',
    'm~n',
    '~1',
    '',
    'type',
  ),
  fc.string({ maxLength: 4 }).filter((s) => s !== '__proto__'),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.string({ maxLength: 3 }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 6 }),
  object: fc.dictionary(fieldName, tie('value'), { maxKeys: 5, noNullPrototype: true }),
}));

const entry = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), image: fc.constantFrom('x:1', 'x:2') });
const entries = fc.uniqueArray(entry, { selector: (e) => e.name, maxLength: 6 });
const ports = fc.uniqueArray(
  fc.record({
    port: fc.integer({ min: 1, max: 5 }),
    protocol: fc.constantFrom('TCP', 'UDP'),
    name: fc.constantFrom('p', 'q'),
  }),
  { selector: (p) => `${p.port}${p.protocol}` },
);
const podLike = fc.record({
  spec: fc.record({ containers: entries, ports, args: fc.array(fc.constantFrom('-a', '-b', '-c')) }),
});

describe('the patch turns before into after', () => {
  it('for any JSON', () => {
    fc.assert(
      fc.property(json.value, json.value, (before, after) => {
        assert.deepEqual(apply(before, diffObjects(before, after, SEMANTICS)), structuredClone(after));
      }),
      { numRuns: 500 },
    );
  });

  it('for list-maps in any order', () => {
    fc.assert(
      fc.property(podLike, podLike, (before, after) => {
        assert.deepEqual(apply(before, diffObjects(before, after, SEMANTICS)), structuredClone(after));
      }),
      { numRuns: 500 },
    );
  });

  it('and is empty only for equal values', () => {
    fc.assert(
      fc.property(json.value, (value) => {
        assert.deepEqual(diffObjects(value, structuredClone(value), SEMANTICS), []);
      }),
    );
  });
});

describe('the patch is small', () => {
  const containers = (...list: readonly (readonly [string, string])[]): unknown => ({
    containers: list.map(([name, image]) => ({ name, image })),
  });
  const cases: readonly {
    readonly name: string;
    readonly before: unknown;
    readonly after: unknown;
    readonly patch: readonly PatchOperation[];
  }[] = [
    {
      name: 'one image changes',
      before: containers(['a', '1'], ['b', '1']),
      after: containers(['a', '1'], ['b', '2']),
      patch: [{ op: 'replace', path: '/containers/1/image', value: '2' }],
    },
    {
      name: 'a container in front, and a change behind it',
      before: containers(['a', '1'], ['b', '1']),
      after: containers(['new', '1'], ['a', '1'], ['b', '2']),
      patch: [
        { op: 'add', path: '/containers/0', value: { name: 'new', image: '1' } },
        { op: 'replace', path: '/containers/2/image', value: '2' },
      ],
    },
    {
      name: 'the first goes',
      before: containers(['a', '1'], ['b', '1'], ['c', '1']),
      after: containers(['b', '1'], ['c', '1']),
      patch: [{ op: 'remove', path: '/containers/0' }],
    },
    {
      name: 'the last moves to the front',
      before: containers(['a', '1'], ['b', '1'], ['c', '1']),
      after: containers(['c', '1'], ['a', '1'], ['b', '1']),
      patch: [
        { op: 'remove', path: '/containers/2' },
        { op: 'add', path: '/containers/0', value: { name: 'c', image: '1' } },
      ],
    },
    {
      name: 'ports are known by number and protocol, TCP where none is said',
      before: {
        ports: [
          { port: 53, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
      },
      after: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP', nodePort: 30053 }] },
      patch: [
        { op: 'remove', path: '/ports/0/protocol' },
        { op: 'add', path: '/ports/1/nodePort', value: 30053 },
      ],
    },
    {
      name: 'an argument is inserted',
      before: { args: ['a', 'b', 'c'] },
      after: { args: ['a', 'x', 'b', 'c'] },
      patch: [{ op: 'add', path: '/args/1', value: 'x' }],
    },
    {
      name: 'names are escaped',
      before: { labels: { 'a/b': '1', 'c~d': '1' } },
      after: { labels: { 'a/b': '2' } },
      patch: [
        { op: 'replace', path: '/labels/a~1b', value: '2' },
        { op: 'remove', path: '/labels/c~0d' },
      ],
    },
    {
      name: 'doubled names fall back to positions',
      before: {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      },
      after: {
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '3' },
        ],
      },
      patch: [{ op: 'replace', path: '/env/1/value', value: '3' }],
    },
    {
      name: 'a field without a value is no field',
      before: { a: undefined, b: 1 },
      after: { b: 1, c: undefined },
      patch: [],
    },
  ];
  for (const { name, before, after, patch } of cases)
    it(name, () => assert.deepEqual(diffObjects(before, after, SEMANTICS), patch));
});

describe('long lists', () => {
  it('are compared in seconds, reversed, shifted or rewritten', () => {
    const list = Array.from({ length: 20_000 }, (_, i) => ({ name: `n${i}`, value: String(i) }));
    const seconds = processorTime();
    assert.equal(diffObjects({ env: list }, { env: [...list].reverse() }, SEMANTICS).length, 2 * (list.length - 1));
    assert.equal(diffObjects({ env: list }, { env: list.slice(1) }, SEMANTICS).length, 1);
    assert.equal(
      diffObjects({ args: list }, { args: list.map((e) => ({ ...e, value: 'x' })) }, SEMANTICS).length,
      list.length,
    );
    assert.ok(seconds() < 10, 'took more than 10 s');
  });
});
