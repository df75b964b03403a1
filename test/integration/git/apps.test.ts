import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { openEngines, type Engines } from '../../../reconciler/adapters/engines/index.ts';
import { makeFolder } from '../../support/folder.ts';
import { app, configMap, namespace } from '../engines/apps.ts';
import { CLUSTER, type SyncBench, syncBench } from './sync-bench.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

describe('an App in a real repository, rendered by the real Kustomize', () => {
  const folder = makeFolder('plumbline-sync-apps-');
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

  const KUSTOMIZATION = 'namePrefix: my-\nresources: [a.yaml, b.yaml]\n';
  const files = {
    'plumbline.yaml': CLUSTER,
    'app.yaml': `${namespace('web')}---\n${app('web', { path: 'web', namespace: 'web' })}`,
    'web/kustomization.yaml': KUSTOMIZATION,
    'web/a.yaml': configMap('a', { value: '1' }),
    'web/b.yaml': configMap('b', { value: '1' }),
    'plain.yaml': configMap('plain'),
  };
  const commit = (more: Readonly<Record<string, string>> = {}): string =>
    bench.repository.commit(Object.entries({ ...files, ...more }).map(([path, content]) => ({ path, content })));
  const applied = (sha: string): Promise<void> =>
    bench.until(() => bench.status()?.appliedRevision === sha && bench.synced()?.reason === 'Applied', 'applied');
  const live = (name: string) => bench.cache.get(`configmaps/web/${name}`);

  it('is applied from a push, and a file of it that changes changes its object alone', async () => {
    const first = commit();
    await applied(first);
    // The Cluster, the Namespace, the App, what it makes, and the plain one.
    assert.deepEqual(bench.record(first)?.counts, { create: 6, update: 0, delete: 0 });
    assert.equal(live('my-a')?.data?.['value'], '1');
    assert.equal(live('my-a')?.metadata.annotations?.['plumbline.dev/origin'], 'web/a.yaml:1');
    const { state } = await bench.sync.reader.read(first, signal);
    const apps = [...state.values()].map((one) => `${one.object.metadata.name} ${one.app ?? '-'}`).sort();
    assert.deepEqual(apps, ['cluster -', 'my-a web', 'my-b web', 'plain -', 'web -', 'web -']);
    assert.equal(bench.cache.list('App')[0]?.spec.path, 'web');
    const untouched = live('my-b')?.metadata.resourceVersion;
    const second = commit({ 'web/a.yaml': configMap('a', { value: '2' }) });
    await applied(second);
    assert.deepEqual(bench.record(second)?.counts, { create: 0, update: 1, delete: 0 });
    assert.equal(live('my-a')?.data?.['value'], '2');
    assert.equal(live('my-b')?.metadata.resourceVersion, untouched);
  });

  it('whose rendering fails is refused at its place, leaves the last good revision in force, and follows once mended', async () => {
    const good = commit();
    await applied(good);
    const wrong = {
      'web/a.yaml': configMap('a', { value: '2' }),
      'web/kustomization.yaml': `${KUSTOMIZATION}replicas: [x]\n`,
    };
    const bad = commit({ ...wrong, 'plain.yaml': configMap('plain', { value: '2' }) });
    await bench.until(() => bench.record(bad)?.outcome === 'Refused', 'refused');
    assert.match(bench.record(bad)?.message ?? '', /app\.yaml:5:1 RenderFailed App web is refused by kustomize/);
    assert.equal(bench.status()?.appliedRevision, good);
    assert.equal(live('my-a')?.data?.['value'], '1');
    assert.deepEqual(bench.cache.get('configmaps/default/plain')?.data, {});
    await applied(commit({ ...wrong, 'web/kustomization.yaml': KUSTOMIZATION }));
    assert.equal(live('my-a')?.data?.['value'], '2');
  });

  it('has what its rendering no longer has deleted, and kept with prune: false, by itself and after the App', async () => {
    await applied(commit());
    const less = { 'web/kustomization.yaml': 'namePrefix: my-\nresources: [a.yaml]\n' };
    await applied(commit(less));
    assert.equal(live('my-b'), undefined);

    const keeping = {
      'app.yaml': `${namespace('web')}---\n${app('web', { path: 'web', namespace: 'web', prune: false })}`,
    };
    await applied(commit(keeping));
    const uid = live('my-b')?.metadata.uid;
    assert.ok(uid);
    await applied(commit({ ...keeping, ...less }));
    assert.equal(live('my-b')?.metadata.uid, uid);
    const { 'web/a.yaml': _a, 'web/b.yaml': _b, 'web/kustomization.yaml': _k, ...rest } = files;
    const gone = bench.repository.commit(
      Object.entries({ ...rest, 'app.yaml': namespace('web') }).map(([path, content]) => ({ path, content })),
    );
    await applied(gone);
    assert.deepEqual(bench.record(gone)?.counts, { create: 0, update: 0, delete: 1 });
    assert.deepEqual([live('my-a')?.metadata.deletionTimestamp, live('my-b')?.metadata.uid], [undefined, uid]);
    assert.deepEqual(bench.cache.list('App'), []);
  });
});
