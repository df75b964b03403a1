import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { namespace, render, type Files } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';

const DOCS = join(import.meta.dirname, '../../../docs/apps.md');
/** The AppSet that the documentation begins with, as it is there. */
const DOCUMENTED = /```yaml\n(apiVersion: plumbline\.dev\/v1alpha1\nkind: AppSet\n[^`]*)```/.exec(
  readFileSync(DOCS, 'utf8'),
)?.[1];

const CHART: Files = {
  'charts/site/Chart.yaml': 'apiVersion: v2\nname: site\nversion: 1.0.0\n',
  'charts/site/templates/map.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: site }\ndata:\n  twice: {{ mul 2 .Values.replicas | quote }}\n  tls: "{{ if .Values.tls }}on{{ else }}off{{ end }}"\n  from: {{ .Values.from }}\n',
};
const siteFile = (name: string, replicas: number, tls: boolean): Files => ({
  [`sites/${name}/site.yaml`]: `name: ${name}\nreplicas: ${replicas}\ntls: ${tls}\n`,
  [`sites/${name}/namespace.yaml`]: namespace(name),
});

describe('an AppSet in a real repository, its Apps rendered by the real Helm', () => {
  const folder = makeFolder('plumbline-app-sets-');
  let engines: Engines;
  let bench: SyncBench;
  before(() => {
    engines = openEngines(folder);
  });
  after(() => removeFolder(folder));
  beforeEach(async () => {
    bench = await syncBench({ engines });
  });
  afterEach(() => bench.close());

  const base: Files = { 'plumbline.yaml': CLUSTER, 'set.yaml': DOCUMENTED ?? '', ...CHART };
  const north = siteFile('north', 2, true);
  const south = siteFile('south', 3, false);
  const commit = (files: Files): string =>
    bench.repository.commit(Object.entries({ ...base, ...files }).map(([path, content]) => ({ path, content })));
  const applied = (sha: string): Promise<void> =>
    bench.until(() => bench.status()?.appliedRevision === sha && bench.synced()?.reason === 'Applied', 'applied');
  const apps = (): readonly string[] =>
    bench.cache
      .list('App')
      .map(({ metadata }) => metadata.name)
      .sort();
  const site = (name: string) => bench.cache.get(`configmaps/${name}/site`);

  it('has an App more for a folder more, and with the folder the App and what it made goes', async () => {
    await applied(commit(north));
    assert.deepEqual(apps(), ['site-north']);
    assert.deepEqual(site('north')?.data, { twice: '4', tls: 'on', from: 'sites/north/site.yaml' });
    assert.equal(bench.cache.list('App')[0]?.metadata.annotations?.['plumbline.dev/origin'], 'set.yaml:1');
    const untouched = site('north')?.metadata.resourceVersion;

    const more = commit({ ...north, ...south });
    await applied(more);
    assert.deepEqual(bench.record(more)?.counts, { create: 3, update: 0, delete: 0 });
    assert.deepEqual(apps(), ['site-north', 'site-south']);
    assert.deepEqual(site('south')?.data, { twice: '6', tls: 'off', from: 'sites/south/site.yaml' });

    const changed = commit({ ...north, ...siteFile('south', 4, false) });
    await applied(changed);
    assert.deepEqual(bench.record(changed)?.counts, { create: 0, update: 2, delete: 0 });
    assert.equal(site('south')?.data?.['twice'], '8');

    const { 'sites/south/site.yaml': _, ...rest } = south;
    const less = commit({ ...north, ...rest });
    await applied(less);
    assert.deepEqual(bench.record(less)?.counts, { create: 0, update: 0, delete: 2 });
    assert.deepEqual(apps(), ['site-north']);
    assert.equal(site('south'), undefined);
    assert.equal(site('north')?.metadata.resourceVersion, untouched);
  });

  it('that cannot be expanded is refused at its place, and leaves what is in force', async () => {
    const good = commit({ ...north, ...south });
    await applied(good);
    const bad = commit({ ...north, ...south, 'sites/south/site.yaml': 'name: south\ntls: true\n' });
    await bench.until(() => bench.record(bad)?.outcome === 'Refused', 'refused');
    assert.match(
      bench.record(bad)?.message ?? '',
      /set\.yaml:12:\d+ AppSetFailed AppSet sites, element south of spec\.generators\[0\]\.files: spec\.helm\.values\.replicas: \$\{replicas\} is not set/,
    );
    assert.equal(bench.status()?.appliedRevision, good);
    assert.deepEqual(apps(), ['site-north', 'site-south']);
  });

  it('leaves to an App what it substitutes itself, and reads charts with files of its own among theirs', async () => {
    const set = `apiVersion: plumbline.dev/v1alpha1
kind: AppSet
metadata: { name: own }
spec:
  generators:
  - files: { include: ["*/site.yaml"] }
  template:
    metadata: { name: "\${name}" }
    spec:
      path: "\${path}"
      substitute: { values: { DOMAIN: "\${name}.example.com" } }
      kustomize:
        patches:
        - target: { kind: ConfigMap }
          patch: |
            - { op: add, path: /data, value: { at: "$\${DOMAIN}", from: "\${name}" } }
`;
    const { told, state } = await render(
      {
        'set.yaml': set,
        'one/site.yaml': 'name: one\n',
        'one/kustomization.yaml': 'resources: [map.yaml]\n',
        'one/map.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: one }\n',
      },
      engines,
    );
    assert.deepEqual(told, []);
    const map = state.get('configmaps/default/one')?.object;
    assert.deepEqual(map?.kind === 'ConfigMap' && map.data, { at: 'one.example.com', from: 'one' });
  });
});
