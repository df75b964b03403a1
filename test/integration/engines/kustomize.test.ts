/** The real Kustomize, from a commit's files to desired objects. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { makeFolder } from '../../support/folder.ts';
import { app, configMap, namespace, render } from './apps.ts';

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx:1, envFrom: [{configMapRef: {name: settings}}]}]
`;

describe('an App for Kustomize', () => {
  const folder = makeFolder('plumbline-engines-');
  let engines: Engines;
  before(() => {
    engines = openEngines(folder);
  });

  after(() => removeFolder(folder));

  const files = {
    'apps.yaml': `${namespace('web')}---\n${app('web', {
      path: 'apps/web',
      namespace: 'web',
      kustomize: {
        components: ['../../components/more'],
        namePrefix: 'p-',
        images: [{ name: 'nginx', newTag: '1.27' }],
        patches: [{ target: { kind: 'Deployment' }, patch: '- {op: add, path: /spec/replicas, value: 3}' }],
        commonMetadata: { labels: { team: 'a' }, annotations: { note: 'b' } },
      },
    })}`,
    'apps/web/kustomization.yaml': 'resources: [../base]\n',
    'apps/base/kustomization.yaml':
      'resources: [all.yaml]\nconfigMapGenerator: [{name: settings, files: [motd.txt]}]\n',
    'apps/base/all.yaml': `${configMap('first')}---\n${DEPLOYMENT}`,
    'apps/base/motd.txt': 'hello\n',
    'components/more/kustomization.yaml':
      'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [more.yaml]\n',
    'components/more/more.yaml': configMap('more'),
    'plain.yaml': configMap('plain'),
  };

  it('brings the objects of its folder, of bases and of components, with what the App lays over them', async () => {
    const { told, state } = await render(files, engines);
    assert.deepEqual(told, []);
    const made = [...state.values()].filter((desired) => desired.app === 'web');
    assert.deepEqual(
      made
        .map(({ key, position: { file, line } }) => `${key.replace(/settings-.*/, 'settings')} ${file}:${line}`)
        .sort(),
      [
        'configmaps/web/p-first apps/base/all.yaml:1',
        'configmaps/web/p-more components/more/more.yaml:1',
        'configmaps/web/p-settings apps/base/kustomization.yaml:1',
        'deployments.apps/web/p-web apps/base/all.yaml:7',
      ],
    );
    const deployment = made.map(({ object }) => object).find((object) => object.kind === 'Deployment');
    assert.equal(deployment?.spec.replicas, 3);
    assert.equal(deployment.spec.template.spec.containers[0]?.image, 'nginx:1.27');
    assert.match(deployment.spec.template.spec.containers[0].envFrom?.[0]?.configMapRef?.name ?? '', /^p-settings-/);
    assert.deepEqual(deployment.metadata.labels, { team: 'a' });
    assert.deepEqual(deployment.metadata.annotations, { note: 'b' });
    assert.deepEqual(deployment.spec.template.metadata.annotations, undefined);
    assert.equal(state.get('configmaps/default/plain')?.app, undefined);
  });

  it('has each field that people write in kustomizations', async () => {
    const kustomization = `namespace: web
resources: [all.yaml]
components: [../../components/more]
labels:
- pairs: {tier: front}
  includeSelectors: true
configMapGenerator:
- name: settings
  files: [motd.txt]
  literals: [MODE=prod]
secretGenerator:
- name: token
  literals: [TOKEN=one]
patches:
- path: replicas.yaml
- path: port.json
  target: {kind: Service, name: web}
- target: {kind: Deployment}
  patch: |-
    - {op: add, path: /spec/template/spec/terminationGracePeriodSeconds, value: 5}
images:
- {name: nginx, newName: registry.lab/nginx, newTag: "1.27"}
replacements:
- source: {kind: Service, name: web, fieldPath: 'spec.ports.0.port'}
  targets:
  - select: {kind: Deployment, name: web}
    fieldPaths: ['spec.template.spec.containers.0.ports.0.containerPort']
configurations: [names.yaml]
`;
    const deployment = DEPLOYMENT.replace(
      'metadata:\n  name: web',
      'metadata:\n  name: web\n  annotations: {settings: settings}',
    ).replace(
      'image: nginx:1',
      'image: nginx:1, ports: [{containerPort: 1}], env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: token, key: TOKEN}}}]',
    );
    const { told, state } = await render(
      {
        'apps.yaml': `${namespace('web')}---\n${app('all', { path: 'apps/all' })}`,
        'apps/all/kustomization.yaml': kustomization,
        'apps/all/all.yaml': `${deployment}---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n`,
        'apps/all/replicas.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n',
        'apps/all/port.json': '[{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]\n',
        'apps/all/names.yaml':
          'nameReference:\n- kind: ConfigMap\n  fieldSpecs: [{kind: Deployment, path: metadata/annotations/settings}]\n',
        'apps/all/motd.txt': 'hello\n',
        'components/more/kustomization.yaml':
          'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [more.yaml]\n',
        'components/more/more.yaml': configMap('more'),
      },
      engines,
    );
    assert.deepEqual(told, []);
    const objects = [...state.values()].map(({ object }) => object);
    const web = objects.find((object) => object.kind === 'Deployment');
    const service = objects.find((object) => object.kind === 'Service');
    const secret = objects.find((object) => object.kind === 'Secret');
    const settings = objects.find(
      (object) => object.kind === 'ConfigMap' && object.metadata.name.startsWith('settings-'),
    );
    assert.ok(web && service && secret && settings?.kind === 'ConfigMap');
    assert.deepEqual([web.metadata.namespace, web.spec.replicas], ['web', 2]);
    assert.deepEqual(web.spec.selector.matchLabels, { app: 'web', tier: 'front' });
    assert.deepEqual(service.spec.selector, { app: 'web', tier: 'front' });
    assert.equal(web.metadata.annotations?.['settings'], settings.metadata.name);
    assert.deepEqual(settings.data, { MODE: 'prod', 'motd.txt': 'hello\n' });
    const { containers, terminationGracePeriodSeconds } = web.spec.template.spec;
    assert.equal(terminationGracePeriodSeconds, 5);
    assert.equal(containers[0]?.image, 'registry.lab/nginx:1.27');
    assert.equal(containers[0].ports?.[0]?.containerPort, 8080);
    assert.equal(containers[0].envFrom?.[0]?.configMapRef?.name, settings.metadata.name);
    assert.match(secret.metadata.name, /^token-/);
    assert.equal(containers[0].env?.[0]?.valueFrom?.secretKeyRef?.name, secret.metadata.name);
    assert.ok(state.has('configmaps/web/more'));
  });

  it('is judged as plain YAML is, and told at its file and in what is rendered', async () => {
    const wrong = {
      ...files,
      'apps/base/all.yaml': `${configMap('first')}---\n${DEPLOYMENT.replace('image:', 'imag:')}`,
    };
    const { told, apps } = await render(wrong, engines);
    const line = told.find((text) => text.includes('UnknownField')) ?? told.join('\n');
    assert.match(
      line,
      /^apps\/base\/all\.yaml:7:1 UnknownField .*imag.*\(App web, kustomize: line (\d+) of plumb render web\)/,
    );
    const shown = (apps[0]?.documents.map(({ text }) => text).join('---\n') ?? '').split('\n');
    assert.match(shown[Number(/line (\d+) of/.exec(line)?.[1]) - 1] ?? '', /imag:/);
  });

  it('that Kustomize refuses is told in its words at the App, and nothing is desired of it', async () => {
    const { told, state } = await render(
      { ...files, 'apps/web/kustomization.yaml': 'resources: [../base, ../base]\n' },
      engines,
    );
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /^apps\.yaml:5:1 RenderFailed App web is refused by kustomize: .*may not add resource/);
    assert.doesNotMatch(told[0] ?? '', /\/tree|plumbline-/);
    assert.deepEqual(
      [...state.values()].filter((desired) => desired.app === 'web'),
      [],
    );
  });

  it('runs no plugin, whatever a kustomization says', async () => {
    const { told } = await render(
      {
        ...files,
        'apps/web/kustomization.yaml': 'resources: [../base]\ntransformers: [run.yaml]\n',
        'apps/web/run.yaml':
          'apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: a\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /program}\n',
      },
      engines,
    );
    assert.match(
      told.join('\n'),
      /^apps\.yaml:5:1 RenderFailed App web is refused by kustomize: .*external plugins disabled/,
    );
  });

  it('reads no file outside of its own', async () => {
    const { told } = await render(
      {
        ...files,
        'apps/web/kustomization.yaml': 'resources: [../base]\ngenerators: [g.yaml]\n',
        'apps/web/g.yaml':
          'apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: stolen}\nfiles: [/etc/passwd, /program]\n',
      },
      engines,
    );
    assert.match(told.join('\n'), /RenderFailed App web is refused by kustomize/);
  });

  it('is rendered once for what it reads, and again when that changes', async () => {
    let runs = 0;
    const counted = Object.create(engines, {
      tools: {
        value: (signal: AbortSignal) => {
          const tools = engines.tools(signal);
          return { ...tools, run: (call: Parameters<typeof tools.run>[0]) => (runs++, tools.run(call)) };
        },
      },
    }) as Engines;
    const own = { ...files, 'apps/base/motd.txt': 'hello again\n' };
    await render(own, counted);
    assert.equal(runs, 1);
    await render({ ...own, 'plain.yaml': configMap('other'), 'apps/base/not-read.txt': '' }, counted);
    assert.equal(runs, 1);
    const { told, state } = await render({ ...own, 'apps/base/motd.txt': 'changed\n' }, counted);
    assert.equal(runs, 2);
    assert.deepEqual(told, []);
    assert.match(JSON.stringify([...state.values()]), /changed/);
  });
});
