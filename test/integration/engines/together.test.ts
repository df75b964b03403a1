/** Many Apps through one call of the real Kustomize: each becomes what it becomes alone. */
import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { makeFolder } from '../../support/folder.ts';
import { app, configMap, namespace, render, type Files, type Rendered } from './apps.ts';

const workload = (image = 'nginx:1'): string => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "${image}", envFrom: [{configMapRef: {name: settings}}]}]}
`;
const KUSTOMIZATION = 'namePrefix: p-\nresources: [all.yaml]\n';
const generator = (value: string): string => `configMapGenerator: [{name: settings, literals: [value=${value}]}]\n`;
/** A folder with a kustomization and its objects, and the App of it. */
const folder = (name: string, kustomization: string, all: string, spec: object = {}): Files => ({
  [`apps-${name}.yaml`]: `${app(name, { path: name, namespace: name, ...spec })}---\n${namespace(name)}`,
  [`${name}/kustomization.yaml`]: kustomization,
  [`${name}/all.yaml`]: all,
});

describe('Apps that are rendered together', () => {
  const home = makeFolder('plumbline-together-');
  let homes = 0;
  let engines: Engines;
  let runs: number;
  beforeEach(() => {
    runs = 0;
    const real = openEngines(`${home}/${homes++}`);
    engines = Object.create(real, {
      tools: {
        value: (signal: AbortSignal) => {
          const tools = real.tools(signal);
          return { ...tools, run: (call: Parameters<typeof tools.run>[0]) => (runs++, tools.run(call)) };
        },
      },
    }) as Engines;
  });
  after(() => removeFolder(home));

  const madeBy = ({ apps }: Rendered, name: string) => apps.find((one) => one.app === name)?.documents;

  /** Renders all, then each by itself with nothing kept. Returns how often the engine was asked for all. */
  async function likeAlone(...folders: readonly Files[]): Promise<{ readonly all: Rendered; readonly asked: number }> {
    const all = await render(Object.assign({}, ...folders) as Files, engines);
    const asked = runs;
    for (const files of folders) {
      const alone = await render(files, openEngines(`${home}/${homes++}`));
      for (const { app: name, documents, diagnostics } of alone.apps) {
        assert.deepEqual(madeBy(all, name), documents, name);
        assert.deepEqual(all.apps.find((one) => one.app === name)?.diagnostics, diagnostics, name);
      }
    }
    return { all, asked };
  }

  it('take one call, with names, hashes and places as each has them alone', async () => {
    const folders = Array.from({ length: 6 }, (_, i) =>
      folder(`a${i}`, `namespace: a${i}\n${KUSTOMIZATION}${generator(String(i))}`, workload()),
    );
    const { all, asked } = await likeAlone(...folders);
    assert.equal(asked, 1);
    assert.deepEqual(all.told, []);
    const { position, object } = all.state.get('deployments.apps/a3/p-web') ?? assert.fail('not made');
    assert.equal(`${position.file}:${position.line}`, 'a3/all.yaml:1');
    assert.equal(object.kind, 'Deployment');
  });

  it('are kept one by one: what one reads changes that one alone', async () => {
    const folders = Array.from({ length: 4 }, (_, i) =>
      folder(`a${i}`, `namespace: a${i}\n${KUSTOMIZATION}${generator(String(i))}`, workload()),
    );
    const files = Object.assign({}, ...folders) as Files;
    await render(files, engines);
    await render(files, engines);
    assert.equal(runs, 1);
    const { told, state } = await render({ ...files, 'a2/all.yaml': workload('nginx:2') }, engines);
    assert.equal(runs, 2);
    assert.deepEqual(told, []);
    const images = ['a1', 'a2'].map((name) => {
      const object = state.get(`deployments.apps/${name}/p-web`)?.object;
      return object?.kind === 'Deployment' ? object.spec.template.spec.containers[0]?.image : undefined;
    });
    assert.deepEqual(images, ['nginx:1', 'nginx:2']);
  });

  it('are told one by one: the error of one is its own', async () => {
    const { all } = await likeAlone(
      folder('good', `namespace: good\n${KUSTOMIZATION}${generator('1')}`, workload()),
      folder('bad', `${KUSTOMIZATION}replicas: [x]\n`, workload()),
      folder('fine', `namespace: fine\n${KUSTOMIZATION}${generator('1')}`, workload()),
    );
    assert.equal(all.told.filter((line) => line.includes('RenderFailed')).length, 1);
    assert.match(all.told[0] ?? '', /^apps-bad\.yaml:1:1 RenderFailed App bad is refused by kustomize: /);
    assert.doesNotMatch(all.told[0] ?? '', /[0-9a-f]{32}/);
  });

  it('may have objects of one kind and name, as long as their namespaces are only the Apps’', async () => {
    const { all } = await likeAlone(
      folder('one', `resources: [all.yaml]\n${generator('1')}`, workload()),
      folder('two', `resources: [all.yaml]\n${generator('2')}`, workload()),
    );
    assert.deepEqual(all.told, []);
    assert.ok(all.state.has('deployments.apps/one/web') && all.state.has('deployments.apps/two/web'));
  });

  it('do not follow the names that another one changes', async () => {
    const role = 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: view}\nrules: []\n';
    const binding =
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: look}\n' +
      'roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [{kind: ServiceAccount, name: web}]\n';
    const account = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n';
    await likeAlone(
      folder('roles', `namespace: roles\nnamePrefix: their-\nresources: [all.yaml]\n`, `${role}---\n${account}`),
      folder('bound', 'resources: [all.yaml]\n', binding),
      folder('other', `namespace: other\n${KUSTOMIZATION}`, configMap('a')),
    );
  });

  it('do not take what another one generates into their namespace', async () => {
    await likeAlone(
      folder('one', `namespace: shared\nnamePrefix: one-\nresources: [all.yaml]\n${generator('1')}`, workload()),
      folder('three', `namespace: shared\nresources: [all.yaml]\n`, workload()),
    );
  });

  it('cannot give an object to another one', async () => {
    const forged = `namespace: one\nresources: [all.yaml]\ncommonAnnotations: {config.kubernetes.io/origin: "path: ../x"}\n`;
    await likeAlone(
      folder('one', forged, configMap('a')),
      folder('two', `namespace: two\nresources: [all.yaml]\n`, configMap('b')),
      folder('three', `namespace: three\nresources: [all.yaml]\n`, configMap('c')),
    );
  });
});
