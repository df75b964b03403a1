import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  importArgo,
  importCompose,
  importFlux,
  importHelm,
  type Imported,
  type SourceTree,
} from '../../../reconciler/core/import/index.ts';
import { errorsOf, FIXTURES, folderTexts, treeOf } from './trees.ts';

const compose = (text: string, more: Readonly<Record<string, string>> = {}): Imported =>
  importCompose(treeOf({ 'compose.yaml': text, ...more }), { name: 'x' });

const BOMB = `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghi'].map((name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'.charAt(i)}`).join(',')}]`).join('\n')}\n`;

const HOSTILE: readonly (readonly [says: string, run: () => Imported])[] = [
  ['an alias bomb', () => compose(`x-bomb:\n${BOMB.replaceAll(/^/gm, '  ')}services: {}\n`)],
  ['deep nesting', () => compose(`services: ${'{a: '.repeat(5000)}`)],
  ['a list of lists', () => compose(`services:\n  web:\n    command: ${'['.repeat(2000)}`)],
  [
    '__proto__',
    () => compose('services:\n  web:\n    image: x\n    environment:\n      __proto__: { polluted: yes }\n'),
  ],
  ['a file of 10 MB', () => compose(`services:\n  web:\n    image: ${'x'.repeat(10 * 1024 * 1024)}\n`)],
  ['services that extend each other', () => compose('services:\n  a:\n    extends: b\n  b:\n    extends: a\n')],
  ['files that include each other', () => compose('include: [b.yaml]\n', { 'b.yaml': 'include: [compose.yaml]\n' })],
  [
    'variables that double each other',
    () =>
      compose('services:\n  a:\n    image: x:$Z\n', {
        '.env': `A0=${'x'.repeat(1000)}\n${Array.from({ length: 60 }, (_, i) => `A${i + 1}=$A${i}$A${i}`).join('\n')}\nZ=$A60\n`,
      }),
  ],
  [
    'braces that nobody closes',
    () => compose(`services:\n  a:\n    image: x\n    command: "${'${'.repeat(100_000)}"\n`),
  ],
  ['a very wide range of ports', () => compose('services:\n  a:\n    image: x\n    ports: ["1-65535:1-65535"]\n')],
  [
    'many ports',
    () =>
      compose(
        `services:\n  a:\n    image: x\n    ports: [${Array.from({ length: 5000 }, (_, i) => i + 1).join(',')}]\n`,
      ),
  ],
  ['no map', () => compose('- a\n- b\n')],
  ['another kind of section', () => compose('services: [a]\nvolumes: x\nnetworks: 3\n')],
  ['services that are no maps', () => compose('services: { a: 1, b: [x], c: }\n')],
  [
    'fields of another kind',
    () =>
      compose(
        `services:\n  a:\n    image: [x]\n    command: { a: b }\n    ports: { a: b }\n    environment: 3\n    volumes: x\n    depends_on: 1\n    deploy: []\n    healthcheck: text\n    labels: 3\n    networks: 4\n    secrets: { a: b }\n`,
      ),
  ],
];

const flux = (files: Readonly<Record<string, string>>): Imported => importFlux(treeOf(files), {});
const KUSTOMIZATION =
  'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: { name: a }\nspec:\n  sourceRef: { kind: GitRepository, name: flux-system }\n';

const HOSTILE_FLUX: readonly (readonly [says: string, run: () => Imported])[] = [
  [
    'kustomizations that lead to one another',
    () =>
      flux({
        'a.yaml': `${KUSTOMIZATION}  path: ./a\n  foo: bar\n`,
        'a/kustomization.yaml': 'resources: [../b, x.yaml]\n',
        'b/kustomization.yaml': 'resources: [../a]\n',
        'a/x.yaml': 'kind: A\n',
      }),
  ],
  ['a path out of the repository', () => flux({ 'a.yaml': `${KUSTOMIZATION}  path: ../../etc\n` })],
  ['a Kustomization that leads to itself', () => flux({ 'a/a.yaml': `${KUSTOMIZATION}  path: ./a\n  foo: bar\n` })],
  [
    'an alias bomb in an object of Flux',
    () => flux({ 'a.yaml': `${KUSTOMIZATION}  path: ./a\n${BOMB.replaceAll(/^/gm, '  ')}` }),
  ],
  [
    'a pattern that takes for ever',
    () =>
      flux({
        'a.yaml': `${KUSTOMIZATION}  path: ./b\n  foo: x\n  patches: [{ target: { kind: HelmRelease, name: "(a+)+b" }, patch: "- op: remove\\n  path: /spec" }]\n`,
        'b/r.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${'a'.repeat(200)} }\nspec: {}\n`,
      }),
  ],
  [
    'objects without anything',
    () =>
      flux({
        'a.yaml':
          'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: [1]\n',
      }),
  ],
];

const argo = (spec: string, files: Readonly<Record<string, string>> = {}): Imported =>
  importArgo(
    treeOf({
      'a.yaml': `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: { name: a }\nspec:\n${spec.replaceAll(/^/gm, '  ')}\n`,
      ...files,
    }),
  );
const TEMPLATE =
  "template: { metadata: { name: '{{n}}' }, spec: { source: { chart: c, repoURL: 'https://a.example.com', targetRevision: 1.0.0 } } }";

const HOSTILE_ARGO: readonly (readonly [says: string, run: () => Imported])[] = [
  [
    'a matrix of a matrix of a matrix',
    () =>
      argo(
        `generators:\n  - matrix:\n      generators:\n        - list: &l { elements: [${'{id: one},'.repeat(900)}] }\n        - list: *l\n${TEMPLATE}`,
      ),
  ],
  [
    'a pattern of many stars',
    () =>
      argo(`generators:\n  - git: { directories: [{ path: "${'*a'.repeat(100)}" }] }\n${TEMPLATE}\nfoo: bar`, {
        [`${'a'.repeat(200)}/x`]: '',
        'b.yaml': 'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\n',
      }),
  ],
  [
    'a template that grows',
    () =>
      argo(
        `goTemplate: true\ngenerators:\n  - list: { elements: [{ id: ${'x'.repeat(1000)} }] }\ntemplate:\n  metadata: { name: "${'{{ .id }}'.repeat(200)}" }`,
      ),
  ],
  [
    'a template that replaces itself',
    () =>
      argo(
        `goTemplate: true\ngenerators:\n  - list: { elements: [{ id: ${'x'.repeat(5000)} }] }\ntemplate:\n  metadata: { name: '{{ replace "x" .id .id | replace "x" .id }}' }`,
      ),
  ],
  [
    'an Application of nothing',
    () =>
      importArgo(
        treeOf({
          'a.yaml':
            'apiVersion: argoproj.io/v1alpha1\nkind: Application\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: { sources: [1, { helm: [] }, { path: ../../x }], destination: 3, syncPolicy: [] }\n',
        }),
      ),
  ],
  [
    'a parameter of a far index',
    () =>
      importArgo(
        treeOf({
          'a.yaml':
            'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: { name: a }\nspec:\n  source: { chart: c, repoURL: "https://a.example.com", targetRevision: 1.0.0, helm: { parameters: [{ name: "a[9999]", value: x }, { name: "__proto__.polluted", value: y }] } }\n',
        }),
      ),
  ],
  [
    'values of Helm that are a bomb',
    () =>
      importHelm(treeOf({ 'v.yaml': BOMB }), { file: 'v.yaml', chart: 'https://a.example.com/c', version: '1.0.0' }),
  ],
  [
    'values of Helm that nest',
    () =>
      importHelm(treeOf({ 'v.yaml': '{a: '.repeat(3000) }), {
        file: 'v.yaml',
        chart: 'https://a.example.com/c',
        version: '1.0.0',
      }),
  ],
];

describe('hostile input of an import', () => {
  for (const [says, run] of [...HOSTILE, ...HOSTILE_FLUX, ...HOSTILE_ARGO])
    it(`ends with findings, and throws nothing: ${says}`, () => {
      const { findings } = run();
      assert.ok(findings.length > 0);
      assert.ok(findings.length <= 2001);
      assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
    });

  it('names a file that is too large', () => {
    assert.deepEqual(
      errorsOf(compose(`services:\n  web:\n    image: ${'x'.repeat(2 * 1024 * 1024)}\n`).findings).map(
        ({ code }) => code,
      ),
      ['SourceTooLarge'],
    );
  });
});

const IMPORTS: Readonly<Record<string, (tree: SourceTree) => Imported>> = {
  'compose-shop': (tree) => importCompose(tree, { name: 'shop', profiles: ['*'], plainSecrets: true }),
  'compose-home': (tree) => importCompose(tree, { name: 'home', profiles: ['*'] }),
  'argocd-home': (tree) => importArgo(tree),
  'flux-home': (tree) => importFlux(tree, {}),
  'flux-overlays': (tree) => importFlux(tree, { cluster: 'clusters/production' }),
};

/** Pieces that mean something to YAML or to what is imported. */
const PIECES = [
  '${',
  '}',
  '$$',
  ': ',
  '- ',
  '\n',
  '  ',
  '[',
  ']',
  '{',
  '&a ',
  '*a',
  '<<: *a',
  '"',
  "'",
  '#',
  '|',
  '!x ',
  '~',
  '\t',
  '0',
  '-1',
  '__proto__',
  'constructor',
  '{{',
  '}}',
  '.',
  '/',
  '../',
  'null',
  '\u0000',
  '\ud800',
  '%',
];

describe('an import of what was changed at random', () => {
  for (const [name, convert] of Object.entries(IMPORTS))
    it(`throws nothing: ${name}`, () => {
      const source = Object.entries(folderTexts(join(FIXTURES, name, 'in')));
      const change = fc.record({
        file: fc.nat(),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        remove: fc.nat({ max: 30 }),
        insert: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 8 })),
      });
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
          const texts = new Map(source);
          for (const { file, at, remove, insert } of changes) {
            const [path] = source[file % source.length] ?? [''];
            const text = texts.get(path) ?? '';
            const from = Math.floor(at * text.length);
            texts.set(path, text.slice(0, from) + insert + text.slice(from + remove));
          }
          convert({ texts, paths: new Set(texts.keys()) });
        }),
        { numRuns: 50 },
      );
    });
});
