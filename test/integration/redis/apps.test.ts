/** An App from a push to objects: through the hook, the real engine and a control plane on its Redis. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { controlPlane } from '../../../cli/control-plane.ts';
import type { ConfigMap } from '../../../contracts/objects/index.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import { startControlPlane, type ControlPlane } from '../../../reconciler/main.ts';
import { buildCli } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { git, plumb, run, type Ran } from '../cli/cli-bench.ts';
import { app, configMap, namespace, type Files } from '../engines/apps.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { polled } from '../../support/patience.ts';

const PATIENCE_MS = 60_000;
const KUSTOMIZATION = 'namePrefix: my-\nresources: [all.yaml]\n';

describe('an App that is pushed to a control plane on a Redis', () => {
  let dir: string;
  let bare: string;
  let work: string;
  let redis: TestRedis;
  let plane: ControlPlane | undefined;

  before(async () => {
    buildCli();
    dir = makeFolder('plumb-apps-');
    [bare, work] = [join(dir, 'shop.git'), join(dir, 'work')];
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['init', '-q', '-b', 'main', work], dir);
    await git(['remote', 'add', 'origin', bare], work);
    redis = await startTestRedis();
  });
  after(async () => {
    await plane?.close();
    await redis.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const home = (): string => join(dir, 'home');
  async function start(): Promise<void> {
    plane = await startControlPlane({
      home: home(),
      repo: bare,
      branch: 'main',
      sourceName: 'main',
      version: '0',
      redis: `unix://${redis.connection.path ?? ''}`,
      progress: () => undefined,
      signal: new AbortController().signal,
    });
  }
  async function push(files: Files): Promise<Ran> {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(work, dirname(path)), { recursive: true });
      writeFileSync(join(work, path), text);
    }
    await git(['add', '-A'], work);
    await git(['commit', '-q', '-m', 'change'], work);
    return run('git', ['push', '-q', 'origin', 'main'], work);
  }
  const ask = <T>(path: string): Promise<T | undefined> =>
    controlPlane(home())
      .get<T>(path)
      .catch(() => undefined);
  const live = (name: string): Promise<ConfigMap | undefined> => ask(`/api/v1/namespaces/shop/configmaps/${name}`);
  async function applied(): Promise<void> {
    const sha = (await git(['rev-parse', 'HEAD'], work)).stdout.trim();
    await polled(
      `${sha} is applied`,
      async () => (await ask<StatusReport>('/plumbline/v1/status'))?.source.appliedRevision === sha || undefined,
      { timeoutMs: PATIENCE_MS },
    );
  }

  it('is planned by the hook as it is applied', async () => {
    const pushed = await push({
      'plumbline.yaml': CLUSTER,
      'apps.yaml': `${namespace('shop')}---\n${app('shop', { path: 'shop', namespace: 'shop' })}`,
      'shop/kustomization.yaml': KUSTOMIZATION,
      'shop/all.yaml': configMap('a', { value: '1' }),
    });
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /ConfigMap\/shop\/my-a/);
    await start();
    await applied();
    assert.equal((await live('my-a'))?.data?.['value'], '1');
  });

  it('is refused by the hook where its engine refuses it, with its words, and nothing changes', async () => {
    const pushed = await push({ 'shop/kustomization.yaml': `${KUSTOMIZATION}replicas: [x]\n` });
    assert.notEqual(pushed.code, 0);
    assert.match(pushed.stderr, /apps\.yaml:5:1 RenderFailed App shop is refused by kustomize/);
    assert.equal((await live('my-a'))?.data?.['value'], '1');
    await git(['reset', '-q', '--hard', 'HEAD~1'], work);
  });

  it('changes by a push to what runs, and is what it was after a restart and the loss of the store', async () => {
    assert.equal((await push({ 'shop/all.yaml': configMap('a', { value: '2' }) })).code, 0);
    await applied();
    const changed = await live('my-a');
    assert.equal(changed?.data?.['value'], '2');
    const kept = readdirSync(join(home(), 'renderings')).sort();
    await plane?.close();
    await redis.client.flushall();
    await start();
    await applied();
    const again = await live('my-a');
    assert.deepEqual(again?.data, changed.data);
    assert.equal(again?.metadata.annotations?.['plumbline.dev/origin'], 'shop/all.yaml:1');
    // Both were rendered before.
    assert.deepEqual(readdirSync(join(home(), 'renderings')).sort(), kept);
  });
});
