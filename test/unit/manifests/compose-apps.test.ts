import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeState, parseManifest } from '../../../reconciler/core/manifests/index.ts';
import { withAppPolicies } from '../../../reconciler/core/manifests/compose-apps.ts';

const app = (name: string, ...dependsOn: readonly string[]): string =>
  `{"apiVersion":"plumbline.dev/v1alpha1","kind":"App","metadata":{"name":"${name}"},"spec":{"path":"${name}","dependsOn":[${dependsOn.map((one) => `{"name":"${one}"}`).join()}]}}`;

function found(files: Readonly<Record<string, string>>): string[] {
  const parsed = Object.entries(files).map(([path, text]) => parseManifest(path, path, new TextEncoder().encode(text)));
  return composeState(parsed, []).diagnostics.map(
    ({ file, line, code, message }) => `${file}:${line} ${code} ${message}`,
  );
}

describe('Apps that depend on Apps', () => {
  it('are told of one that is not there', () =>
    assert.deepEqual(found({ 'a.yaml': app('a', 'b'), 'c.yaml': app('c') }), [
      'a.yaml:1 UnknownApp App a depends on App b, which is in no manifest',
    ]));

  it('are told of a circle, at both places', () =>
    assert.deepEqual(found({ 'a.yaml': app('a', 'b'), 'b.yaml': `\n${app('b', 'c')}`, 'c.yaml': app('c', 'a') }), [
      'a.yaml:1 DependencyCycle Apps depend on each other: a -> b -> c -> a; the next link is at b.yaml:2',
    ]));

  it('may be many in a row, and depend on one by several ways', () => {
    const row = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [
        `${i}.yaml`,
        i < 2 ? app(`a${i}`) : app(`a${i}`, `a${i - 1}`, `a${i - 2}`),
      ]),
    );
    assert.deepEqual(found(row), []);
  });
});

describe('objects that depend on objects', () => {
  const map = (name: string, before: string, more = ''): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  annotations:\n    config.kubernetes.io/depends-on: "${before}"\n${more}`;
  const to = (name: string): string => `/namespaces/default/ConfigMap/${name}`;
  const wave = (n: number): string => `    argocd.argoproj.io/sync-wave: "${n}"\n`;

  it('name what is there, in the form that others have', () => {
    const plain = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n';
    assert.deepEqual(
      found({
        'a.yaml': map('a', `${to('b')},scheduling.k8s.io/PriorityClass/high`),
        'b.yaml': plain,
        'c.yaml': 'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1\n',
      }),
      [],
    );
    assert.match(
      found({ 'a.yaml': map('a', to('c')) }).join(),
      /^a\.yaml:6 UnknownDependency .*\/ConfigMap\/c, which is in no manifest/,
    );
    assert.match(found({ 'a.yaml': map('a', 'b'), 'b.yaml': plain }).join(), /^a\.yaml:6 InvalidValue .* no reference/);
  });

  for (const [what, files, way] of [
    [
      'each other',
      { 'a.yaml': map('a', to('b')), 'b.yaml': map('b', to('a')) },
      /a -> ConfigMap\/default\/b -> ConfigMap\/default\/a/,
    ],
    ['themselves', { 'a.yaml': map('a', to('a')) }, /default\/a -> ConfigMap\/default\/a$/],
    [
      'one of a later wave',
      {
        'a.yaml': map('a', to('b')),
        'b.yaml': map('b', to('c'), wave(1)),
        'c.yaml': map('c', to('d'), wave(-1)),
        'd.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\n',
      },
      /wait for each other/,
    ],
  ] as const)
    it(`are told where they wait for ${what}`, () => {
      const told = found(files).filter((line) => line.includes('DependencyCycle'));
      assert.ok(told.length > 0);
      assert.match(told[0] ?? '', way);
    });

  it('may follow waves', () => {
    const early = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  annotations:\n${wave(-1)}`;
    assert.deepEqual(found({ 'a.yaml': map('a', to('b')), 'b.yaml': early }), []);
  });
});

describe('an annotation of order', () => {
  const map = (annotations: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    ${annotations}\n`;
  it('is a whole number, or a hook that there is', () => {
    assert.deepEqual(found({ 'a.yaml': map('argocd.argoproj.io/sync-wave: "-3"') }), []);
    assert.deepEqual(found({ 'a.yaml': map('argocd.argoproj.io/hook: PreSync,PostSync') }), []);
    for (const wrong of ['sync-wave: last', 'hook: BeforeSync'])
      assert.match(found({ 'a.yaml': map(`argocd.argoproj.io/${wrong}`) }).join(), /^a\.yaml:6 InvalidValue/);
  });
});

describe('an App that keeps what it makes', () => {
  it('marks each of its objects, and no other', () => {
    const text = `${app('web').replace('"path"', '"prune":false,"path"')}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n`;
    const { state, custom } = composeState([parseManifest('a.yaml', 'a', new TextEncoder().encode(text))], []);
    const owned = new Map([...state].map(([key, one]) => [key, key.endsWith('/a') ? { ...one, app: 'web' } : one]));
    const marked = [...withAppPolicies(owned, custom).state.values()].filter(
      ({ object, written }) =>
        object.metadata.annotations?.['plumbline.dev/prune'] === 'disabled' &&
        JSON.stringify(written).includes('"plumbline.dev/prune":"disabled"'),
    );
    assert.deepEqual(
      marked.map(({ key }) => key),
      ['configmaps/default/a'],
    );
  });
});
