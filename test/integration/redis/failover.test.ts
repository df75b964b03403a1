/** A primary that dies or hangs, with real Sentinels: the control plane stays, and comes to what it should be. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { controlPlane } from '../../../cli/control-plane.ts';
import { BullWorkQueue } from '../../../reconciler/adapters/bullmq/work-queue.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { PositionMark } from '../../../reconciler/adapters/redis/position-mark.ts';
import { redisOptionsFromUrl } from '../../../reconciler/adapters/redis/url.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import { startControlPlane } from '../../../reconciler/main.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { makeFolder } from '../../support/folder.ts';
import { startSentinels, type SentinelGroup } from '../../support/sentinel.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { inPatience, polled } from '../../support/patience.ts';

const PATIENCE_MS = 60_000;

describe('a failover', () => {
  let group: SentinelGroup;
  const heaped: string[] = [];
  const heap = ({ name, message }: Error): void => {
    if (name === 'MaxListenersExceededWarning') heaped.push(message);
  };
  before(() => {
    process.on('warning', heap);
  });
  after(() => {
    process.off('warning', heap);
    assert.deepEqual(heaped, [], 'what hangs is given up once, not by each call that waits for it');
  });
  beforeEach(async () => {
    group = await startSentinels();
  });
  afterEach(async () => {
    await group.close();
  });

  it('under load is waited for, or is a lost store where the replica lagged; a watch misses nothing and the queues forget nothing', async () => {
    const signal = inPatience(PATIENCE_MS);
    const connection = redisOptionsFromUrl(group.url);
    const mark = new PositionMark();
    const clock = new SystemClock();
    const store = new RedisObjectStore({
      connection,
      cluster: 'test',
      sealKey: randomBytes(32),
      clock,
      ids: new CryptoIds(),
      mark,
      callTimeoutMs: 1000,
    });
    const queue = new BullWorkQueue({ connection, cluster: 'test', log: SILENT_LOG, callTimeoutMs: 1000 });
    try {
      await store.open(signal);
      const done = new Set<string>();
      queue.work('controllers.a', 4, async (key) => {
        done.add(key);
        return {};
      });
      const seen = new Set<string>();
      const stop = new AbortController();
      const watching = (async () => {
        for await (const batch of store.watch('0', stop.signal)) {
          if (batch.type === 'relist') return 'relist';
          for (const { object } of batch.events) seen.add(object.metadata.name);
        }
        return 'stopped';
      })().catch((error: unknown) => (error instanceof PlumbError ? error.code : String(error)));
      let written = 0;
      let over = false;
      const load = (async () => {
        while (!over) {
          const name = `c-${written}`;
          const [result] = await store
            .write([{ op: 'create', object: configMap(name, {}) }])
            .catch((error: unknown) => {
              if (error instanceof PlumbError && error.code === 'StoreUnavailable') return [];
              throw error;
            });
          if (!result) continue;
          assert.ok(result.ok || result.reason === 'AlreadyExists');
          written += 1;
          await queue.add('controllers.a', name).catch((error: unknown) => {
            assert.equal((error as PlumbError).code, 'QueueUnavailable');
          });
        }
        return 'done';
      })().catch((error: unknown) => (error instanceof PlumbError ? error.code : String(error)));
      await polled('no load', () => (written > 200 ? true : undefined), { timeoutMs: PATIENCE_MS });
      await group.failOver();
      const before = written;
      const lost = await Promise.race([
        watching,
        load,
        polled('no more writes', () => (written > before + 200 ? true : undefined), { timeoutMs: PATIENCE_MS }),
      ]);
      over = true;
      await load;
      if (lost === true) {
        await polled('changes were missed', () => (seen.size >= written ? true : undefined), {
          timeoutMs: PATIENCE_MS,
        });
        assert.equal((await store.list('ConfigMap')).objects.length, written);
      } else {
        assert.equal(lost, 'StoreLost', 'the replica had less than was acknowledged');
        assert.equal((await store.open(signal)).fresh, true);
      }
      await polled('keys were forgotten', () => (done.size >= written ? true : undefined), { timeoutMs: PATIENCE_MS });
      stop.abort();
      await watching;
    } finally {
      await queue.close();
      await store.close();
    }
  });

  for (const [what, replace] of [
    [
      'dies',
      async (): Promise<() => void> => {
        await group.failOver();
        return () => undefined;
      },
    ],
    ['hangs, and wakes up as a replica', (): Promise<() => void> => group.freeze()],
  ] as const) {
    it(`leaves the control plane running when the primary ${what}`, async () => {
      const repository = scratchRepository();
      const home = makeFolder('plumb-failover-');
      const said: string[] = [];
      const files = (count: number): { path: string; content: string }[] =>
        Array.from({ length: count }, (_, n) => ({
          path: `c-${n}.yaml`,
          content: `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-${n}\ndata:\n  commits: "${count}"\n`,
        }));
      const push = (count: number): string =>
        repository.commit([{ path: 'plumbline.yaml', content: CLUSTER.replace('3600', '1') }, ...files(count)]);
      push(1);
      const ending = new AbortController();
      const plane = await startControlPlane({
        home,
        repo: repository.dir,
        branch: 'main',
        sourceName: 'main',
        version: '0',
        redis: group.url,
        progress: (line) => said.push(line),
        signal: ending.signal,
      });
      let failed: Error | undefined;
      void plane.failed.then((error) => {
        failed = error;
      });
      const synced = (sha: string): Promise<true> =>
        polled(
          `${sha} is not applied; said: ${said.join('; ')}`,
          async () => {
            assert.equal(failed, undefined);
            const report = await controlPlane(home)
              .get<StatusReport>('/plumbline/v1/status')
              .catch(() => undefined);
            return (report?.synced && report.healthy && report.source.appliedRevision === sha) || undefined;
          },
          { timeoutMs: PATIENCE_MS },
        );
      try {
        await synced(push(2));
        let newest = '';
        let replaced = false;
        const replacing = replace().finally(() => {
          replaced = true;
        });
        for (let count = 3; !replaced; count += 1) {
          newest = push(count);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
        }
        const wake = await replacing;
        await synced(newest);
        wake();
        await synced(push(5));
      } finally {
        await plane.close();
        repository.remove();
        rmSync(home, { recursive: true, force: true });
      }
    });
  }
});
