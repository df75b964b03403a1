import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callTogether, mayShareCall, takeApart, type Member } from '../../../reconciler/core/apps/kustomize-batch.ts';

const member = (key: string): Member => ({
  key,
  folder: 'app',
  files: [{ path: 'repository/a.yaml', bytes: new Uint8Array() }],
});
const MEMBERS = [member('a'), member('b')];
/** The folder of each in the call. */
const roots = callTogether(MEMBERS)
  .files.filter(({ path }) => path.endsWith('/repository/a.yaml'))
  .map(({ path }) => path.split('/')[0] ?? '');

interface Made {
  readonly of: number | string;
  readonly kind?: string;
  readonly name: string;
  readonly namespace?: string;
  readonly says?: string;
}
const printed = (...all: readonly Made[]): string =>
  all
    .map(({ of, kind = 'ConfigMap', name, namespace, says }) =>
      [
        'apiVersion: v1',
        `kind: ${kind}`,
        'metadata:',
        '  annotations:',
        '    config.kubernetes.io/origin: |',
        `      path: ../${typeof of === 'number' ? (roots[of] ?? '') : of}/repository/a.yaml`,
        `  name: ${name}`,
        ...(namespace === undefined ? [] : [`  namespace: ${namespace}`]),
        ...(says === undefined ? [] : [`spec: {ref: ${says}}`]),
        '',
      ].join('\n'),
    )
    .join('---\n');
const taken = (...all: readonly Made[]): readonly string[] => [...takeApart(MEMBERS, printed(...all)).keys()];

describe('Apps of one call of Kustomize', () => {
  it('have their objects back, each with its file in the repository', () => {
    const made = takeApart(
      MEMBERS,
      printed({ of: 0, name: 'one', namespace: 'x' }, { of: 1, name: 'two', namespace: 'y' }),
    );
    assert.deepEqual(
      [...made].map(([key, documents]) => [key, documents.map(({ file }) => file)]),
      [
        ['a', ['repository/a.yaml']],
        ['b', ['repository/a.yaml']],
      ],
    );
    assert.deepEqual(
      made.get('b')?.[0]?.text,
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\n  namespace: y\n',
    );
  });

  it('have nothing, too, where one has no object', () => {
    assert.deepEqual(takeApart(MEMBERS, '').get('a'), []);
  });

  for (const [what, objects, believed] of [
    [
      'a name of the same namespace',
      [
        { of: 0, name: 'p-one', namespace: 'x' },
        { of: 1, name: 'two', namespace: 'x', says: 'one' },
      ],
      ['a'],
    ],
    [
      'a former name in another namespace',
      [
        { of: 0, name: 'p-one', namespace: 'x' },
        { of: 1, name: 'two', namespace: 'y', says: 'one' },
      ],
      ['a', 'b'],
    ],
    [
      'no namespace and the default one',
      [
        { of: 0, name: 'p-one' },
        { of: 1, name: 'two', namespace: 'default', says: 'one' },
      ],
      ['a'],
    ],
    [
      'a name with a hash',
      [
        { of: 0, name: 'one-abc123', namespace: 'x' },
        { of: 1, name: 'two', namespace: 'x', says: 'one' },
      ],
      ['a'],
    ],
    [
      'an object that all namespaces see',
      [
        { of: 0, kind: 'ClusterRole', name: 'p-view' },
        { of: 1, name: 'two', namespace: 'y', says: 'view' },
      ],
      ['a'],
    ],
    [
      'a kind that sees all namespaces',
      [
        { of: 0, kind: 'ServiceAccount', name: 'p-web', namespace: 'x' },
        { of: 1, kind: 'RoleBinding', name: 'two', namespace: 'y', says: 'web' },
      ],
      ['a'],
    ],
    [
      'a kind that nothing refers to',
      [
        { of: 0, kind: 'Namespace', name: 'p-one' },
        { of: 1, name: 'two', namespace: 'default', says: 'one' },
      ],
      ['a', 'b'],
    ],
  ] as const)
    it(`are believed or not: ${what}`, () => {
      assert.deepEqual(taken(...objects), believed);
    });

  it('are none of them believed where an object says that it is nobody’s', () => {
    assert.deepEqual(
      taken({ of: 0, name: 'one', namespace: 'x' }, { of: 'c'.repeat(32), name: 'two', namespace: 'y' }),
      [],
    );
  });

  it('have folders that change with what any of them reads', () => {
    const other = callTogether([member('a'), member('c')]).files[1]?.path.split('/')[0];
    assert.notEqual(other, roots[0]);
  });

  for (const [text, may] of [
    ['resources: [a.yaml]\nnamePrefix: a-\nconfigMapGenerator: [{name: a}]\n', true],
    ['configurations: [c.yaml]\n', false],
    ['patches: [{path: a.yaml, options: {allowNameChange: true}}]\n', false],
    ['patches: [{patch: "[{op: replace, path: /metadata/name, value: b}]"}]\n', false],
    ['patches: [{patch: "- {op: replace, path: /metadata, value: {name: b}}"}]\n', false],
    ['patches: [{patch: "- {op: add, path: /metadata/labels/a, value: b}"}]\n', true],
    ['patches: [{patch: "- {op: replace, path: \'\', value: {}}"}]\n', false],
    ['"v\\x61rs": []\n', false],
    ['commonAnnotations: {config.kubernetes.io/origin: x}\n', false],
  ] as const)
    it(`${may ? 'may' : 'may not'} be with others: ${text.trim()}`, () => {
      assert.equal(mayShareCall([text], []), may);
    });
});
