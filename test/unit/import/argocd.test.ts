import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDocument } from 'yaml';
import { pathMatcher } from '../../../reconciler/core/apps/glob.ts';
import { filledText } from '../../../reconciler/core/import/argocd/template.ts';
import { importArgo, type Imported } from '../../../reconciler/core/import/index.ts';
import { isObject, type JsonObject } from '../../../reconciler/core/fields/json.ts';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { errorsOf, plainFiles, rendered, resultOf, treeOf } from './trees.ts';

const OWN = 'https://git.example.com/fleet.git';
const MANIFEST = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: left\n';
const hooked = (words: string): string => `${MANIFEST}  annotations:\n    argocd.argoproj.io/hook: ${words}\n`;
const AUTOMATED = '  syncPolicy: { automated: { prune: true } }';

function application(name: string, spec: readonly string[]): string {
  return [
    'apiVersion: argoproj.io/v1alpha1',
    'kind: Application',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    ...spec,
    '',
  ].join('\n');
}

function source(...lines: readonly string[]): readonly string[] {
  return [
    '  source:',
    `    repoURL: ${OWN}`,
    ...lines.map((line) => `    ${line}`),
    '  destination: { namespace: shop }',
    AUTOMATED,
  ];
}

function chart(...helm: readonly string[]): readonly string[] {
  return [
    '  source:',
    '    repoURL: https://charts.example.com',
    '    chart: web',
    '    targetRevision: 1.2.3',
    ...(helm.length > 0 ? ['    helm:'] : []),
    ...helm.map((line) => `      ${line}`),
    '  destination: { namespace: shop }',
    AUTOMATED,
  ];
}

function set(generators: string, template: string, more = ''): string {
  return `apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: all\nspec:\n${more}  generators:\n${generators.replaceAll(/^/gm, '    ')}\n  template:\n${template.replaceAll(/^/gm, '    ')}\n`;
}

function specsOf({ files }: Imported): Record<string, JsonObject> {
  return Object.fromEntries(
    files.flatMap(({ path, text }) => {
      const app: unknown = parseDocument(text).toJS();
      const name = /^plumbline\/(.*)\.yaml$/.exec(path)?.[1];
      return name !== undefined && isObject(app) && isObject(app['spec']) ? [[name, app['spec']]] : [];
    }),
  );
}

const WEB = { repository: 'https://charts.example.com', name: 'web', version: '1.2.3' };

describe('an Application of Argo CD', () => {
  const cases: readonly (readonly [
    says: string,
    spec: readonly string[],
    app: JsonObject,
    files?: Readonly<Record<string, string>>,
  ])[] = [
    ['is an App with its chart', chart(), { namespace: 'shop', helm: { chart: WEB } }],
    [
      'is of a registry',
      chart().map((line) => line.replace('https://charts.example.com', 'r.example.com/charts')),
      { namespace: 'shop', helm: { chart: { ...WEB, repository: 'oci://r.example.com/charts' } } },
    ],
    [
      'has values as a text',
      chart('values: |', '  a: { b: 1 }'),
      { namespace: 'shop', helm: { chart: WEB, values: { a: { b: 1 } } } },
    ],
    [
      'has values as an object, which go before those as a text',
      chart('values: "a: 1"', 'valuesObject: { b: 2 }'),
      { namespace: 'shop', helm: { chart: WEB, values: { b: 2 } } },
    ],
    [
      'has parameters, which go before values',
      chart(
        'valuesObject: { a: { b: 1 }, l: [x] }',
        'parameters:',
        '  - { name: a.b, value: "2" }',
        '  - { name: "l[1]", value: y }',
        '  - { name: "a.c\\\\.d", value: "3", forceString: true }',
        '  - { name: on, value: "true" }',
      ),
      { namespace: 'shop', helm: { chart: WEB, values: { a: { b: 2, 'c.d': '3' }, l: ['x', 'y'], on: true } } },
    ],
    [
      'has a release name, and skips definitions',
      chart('releaseName: other', 'skipCrds: true'),
      { namespace: 'shop', helm: { chart: WEB, releaseName: 'other', includeCRDs: false } },
    ],
    ['is of plain manifests', source('path: dir'), { path: 'dir', namespace: 'shop' }, { 'dir/a.yaml': MANIFEST }],
    [
      'is of a kustomization',
      source(
        'path: dir',
        'kustomize: { namePrefix: x-, images: ["a=b/c:1", "d:2", "e@sha256:' +
          'a'.repeat(64) +
          '"], commonLabels: { l: m }, components: [../c] }',
      ),
      {
        path: 'dir',
        namespace: 'shop',
        kustomize: {
          components: ['../c'],
          images: [
            { name: 'a', newName: 'b/c', newTag: '1' },
            { name: 'd', newTag: '2' },
            { name: 'e', digest: `sha256:${'a'.repeat(64)}` },
          ],
          namePrefix: 'x-',
          commonMetadata: { labels: { l: 'm' } },
        },
      },
      { 'dir/kustomization.yaml': 'resources: [a.yaml]\n', 'dir/a.yaml': MANIFEST },
    ],
    [
      'is of a chart in the tree, with its files of values',
      source('path: dir', 'helm: { valueFiles: [values-prod.yaml, ../shared.yaml, /root.yaml] }'),
      {
        path: 'dir',
        namespace: 'shop',
        helm: { releaseName: undefined, valuesFiles: ['dir/values-prod.yaml', 'shared.yaml', 'root.yaml'] },
      },
      {
        'dir/Chart.yaml': 'name: x\n',
        'dir/values-prod.yaml': 'a: 1\n',
        'shared.yaml': 'b: 1\n',
        'root.yaml': 'c: 1\n',
      },
    ],
    [
      'keeps what it no longer has, where it does not prune',
      [...chart().slice(0, -1), '  syncPolicy: { automated: {} }'],
      { namespace: 'shop', helm: { chart: WEB }, prune: false },
    ],
    [
      'keeps what it no longer has, where an option says so',
      [...chart().slice(0, -1), '  syncPolicy: { automated: { prune: true }, syncOptions: [Prune=false] }'],
      { namespace: 'shop', helm: { chart: WEB }, prune: false },
    ],
  ];
  for (const [says, spec, app, files = {}] of cases)
    it(says, async () => {
      const tree = { 'argo/app.yaml': application('web', spec), ...files };
      const result = importArgo(treeOf(tree));
      assert.deepEqual(result.findings.map(formatDiagnostic), []);
      assert.deepEqual(specsOf(result)['web'], JSON.parse(JSON.stringify(app)));
      assert.deepEqual(result.removed, ['argo/app.yaml']);
      assert.deepEqual(errorsOf((await rendered(plainFiles(resultOf(result, tree)))).diagnostics), []);
    });

  it('of several sources is several Apps, with values of a source that they name', () => {
    const spec = [
      '  sources:',
      '    - { repoURL: https://charts.example.com, chart: web, targetRevision: 1.2.3, helm: { valueFiles: [$v/x.yaml] } }',
      `    - { repoURL: ${OWN}, path: dir }`,
      `    - { repoURL: ${OWN}, ref: v }`,
      AUTOMATED,
    ];
    const specs = specsOf(
      importArgo(treeOf({ 'a.yaml': application('shop', spec), 'x.yaml': 'a: 1\n', 'dir/m.yaml': MANIFEST })),
    );
    assert.deepEqual(specs, {
      'shop-web': { helm: { chart: WEB, releaseName: 'shop', valuesFiles: ['x.yaml'] } },
      'shop-dir': { path: 'dir' },
    });
  });

  it('asks for a namespace, with its labels', () => {
    const spec = [
      ...chart().slice(0, -1),
      '  syncPolicy: { automated: { prune: true }, syncOptions: [CreateNamespace=true], managedNamespaceMetadata: { labels: { a: b } } }',
    ];
    const { files } = importArgo(treeOf({ 'a.yaml': application('web', spec) }));
    assert.equal(
      files.find(({ path }) => path === 'plumbline/namespaces.yaml')?.text,
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    a: b\n',
    );
  });

  it('of Applications alone leaves nothing', () => {
    const result = importArgo(
      treeOf({ 'root.yaml': application('root', source('path: apps')), 'apps/web.yaml': application('web', chart()) }),
    );
    assert.deepEqual(Object.keys(specsOf(result)), ['web']);
  });

  it('of a chart with dependencies alone is their Apps', () => {
    const files = {
      'a.yaml': application('shop', source('path: dir', 'helm: { valuesObject: { web: { b: 2 } } }')),
      'dir/Chart.yaml':
        'name: shop\ndependencies:\n  - { name: web, version: 1.2.3, repository: "https://charts.example.com" }\n  - { name: db, alias: store, version: 2.0.0, repository: "oci://r.example.com/c" }\n  - { name: extra, version: 1.0.0, repository: "https://charts.example.com", condition: extra.enabled }\n',
      'dir/values.yaml': 'global: { g: 1 }\nweb: { a: 1, b: 1 }\nstore: { c: 1 }\nextra: { enabled: false }\n',
    };
    const result = importArgo(treeOf(files));
    assert.deepEqual(specsOf(result), {
      'shop-web': {
        namespace: 'shop',
        helm: { chart: WEB, releaseName: 'shop', values: { global: { g: 1 }, a: 1, b: 2 } },
      },
      'shop-store': {
        namespace: 'shop',
        helm: {
          chart: { repository: 'oci://r.example.com/c', name: 'db', version: '2.0.0' },
          releaseName: 'shop',
          values: { global: { g: 1 }, c: 1 },
        },
      },
    });
    assert.deepEqual(result.removed, ['a.yaml', 'dir/Chart.yaml', 'dir/values.yaml']);
  });

  it('of a kustomization that fetches charts has Apps for them', () => {
    const files = {
      'a.yaml': application('shop', source('path: dir')),
      'dir/kustomization.yaml':
        'resources: [m.yaml]\nhelmCharts:\n  - { name: web, repo: "https://charts.example.com", version: 1.2.3, releaseName: w, namespace: n, valuesFile: v.yaml, valuesInline: { a: 1 } }\n',
      'dir/m.yaml': MANIFEST,
      'dir/v.yaml': 'b: 1\n',
    };
    const result = importArgo(treeOf(files));
    assert.deepEqual(specsOf(result), {
      shop: { path: 'dir', namespace: 'shop' },
      'shop-w': {
        namespace: 'n',
        helm: { chart: WEB, releaseName: 'w', valuesFiles: ['dir/v.yaml'], values: { a: 1 }, includeCRDs: false },
      },
    });
    assert.equal(result.files.find(({ path }) => path === 'dir/kustomization.yaml')?.text, 'resources: [ m.yaml ]\n');
  });
});

describe('an ApplicationSet', () => {
  const TEMPLATE = (name: string, path: string, namespace: string): string =>
    `metadata:\n  name: '${name}'\nspec:\n  source: { repoURL: ${OWN}, path: '${path}' }\n  destination: { namespace: '${namespace}' }\n  syncPolicy: { automated: { prune: true } }`;
  const FOLDERS = { 'apps/a/m.yaml': MANIFEST, 'apps/b_c/m.yaml': MANIFEST, 'apps/skip/m.yaml': MANIFEST };
  const GO = '  goTemplate: true\n';

  const cases: readonly (readonly [
    says: string,
    text: string,
    apps: Readonly<Record<string, JsonObject>>,
    files?: Readonly<Record<string, string>>,
  ])[] = [
    [
      'of a list',
      set(
        '- list: { elements: [{ id: one, v: { w: a } }, { id: two, v: { w: b_c } }] }',
        TEMPLATE('{{id}}', 'apps/{{v.w}}', '{{id}}'),
      ),
      { one: { path: 'apps/a', namespace: 'one' }, two: { path: 'apps/b_c', namespace: 'two' } },
    ],
    [
      'of folders',
      set(
        '- git: { directories: [{ path: apps/* }, { path: apps/skip, exclude: true }], values: { s: "in-{{path.basename}}" } }',
        TEMPLATE('{{path.basenameNormalized}}', '{{path}}', '{{path[1]}}-{{values.s}}'),
      ),
      { a: { path: 'apps/a', namespace: 'a-in-a' }, 'b-c': { path: 'apps/b_c', namespace: 'b_c-in-b_c' } },
    ],
    [
      'of folders, with Go templates',
      set(
        '- git: { directories: [{ path: apps/* }, { path: apps/skip, exclude: true }] }',
        TEMPLATE(
          '{{ .path.basename | normalize }}',
          '{{.path.path}}',
          '{{ index .path.segments 1 | replace "_" "." }}',
        ),
        GO,
      ),
      { a: { path: 'apps/a', namespace: 'a' }, 'b-c': { path: 'apps/b_c', namespace: 'b.c' } },
    ],
    [
      'of files',
      set(
        '- git: { files: [{ path: "conf/**/c.yaml" }] }',
        TEMPLATE('{{app.name}}', 'apps/{{path.basename}}', '{{ns}}'),
      ),
      { x: { path: 'apps/a', namespace: 'there' } },
      { 'conf/deep/a/c.yaml': 'app: { name: x }\nns: there\n' },
    ],
    [
      'of files, with Go templates',
      set(
        '- git: { files: [{ path: "conf/*.json" }] }',
        TEMPLATE('{{ .app.name }}', '{{ default "apps/a" .where }}', '{{ .ns }}'),
        GO,
      ),
      { x: { path: 'apps/a', namespace: 'there' } },
      { 'conf/a.json': '{"app": {"name": "x"}, "ns": "there"}' },
    ],
    [
      'of a matrix',
      set(
        '- matrix:\n    generators:\n      - list: { elements: [{ e: one }, { e: two }] }\n      - git: { directories: [{ path: "apps/a" }] }',
        TEMPLATE('{{e}}-{{path.basename}}', '{{path}}', '{{e}}'),
      ),
      { 'one-a': { path: 'apps/a', namespace: 'one' }, 'two-a': { path: 'apps/a', namespace: 'two' } },
    ],
    [
      'of a merge',
      set(
        '- merge:\n    mergeKeys: [id]\n    generators:\n      - list: { elements: [{ id: one, v: d }, { id: two, v: d }] }\n      - list: { elements: [{ id: two, v: o }] }',
        TEMPLATE('{{id}}', 'apps/a', '{{v}}'),
      ),
      { one: { path: 'apps/a', namespace: 'd' }, two: { path: 'apps/a', namespace: 'o' } },
    ],
    [
      'with a selector',
      set(
        '- list: { elements: [{ id: one }, { id: two }] }\n  selector: { matchLabels: { id: two } }',
        TEMPLATE('{{id}}', 'apps/a', '{{id}}'),
      ),
      { two: { path: 'apps/a', namespace: 'two' } },
    ],
    [
      'with a patch of its template',
      set(
        '- list: { elements: [{ id: one }] }',
        TEMPLATE('{{ .id }}', 'apps/a', 'd'),
        `${GO}  templatePatch: |\n    spec:\n      destination: { namespace: "{{ .id }}-patched" }\n`,
      ),
      { one: { path: 'apps/a', namespace: 'one-patched' } },
    ],
  ];
  for (const [says, text, apps, files = {}] of cases)
    it(says, () => {
      const result = importArgo(treeOf({ 'argo.yaml': text, ...FOLDERS, ...files }));
      assert.deepEqual(specsOf(result), apps);
    });
});

describe('what Argo CD has and we have not', () => {
  const told: readonly (readonly [says: string, files: Readonly<Record<string, string>>, line: string])[] = [
    [
      'another repository',
      { 'a.yaml': application('x', source('path: gone')) },
      `a.yaml:8:11 NotCarriedOver warning: Application x is of gone of ${OWN}, which is not in this repository; copy its files into it, or name theirs in spec.source of an App`,
    ],
    [
      'another cluster',
      {
        'a.yaml': application('x', [
          ...chart().slice(0, -2),
          '  destination: { server: "https://10.0.0.1" }',
          AUTOMATED,
        ]),
      },
      'CarriedOverChanged warning: Application x is for another cluster',
    ],
    [
      'a sync by hand',
      { 'a.yaml': application('x', chart().slice(0, -1)) },
      'CarriedOverChanged warning: Application x is synced by hand',
    ],
    [
      'a project',
      { 'a.yaml': 'apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: p }\n' },
      'a.yaml:1:1 NotCarriedOver warning: AppProject p',
    ],
    [
      'a hook at the end',
      { 'x.yaml': application('x', chart()), 'a.yaml': `${MANIFEST}---\n${hooked('PreSync,PostDelete')}` },
      'a.yaml:11:5 NotCarriedOver warning: the hook PostDelete of Argo CD is not run here',
    ],
    [
      'a hook without a name',
      {
        'x.yaml': application('x', chart()),
        'a.yaml': `${MANIFEST}---\n${hooked('PreSync').replace('name:', 'generateName:')}`,
      },
      'a.yaml:9:3 SourceInvalid a hook of Argo CD with generateName has no name of its own',
    ],
    [
      'a wave of Applications',
      {
        'a.yaml': application('x', chart()).replace(
          'name: x',
          'name: x\n  annotations: { argocd.argoproj.io/sync-wave: "2" }',
        ),
      },
      'NotCarriedOver warning: the wave 2 of Application x is not carried over: waves are of objects',
    ],
    [
      'what is to be confirmed',
      {
        'a.yaml': application('x', [
          ...chart().slice(0, -1),
          '  syncPolicy: { automated: { prune: true }, syncOptions: [Prune=confirm] }',
        ]),
      },
      'NotCarriedOver warning: Prune=confirm of Application x is not carried over',
    ],
    [
      'a plugin',
      { 'a.yaml': application('x', source('path: d', 'plugin: { name: p }')), 'd/a.yaml': MANIFEST },
      'a.yaml:9:5 NotCarriedOver warning: Application x: source.plugin',
    ],
    [
      'a generator that asks others',
      { 'a.yaml': set('- pullRequest: { github: {} }', 'metadata: { name: x }') },
      'a.yaml:7:7 NotCarriedOver warning: the generator pullRequest',
    ],
    [
      'a template that is not evaluated',
      {
        'a.yaml': set(
          '- list: { elements: [{ id: x }] }',
          "metadata:\n  name: '{{ range .id }}x{{ end }}'",
          '  goTemplate: true\n',
        ),
      },
      'NotCarriedOver warning: ApplicationSet all: its template is not evaluated: range',
    ],
    [
      'a chart that makes Applications',
      {
        'c/Chart.yaml': 'name: c\n',
        'c/templates/a.yaml': 'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {{ .x }}\n',
      },
      'c/templates/a.yaml:2:1 NotCarriedOver warning: a chart makes Applications',
    ],
    [
      'dependencies of a chart with templates',
      {
        'a.yaml': application('x', source('path: c')),
        'c/Chart.yaml':
          'name: c\ndependencies:\n  - { name: w, version: 1.0.0, repository: "https://c.example.com" }\n',
        'c/templates/a.yaml': MANIFEST,
      },
      'c/Chart.yaml:3:5 NotCarriedOver warning: the dependencies of the chart in c',
    ],
    [
      'a value that looks secret',
      { 'a.yaml': application('x', chart('valuesObject: { auth: { password: canary } }')) },
      'a.yaml:1:1 SecretLeftOut warning: the value auth.password of App x was not written',
    ],
  ];
  for (const [says, files, line] of told)
    it(`is told of: ${says}`, () => {
      const result = importArgo(treeOf(files));
      const findings = result.findings.map(formatDiagnostic);
      assert.ok(
        findings.some((finding) => finding.includes(line)),
        findings.join('\n'),
      );
      assert.doesNotMatch(JSON.stringify(result), /canary/);
    });
});

it('is told of no wave, hook and option of an object that is read as it stands', () => {
  const options = '    argocd.argoproj.io/sync-wave: "1"\n    argocd.argoproj.io/sync-options: Prune=false\n';
  const { findings, removed } = importArgo(
    treeOf({
      'a.yaml': application('x', source('path: d')),
      'd/a.yaml': `${hooked('PreSync')}    argocd.argoproj.io/hook-delete-policy: HookSucceeded\n${options}`,
    }),
  );
  assert.deepEqual(findings, []);
  assert.deepEqual(removed, ['a.yaml']);
});

it('is nothing where nothing of Argo CD is there: no file is moved', () => {
  assert.deepEqual(importArgo(treeOf({ 'compose.yaml': 'services: {}\n', 'a.yaml': MANIFEST })), {
    files: [],
    removed: [],
    findings: [],
  });
});

describe('templates of Argo CD', () => {
  const parameters = { a: 'x', n: 3, list: ['p', 'q'], deep: { b: 'y' } };
  const go: readonly (readonly [text: string, is: string])[] = [
    ['{{ .a }}-{{.deep.b}}', 'x-y'],
    ['{{- .a -}}', 'x'],
    ['{{ .gone }}', ''],
    ['{{ .gone | default "z" | upper }}', 'Z'],
    ['{{ default (index .list 1) .gone }}', 'q'],
    ['{{ printf "%s-%d" .a .n }}', 'x-3'],
    ['{{ .a | quote }}', '"x"'],
    ['{{ trimPrefix "x" "xy" }}{{ trimSuffix "y" "xy" }}', 'yx'],
    ['{{ join "," .list }}', 'p,q'],
    ['{{ splitList "/" "a/b" | last }}', 'b'],
    ['{{ "A_b/C" | normalize }}', 'a-b-c'],
  ];
  it('takes a time that grows with the text, whatever is in it', () => {
    const begun = performance.now();
    for (const text of [
      `{{${' '.repeat(60_000)}`,
      '{{'.repeat(30_000),
      `${'{{'.repeat(30_000)}-}}`,
      `{{${' -'.repeat(30_000)}`,
    ])
      assert.equal(filledText(text, {}, false), text);
    assert.ok(performance.now() - begun < 2000);
  });
  it('has one minus taken off at each end', () => {
    assert.equal(filledText('a {{- name -}} b {{name}} {{ other }}', { name: 'x' }, false), 'a x b x {{ other }}');
  });
  for (const [text, is] of go) it(`${text} is ${is}`, () => assert.equal(filledText(text, parameters, true), is));

  for (const text of ['{{ if .a }}x{{ end }}', '{{ env "HOME" }}', '{{ .a.constructor.x() }}', '{{ }}', '{{ (.a }}'])
    it(`${text} is not evaluated`, () => assert.throws(() => filledText(text, parameters, true)));

  it('of the other form stay as they are where there is no such parameter', () => {
    assert.equal(filledText('{{a}} {{ b }} {{constructor}}', { a: '1' }, false), '1 {{ b }} {{constructor}}');
  });
});

describe('patterns of paths', () => {
  const cases: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
    ['apps/*', 'apps/a', true],
    ['apps/*', 'apps/a/b', false],
    ['apps/*/x-?', 'apps/a/x-1', true],
    ['**/c.yaml', 'c.yaml', true],
    ['a/**/c.yaml', 'a/b/b/c.yaml', true],
    ['a/**', 'a/b/c', true],
    ['./a/*', 'a/b', true],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'axxbxx', false],
  ];
  for (const [pattern, path, matches] of cases)
    it(`${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () =>
      assert.equal(pathMatcher(pattern)(path), matches));
});
