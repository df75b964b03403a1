/** The real Helm, from a commit's files to desired objects. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { app, configMap, namespace, render } from './apps.ts';

const chart = (name: string): string => `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`;
const templated = (name: string, value: string, annotations = '{}'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  annotations: ${annotations}\ndata:\n  value: ${value}\n`;

describe('an App for Helm', () => {
  const folder = makeFolder('plumbline-engines-');
  let engines: Engines;
  before(() => {
    engines = openEngines(folder);
  });
  after(() => removeFolder(folder));

  const files = {
    'apps.yaml': `${namespace('web')}---\n${app('web', {
      path: 'charts/web',
      namespace: 'web',
      helm: {
        releaseName: 'site',
        valuesFiles: ['values/web.yaml'],
        valuesFrom: [
          { kind: 'ConfigMap', name: 'values' },
          { kind: 'Secret', name: 'image', valuesKey: 'tag', targetPath: 'image.tag' },
        ],
        values: { d: 'of the App' },
      },
    })}`,
    'charts/web/Chart.yaml': chart('web'),
    'charts/web/values.yaml': 'a: of the chart\nb: x\nc: x\nd: x\nimage: {tag: x}\nsub: {e: of the parent}\n',
    'charts/web/crds/widgets.yaml':
      'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec:\n  group: example.com\n  names: {plural: widgets, kind: Widget}\n  scope: Namespaced\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n',
    'charts/web/templates/all.yaml': templated(
      '{{ .Release.Name }}',
      '{{ printf "%s %s %s %s %v %s" .Values.a .Values.b .Values.c .Values.d .Values.image.tag .Release.Namespace | quote }}',
    ),
    'charts/web/charts/sub/Chart.yaml': chart('sub'),
    'charts/web/charts/sub/templates/sub.yaml': templated('sub', '{{ .Values.e | quote }}'),
    'values/web.yaml': 'b: of the file\nc: x\nd: x\n',
    'values.yaml': `${configMap('values', { 'values.yaml': 'c: of the object\nd: x\n' }).replace('name: values', 'name: values\n  namespace: web')}---\napiVersion: v1\nkind: Secret\nmetadata: {name: image, namespace: web}\nstringData: {tag: "7"}\n`,
  };
  const value = (state: Awaited<ReturnType<typeof render>>['state'], name: string): unknown => {
    const object = state.get(`configmaps/web/${name}`)?.object;
    return object?.kind === 'ConfigMap' ? object.data?.['value'] : object;
  };

  it('has values of the chart, of files, of objects and of its own, in this order, and charts of charts', async () => {
    const { told, state } = await render(files, engines);
    assert.deepEqual(told, []);
    assert.equal(value(state, 'site'), 'of the chart of the file of the object of the App 7 web');
    assert.equal(value(state, 'sub'), 'of the parent');
    assert.equal(state.get('customresourcedefinitions.apiextensions.k8s.io//widgets.example.com')?.app, 'web');
    assert.deepEqual(state.get('configmaps/web/site')?.position.rendered?.template, 'web/templates/all.yaml');
  });

  it('has hooks at an installation and an upgrade, no tests, and is told of what nothing runs', async () => {
    const hook = (name: string, what: string): string => templated(name, 'x', `{helm.sh/hook: "${what}"}`);
    const { told, state } = await render(
      {
        ...files,
        'charts/web/templates/all.yaml': [
          hook('before', 'pre-install,pre-upgrade').replace(/annotations: \{(.*)\}/, 'annotations:\n    $1'),
          hook('after', 'post-upgrade').replace(/annotations: \{(.*)\}/, 'annotations:\n    $1'),
          hook('test', 'test').replace(/annotations: \{(.*)\}/, 'annotations:\n    $1'),
          hook('gone', 'post-delete').replace(/annotations: \{(.*)\}/, 'annotations:\n    $1'),
        ].join('---\n'),
      },
      engines,
    );
    assert.deepEqual([value(state, 'before'), value(state, 'after')], ['x', 'x']);
    assert.deepEqual([value(state, 'test'), value(state, 'gone')], [undefined, undefined]);
    assert.equal(told.length, 1);
    assert.match(
      told[0] ?? '',
      /HelmHook warning: App web, web\/templates\/all\.yaml: the hook post-delete of a ConfigMap is left out/,
    );
  });

  it('has variables substituted, and is told where one has no value', async () => {
    const substitute = { values: { DOMAIN: 'example.com' } };
    const apps = `${namespace('web')}---\n${app('web', { path: 'charts/web', namespace: 'web', substitute, helm: {} })}`;
    const own = {
      ...files,
      'values/web.yaml': '',
      'apps.yaml': apps,
      'charts/web/templates/all.yaml': templated('a', '"${DOMAIN}"'),
    };
    const { told, state } = await render(own, engines);
    assert.deepEqual(told, []);
    assert.equal(value(state, 'a'), 'example.com');
    const { told: unset } = await render(
      { ...own, 'charts/web/templates/all.yaml': templated('a', '${NONE}') },
      engines,
    );
    assert.equal(unset.length, 1);
    assert.match(unset[0] ?? '', /^apps\.yaml:5:1 UnsetVariable .*NONE.*line \d+ of plumb render web/);
  });

  const hostile: Readonly<
    Record<string, { readonly template: string; readonly told: RegExp; readonly limits?: object }>
  > = {
    'that never ends': {
      template: '{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}',
      told: /RenderFailed App web takes too long: helm was ended after 2 s/,
      limits: { timeMs: 2_000 },
    },
    'that wants all memory': {
      template: '{{ range until 1000000000 }}{{ end }}',
      told: /RenderFailed App web makes helm break down: runtime: out of memory/,
    },
    'that prints without end': {
      template: 'a: {{ range until 200000 }}0123456789abcdef{{ end }}',
      told: /RenderFailed App web makes too much: helm was ended after 1 MiB/,
      limits: { output: 1024 * 1024 },
    },
    'that calls itself': {
      template: '{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}',
      told: /RenderFailed App web/,
    },
    'that reads the environment': {
      template: 'a: {{ env "PATH" }}',
      told: /RenderFailed App web is refused by helm: .*"env" not defined/,
    },
    'that prints control characters': {
      template: 'a: {{ fail (printf "%c[31m" 27) }}',
      told: /RenderFailed [^\x00-\x1f]*$/,
    },
  };
  for (const [title, { template, told, limits }] of Object.entries(hostile))
    it(`a chart ${title} is an error of the commit`, async () => {
      const bounded = openEngines(folder, limits);
      const found = await render({ ...files, 'charts/web/templates/all.yaml': template }, bounded);
      assert.match(found.told.join('\n'), told);
      assert.deepEqual(
        [...found.state.values()].filter((desired) => desired.app === 'web'),
        [],
      );
    });

  it('a chart sees no file, no host and no network of the machine', async () => {
    const template = templated(
      'seen',
      '{{ printf "%s|%s" (.Files.Get "/etc/passwd") (.Files.Get "../../../etc/passwd") | quote }}',
    );
    const { told, state } = await render({ ...files, 'charts/web/templates/all.yaml': template }, engines);
    assert.deepEqual(told, []);
    assert.equal(value(state, 'seen'), '|');
  });
});
