/** What a control plane does when its Redis is not as it left it. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ConfigMap, KubeObject } from '../../../contracts/objects/index.ts';
import { controlPlane } from '../../../cli/control-plane.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import { type ControlPlane, startControlPlane } from '../../../reconciler/main.ts';
import { scratchRepository, type ScratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { snapshotOf } from '../../support/redis-snapshot.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { polled } from '../../support/patience.ts';

/** A job that a restored queue calls active is taken up again when its lock has run out, after 25 s at most. */
const PATIENCE_MS = 60_000;
const HASH = '{plumb:main}:objects:configmaps';

describe('a control plane on a Redis', () => {
  let redis: TestRedis;
  let repository: ScratchRepository;
  let home: string;
  let plane: ControlPlane;
  let said: string[];
  let failed: Error | undefined;

  beforeEach(async () => {
    redis = await startTestRedis();
    repository = scratchRepository();
    home = makeFolder('plumb-home-');
    said = [];
    failed = undefined;
    push('1');
    await start();
    await synced();
  });
  afterEach(async () => {
    await plane.close();
    await redis.close();
    repository.remove();
    rmSync(home, { recursive: true, force: true });
  });

  async function start(): Promise<void> {
    plane = await startControlPlane({
      home,
      repo: repository.dir,
      branch: 'main',
      sourceName: 'main',
      version: '0',
      redis: `unix://${redis.connection.path ?? ''}`,
      progress: (line) => said.push(line),
      signal: new AbortController().signal,
    });
    void plane.failed.then((error) => {
      failed = error;
    });
  }

  let newest: string;
  function push(value: string): void {
    newest = repository.commit([
      { path: 'plumbline.yaml', content: CLUSTER.replace('3600', '1') },
      {
        path: 'c.yaml',
        content: `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  value: "${value}"\n`,
      },
    ]);
  }

  const ask = <T>(path: string): Promise<T | undefined> =>
    controlPlane(home)
      .get<T>(path)
      .catch(() => undefined);
  const status = (): Promise<StatusReport | undefined> => ask<StatusReport>('/plumbline/v1/status');
  const value = async (): Promise<string | undefined> =>
    (await ask<ConfigMap>('/api/v1/namespaces/default/configmaps/c'))?.data?.['value'];

  async function synced(): Promise<void> {
    await polled(
      `${newest} is not applied; said: ${said.join('; ')}`,
      async () => {
        assert.equal(failed, undefined);
        const report = await status();
        return (report?.synced && report.healthy && report.source.appliedRevision === newest) || undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
  }

  const says = (words: RegExp): Promise<true> =>
    polled(
      `it does not say ${String(words)}, but: ${said.join('; ')}`,
      () => said.some((line) => words.test(line)) || undefined,
      { timeoutMs: PATIENCE_MS },
    );

  it('that comes back with older data rebuilds', async () => {
    const restore = await snapshotOf(redis.client);
    push('2');
    await synced();
    await restore();
    await says(/older data.*rebuilding all state/);
    await synced();
    assert.equal(await value(), '2');
  });

  it('that went back while it was stopped rebuilds', async () => {
    const restore = await snapshotOf(redis.client);
    push('2');
    await synced();
    await plane.close();
    await restore();
    const [before] = await redis.client.hmget('{plumb:main}:meta', 'incarnation');
    await start();
    await synced();
    assert.equal(await value(), '2');
    assert.notEqual(await redis.client.hget('{plumb:main}:meta', 'incarnation'), before);
  });

  it('that somebody else wrote to while it was stopped rebuilds when it starts', async () => {
    await plane.close();
    const record = (await redis.client.hget(HASH, 'default/c')) ?? '';
    await redis.client.hset(HASH, 'default/c', record.replace('"value":"1"', '"value":"evil"'));
    await start();
    assert.ok(
      said.some((line) => /not written by this control plane.*rebuilding all state/.test(line)),
      said.join('; '),
    );
    await synced();
    assert.equal(await value(), '1');
  });

  it('that somebody else writes to never shows what they wrote, and rebuilds', async () => {
    const [stream = ''] = await redis.client.keys('{plumb:main}:changes:*');
    const evil = ((await redis.client.hget(HASH, 'default/c')) ?? '').replace('"value":"1"', '"value":"evil"');
    assert.ok(evil.includes('evil'));
    await redis.client.eval(
      `
      local version = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'version', 1))
      local record = string.gsub(ARGV[1], '^%d+', version)
      redis.call('HSET', KEYS[3], 'default/c', record)
      redis.call('XADD', KEYS[2], version .. '-0', 'put', record)`,
      3,
      '{plumb:main}:meta',
      stream,
      HASH,
      evil,
    );
    await polled(
      'it is not rebuilt',
      async () => {
        assert.notEqual(await value(), 'evil');
        return said.some((line) => /not written by this control plane.*rebuilding all state/.test(line)) || undefined;
      },
      { timeoutMs: PATIENCE_MS },
    );
    await synced();
    assert.equal(await value(), '1');
  });

  it('that is out of memory says so in its status, and goes on', async () => {
    await redis.client.config('SET', 'maxmemory', '1');
    push('2');
    await polled(
      'the status does not tell',
      async () => (await status())?.missing.some((line) => line.includes('OOM')) || undefined,
      { timeoutMs: PATIENCE_MS },
    );
    assert.equal((await status())?.healthy, false);
    await redis.client.config('SET', 'maxmemory', '0');
    await synced();
    assert.equal(await value(), '2');
    assert.deepEqual((await ask<{ items: KubeObject[] }>('/api/v1/namespaces/default/configmaps'))?.items.length, 1);
  });
});
