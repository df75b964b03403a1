import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDocument } from 'yaml';
import { importFlux, type Imported } from '../../../reconciler/core/import/index.ts';
import { isObject, type JsonObject } from '../../../reconciler/core/fields/json.ts';
import { formatDiagnostic } from '../../../reconciler/core/manifests/index.ts';
import { errorsOf, plainFiles, rendered, resultOf, treeOf } from './trees.ts';

const MANIFEST = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: left\n  namespace: default\n';
const REPOSITORY =
  'apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: charts\nspec:\n  url: https://charts.example.com\n';

function kustomization(name: string, path: string, spec: readonly string[] = []): string {
  return [
    'apiVersion: kustomize.toolkit.fluxcd.io/v1',
    'kind: Kustomization',
    'metadata:',
    `  name: ${name}`,
    '  namespace: flux-system',
    'spec:',
    '  interval: 1h',
    '  prune: true',
    `  path: ${path}`,
    '  sourceRef: { kind: GitRepository, name: flux-system }',
    ...spec.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const CHART = ['chart: { spec: { chart: web, version: 1.2.3, sourceRef: { kind: HelmRepository, name: charts } } }'];

function release(name: string, spec: readonly string[] = CHART, namespace = 'shop'): string {
  return [
    'apiVersion: helm.toolkit.fluxcd.io/v2',
    'kind: HelmRelease',
    'metadata:',
    `  name: ${name}`,
    `  namespace: ${namespace}`,
    'spec:',
    '  interval: 1h',
    ...spec.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function specOf({ files }: Imported, name: string): JsonObject | undefined {
  const text = files.find(({ path }) => path === `plumbline/${name}.yaml`)?.text;
  const app: unknown = text === undefined ? undefined : parseDocument(text).toJS();
  return isObject(app) && isObject(app['spec']) ? app['spec'] : undefined;
}

const WEB = { repository: 'https://charts.example.com', name: 'web', version: '1.2.3' };

describe('a HelmRelease of Flux', () => {
  const cases: readonly (readonly [says: string, files: Readonly<Record<string, string>>, spec: JsonObject])[] = [
    ['is an App with its chart', { 'a.yaml': release('web') }, { namespace: 'shop', helm: { chart: WEB } }],
    [
      'has values',
      { 'a.yaml': release('web', [...CHART, 'values: { a: { b: "yes" }, c: [1] }']) },
      { namespace: 'shop', helm: { chart: WEB, values: { a: { b: 'yes' }, c: [1] } } },
    ],
    [
      'has a release name',
      { 'a.yaml': release('web', [...CHART, 'releaseName: other']) },
      { namespace: 'shop', helm: { chart: WEB, releaseName: 'other' } },
    ],
    [
      'has a target namespace, which is in its release name',
      { 'a.yaml': release('web', [...CHART, 'targetNamespace: there']) },
      { namespace: 'there', helm: { chart: WEB, releaseName: 'there-web' } },
    ],
    [
      'skips definitions',
      { 'a.yaml': release('web', [...CHART, 'install: { crds: Skip, remediation: { retries: 3 } }']) },
      { namespace: 'shop', helm: { chart: WEB, includeCRDs: false } },
    ],
    [
      'is of a registry',
      {
        'a.yaml':
          release('web', ['chartRef: { kind: OCIRepository, name: web }']) +
          '---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: { name: web }\nspec:\n  url: oci://r.example.com/charts/web\n  ref: { tag: 2.0.0 }\n',
      },
      {
        namespace: 'shop',
        helm: { chart: { repository: 'oci://r.example.com/charts', name: 'web', version: '2.0.0' } },
      },
    ],
    [
      'is of a folder of the repository',
      {
        'a.yaml': release('web', [
          'chart: { spec: { chart: ./charts/web, sourceRef: { kind: GitRepository, name: flux-system } } }',
        ]),
        'charts/web/Chart.yaml': 'name: web\n',
      },
      { namespace: 'shop', path: 'charts/web', helm: {} },
    ],
    [
      'takes values of a ConfigMap of the tree',
      {
        'a.yaml':
          release('web', [...CHART, 'valuesFrom: [{ kind: ConfigMap, name: v }]', 'values: { b: 3 }']) +
          '---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: v, namespace: shop }\ndata:\n  values.yaml: |\n    a: 1\n    b: 2\n',
      },
      { namespace: 'shop', helm: { chart: WEB, values: { a: 1, b: 3 } } },
    ],
    [
      'takes values of a Secret where it is',
      {
        'a.yaml': release('web', [
          ...CHART,
          'valuesFrom: [{ kind: Secret, name: v, valuesKey: k, targetPath: a.b, optional: true }]',
        ]),
      },
      {
        namespace: 'shop',
        helm: {
          chart: WEB,
          valuesFrom: [{ kind: 'Secret', name: 'v', valuesKey: 'k', targetPath: 'a.b', optional: true }],
        },
      },
    ],
    [
      'waits for others',
      { 'a.yaml': release('web', [...CHART, 'dependsOn: [{ name: db }]']), 'b.yaml': release('db') },
      { namespace: 'shop', helm: { chart: WEB }, dependsOn: [{ name: 'db' }] },
    ],
  ];
  for (const [says, files, spec] of cases)
    it(says, async () => {
      const tree = { 'sources.yaml': REPOSITORY, ...files };
      const result = importFlux(treeOf(tree), {});
      assert.deepEqual(specOf(result, 'web'), spec);
      const { diagnostics } = await rendered(plainFiles(resultOf(result, tree)));
      assert.deepEqual(
        errorsOf(diagnostics).filter(({ code }) => code !== 'UnknownNamespace'),
        [],
      );
    });
});

describe('a Kustomization of Flux', () => {
  const cases: readonly (readonly [says: string, spec: readonly string[], app: JsonObject])[] = [
    ['is an App with its folder', [], { path: 'apps' }],
    ['has a namespace', ['targetNamespace: there'], { path: 'apps', namespace: 'there' }],
    ['keeps what its folder loses', ['prune: false'], { path: 'apps', prune: false }],
    [
      'has components, images and names',
      [
        'components: [../c]',
        'images: [{ name: a, newTag: "2" }]',
        'namePrefix: x-',
        'commonMetadata: { labels: { a: b } }',
      ],
      {
        path: 'apps',
        kustomize: {
          components: ['../c'],
          images: [{ name: 'a', newTag: '2' }],
          namePrefix: 'x-',
          commonMetadata: { labels: { a: 'b' } },
        },
      },
    ],
    [
      'has patches',
      ['patches: [{ target: { kind: ConfigMap }, patch: "- op: remove\\n  path: /data" }]'],
      {
        path: 'apps',
        kustomize: { patches: [{ target: { kind: 'ConfigMap' }, patch: '- op: remove\n  path: /data' }] },
      },
    ],
    [
      'substitutes',
      ['postBuild: { substitute: { A: b }, substituteFrom: [{ kind: Secret, name: s, optional: true }] }'],
      {
        path: 'apps',
        substitute: { values: { A: 'b' }, from: [{ kind: 'Secret', name: 's', optional: true }], strict: false },
      },
    ],
    ['waits for others', ['dependsOn: [{ name: base }]'], { path: 'apps', dependsOn: [{ name: 'base' }] }],
  ];
  for (const [says, spec, app] of cases)
    it(says, () => {
      const text = kustomization(
        'apps',
        './apps',
        spec.filter((line) => !line.startsWith('prune')),
      );
      const tree = {
        'flux/apps.yaml': spec.some((line) => line.startsWith('prune'))
          ? text.replace('prune: true', 'prune: false')
          : text,
        'flux/base.yaml': kustomization('base', './base'),
        'apps/kustomization.yaml': 'resources: [left.yaml]\n',
        'apps/left.yaml': MANIFEST,
        'base/left.yaml': MANIFEST,
      };
      assert.deepEqual(specOf(importFlux(treeOf(tree), {}), 'apps'), app);
    });
});

describe('a tree of Flux', () => {
  const home = {
    'flux.yaml': `${REPOSITORY}---\n${kustomization('apps', './apps', ['postBuild: { substitute: { SIZE: "3", HOST: a.example.com } }'])}`,
    'apps/kustomization.yaml':
      '# all of it\nnamespace: shop\nresources:\n  - release.yaml\n  - left.yaml # stays\npatches:\n  - path: patch.yaml\n    target: { kind: HelmRelease }\n',
    'apps/patch.yaml': '- op: replace\n  path: /spec/values/b\n  value: patched\n',
    'apps/release.yaml': `# the shop\n---\n${release('web', [...CHART, 'values:', '  size: "${SIZE}"', '  count: ${SIZE}', '  host: "${HOST:=x}"', '  b: 1', '  keep: "$${A}"'], 'elsewhere')}`,
    'apps/left.yaml': MANIFEST,
  };

  it('stays, but for what Flux alone reads and what led to it', () => {
    const result = importFlux(treeOf(home), {});
    assert.deepEqual([...result.removed], ['apps/patch.yaml', 'apps/release.yaml', 'flux.yaml']);
    assert.equal(
      result.files.find(({ path }) => path === 'apps/kustomization.yaml')?.text,
      '# all of it\nnamespace: shop\nresources:\n  - left.yaml # stays\n',
    );
  });

  it('gives releases what kustomizations on the way do to them', () => {
    const spec = specOf(importFlux(treeOf(home), {}), 'web');
    assert.equal(spec?.['namespace'], 'shop');
    assert.deepEqual(spec?.['helm'], {
      chart: WEB,
      values: { size: 3, count: 3, host: 'a.example.com', b: 'patched', keep: '$${A}' },
    });
  });

  it('has secret variables in a Secret that is not written', () => {
    const result = importFlux(
      treeOf({
        'flux.yaml': kustomization('apps', './apps', ['postBuild: { substitute: { DB_PASSWORD: canary, A: b } }']),
        'apps/left.yaml': MANIFEST,
      }),
      {},
    );
    assert.doesNotMatch(JSON.stringify(result), /canary/);
    assert.deepEqual(specOf(result, 'apps')?.['substitute'], {
      values: { A: 'b' },
      from: [{ kind: 'Secret', name: 'apps-variables', optional: true }],
      strict: false,
    });
    assert.deepEqual(
      result.findings.map(({ code }) => code),
      ['CarriedOverChanged', 'SecretLeftOut'],
    );
  });

  it('has the Namespaces of Apps that no file of it makes, under the name that a kustomization gives them', () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: not-used\n';
    const tree = {
      'flux.yaml': `${REPOSITORY}---\n${kustomization('a', './a')}---\n${release('other', CHART, 'elsewhere')}`,
      'a/kustomization.yaml': 'namespace: shop\nresources: [release.yaml]\ncomponents: [../c]\n',
      'a/release.yaml': release('web'),
      'c/kustomization.yaml': 'kind: Component\nresources: [namespace.yaml]\n',
      'c/namespace.yaml': namespace,
    };
    const { files } = importFlux(treeOf(tree), {});
    const made = files.find(({ path }) => path === 'plumbline/namespaces.yaml')?.text;
    assert.equal(made, namespace.replace('not-used', 'elsewhere'));
  });

  it('has no App for a folder in which nothing is left', () => {
    const tree = {
      'flux.yaml': `${REPOSITORY}---\n${kustomization('web-of-flux', './apps')}`,
      'apps/kustomization.yaml': 'resources: [release.yaml]\n',
      'apps/release.yaml': release('web'),
    };
    const result = importFlux(treeOf(tree), {});
    assert.deepEqual(
      result.files.map(({ path }) => path),
      ['plumbline/namespaces.yaml', 'plumbline/web.yaml'],
    );
    assert.deepEqual(result.removed, ['apps/kustomization.yaml', 'apps/release.yaml', 'flux.yaml']);
  });

  it('has an App for a folder in which nothing is left, where a component brings something into it', async () => {
    const tree = {
      'flux.yaml': `${REPOSITORY}---\n${kustomization('web', './apps/web', ['targetNamespace: default', 'components: [../../data, ../../alerts]', 'postBuild: { substitute: { APP: web } }'])}`,
      'apps/web/release.yaml': release('web'),
      'data/kustomization.yaml': 'kind: Component\nresources: [left.yaml]\n',
      'data/left.yaml': MANIFEST,
      'alerts/kustomization.yaml': 'kind: Component\nresources: [alert.yaml]\n',
      'alerts/alert.yaml':
        'apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\nmetadata:\n  name: all\nspec: {}\n',
    };
    const result = importFlux(treeOf(tree), {});
    assert.deepEqual(specOf(result, 'web-manifests'), {
      path: 'apps/web',
      namespace: 'default',
      substitute: { values: { APP: 'web' }, strict: false },
    });
    assert.match(
      result.files.find(({ path }) => path === 'apps/web/kustomization.yaml')?.text ?? '',
      /^kind: Kustomization\ncomponents:\n {2}- \.\.\/\.\.\/data\n$/m,
    );
    const { diagnostics } = await rendered(plainFiles(resultOf(result, tree)));
    assert.deepEqual(errorsOf(diagnostics), []);
  });

  it('gives a folder without one the kustomization that Flux makes for it, without what others have in it', () => {
    const tree = {
      'flux.yaml': `${kustomization('all', './apps')}---\n${kustomization('web', './apps/web', ['commonMetadata: { labels: { a: b } }'])}`,
      'apps/home/kustomization.yaml': 'namespace: home\nresources: [left.yaml]\n',
      'apps/home/left.yaml': MANIFEST,
      'apps/web/left.yaml': MANIFEST,
      'apps/web/db/left.yaml': MANIFEST,
    };
    const result = importFlux(treeOf(tree), {});
    const resources = (folder: string): string | undefined =>
      /resources:\n(.*)$/s.exec(
        result.files.find(({ path }) => path === `${folder}/kustomization.yaml`)?.text ?? '',
      )?.[1];
    assert.equal(resources('apps'), '  - home\n');
    assert.equal(resources('apps/web'), '  - db/left.yaml\n  - left.yaml\n');
    assert.deepEqual(specOf(result, 'all'), { path: 'apps' });
    assert.deepEqual(specOf(result, 'web'), {
      path: 'apps/web',
      kustomize: { commonMetadata: { labels: { a: 'b' } } },
    });
    assert.deepEqual(result.findings, []);
  });

  it('keeps a component that still changes something', () => {
    const tree = {
      'flux.yaml': kustomization('a', './a'),
      'a/kustomization.yaml': 'resources: [left.yaml]\ncomponents: [../c]\n',
      'a/left.yaml': MANIFEST,
      'c/kustomization.yaml':
        'kind: Component\npatches:\n  - target: { kind: HelmRelease }\n    patch: "- { op: remove, path: /spec/x }"\n  - target: { kind: ConfigMap }\n    patch: "- { op: remove, path: /data }"\n',
    };
    const result = importFlux(treeOf(tree), {});
    assert.deepEqual(result.removed, ['flux.yaml']);
    assert.doesNotMatch(
      result.files.find(({ path }) => path === 'c/kustomization.yaml')?.text ?? 'HelmRelease',
      /HelmRelease/,
    );
  });

  it('keeps other documents of a file as they are written', () => {
    const tree = {
      'all.yaml': `# first\n${MANIFEST}---\n${REPOSITORY}---\n# last\n${MANIFEST.replace('left', 'right')}`,
    };
    assert.equal(
      importFlux(treeOf(tree), {}).files.find(({ path }) => path === 'all.yaml')?.text,
      `# first\n${MANIFEST}---\n# last\n${MANIFEST.replace('left', 'right')}`,
    );
  });

  const told: readonly (readonly [says: string, files: Readonly<Record<string, string>>, line: string])[] = [
    [
      'a range of versions',
      { 'a.yaml': release('web', [CHART[0]?.replace('1.2.3', '">=1.2 <2"') ?? '']) },
      'a.yaml:8:18 SourceInvalid the chart web has a range of versions, >=1.2 <2; it became 1.2.0',
    ],
    [
      'a repository that is not there',
      { 'a.yaml': release('web', [CHART[0]?.replace('charts', 'gone') ?? '']) },
      'a.yaml:8:48 SourceMissing warning: there is no HelmRepository gone',
    ],
    [
      'a folder that is not there',
      { 'a.yaml': kustomization('x', './gone') },
      'a.yaml:9:9 SourceMissing warning: Kustomization x is of the folder ./gone',
    ],
    [
      'another repository',
      {
        'a.yaml': `${kustomization('x', './a').replace('name: flux-system }', 'name: other }')}---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: { name: other }\nspec: { url: https://git.example.com/x }\n`,
      },
      'NotCarriedOver warning: Kustomization x is of GitRepository other, another source; copy its files into this repository, or name it in spec.source of an App',
    ],
    [
      'a bucket, which no App can be of',
      { 'a.yaml': kustomization('x', './a').replace('GitRepository', 'Bucket') },
      'NotCarriedOver warning: Kustomization x is of Bucket flux-system, another source; copy its files into this repository',
    ],
    [
      'a suspended release',
      { 'a.yaml': release('web', [...CHART, 'suspend: true']) },
      'a.yaml:1:1 NotCarriedOver warning: HelmRelease web is suspended',
    ],
    [
      'post-renderers',
      { 'a.yaml': release('web', [...CHART, 'postRenderers: [{ kustomize: {} }]']) },
      'a.yaml:9:3 NotCarriedOver warning: HelmRelease web: spec.postRenderers',
    ],
    [
      'SOPS',
      { 'a.yaml': kustomization('x', './b', ['decryption: { provider: sops }']), 'b/a.yaml': MANIFEST },
      'a.yaml:11:3 CarriedOverChanged warning: Secrets of Kustomization x are encrypted with SOPS; they are read as they are; give their age identity to the control plane: `plumb up --age-key FILE`',
    ],
    [
      'a notification',
      { 'a.yaml': 'apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\nmetadata: { name: x }\n' },
      'a.yaml:1:1 NotCarriedOver warning: Alert x is not carried over; it is read by Flux alone',
    ],
    [
      'a login',
      { 'a.yaml': release('web') + `---\n${REPOSITORY}  secretRef: { name: s }\n` },
      'the login to a repository of charts (secretRef) is not carried over; name its Secret in spec.helm.chart.secretRef of the App, in whose namespace it has to be',
    ],
  ];
  for (const [says, files, line] of told)
    it(`tells of ${says}`, () => {
      const findings = importFlux(
        treeOf(says === 'a login' ? files : { 'sources.yaml': REPOSITORY, ...files }),
        {},
      ).findings.map(formatDiagnostic);
      assert.ok(
        findings.some((finding) => finding.includes(line)),
        findings.join('\n'),
      );
    });
});

it('is nothing where nothing of Flux is there: no file is moved', () => {
  assert.deepEqual(importFlux(treeOf({ 'compose.yaml': 'services: {}\n', 'a.yaml': MANIFEST }), {}), {
    files: [],
    removed: [],
    findings: [],
  });
});
