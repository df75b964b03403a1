/**
 * A kind that a repository brings along, from a push to `plumb get`, and out again: real Git, real Redis, the whole
 * control plane.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, it } from 'node:test';
import type { Unstructured } from '../../../contracts/objects/index.ts';
import { controlPlane } from '../../../cli/control-plane.ts';
import type { StatusReport } from '../../../reconciler/api/index.ts';
import { startControlPlane } from '../../../reconciler/main.ts';
import { scratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis } from '../../support/redis.ts';
import { DEFINITION, WIDGET } from '../../unit/manifests/definitions.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { polled } from '../../support/patience.ts';

const PATIENCE_MS = 60_000;
const PLUMB = fileURLToPath(new URL('../../../cli/main.ts', import.meta.url));
const PATH = '/apis/example.com/v1/namespaces/default/widgets/a';

describe('a custom resource', () => {
  it('is applied, shown, refused, kept over a restart, and deleted with its kind', async () => {
    const redis = await startTestRedis();
    const repository = scratchRepository();
    const home = makeFolder('plumb-home-');
    const start = () =>
      startControlPlane({
        home,
        repo: repository.dir,
        branch: 'main',
        sourceName: 'main',
        version: '0',
        redis: `unix://${redis.connection.path ?? ''}`,
        progress: () => undefined,
        signal: new AbortController().signal,
      });
    const push = (...files: readonly { path: string; content: string }[]): string =>
      repository.commit([{ path: 'plumbline.yaml', content: CLUSTER.replace('3600', '1') }, ...files]);
    const ask = <T>(path: string): Promise<T | undefined> =>
      controlPlane(home)
        .get<T>(path)
        .catch(() => undefined);
    const status = (): Promise<StatusReport | undefined> => ask<StatusReport>('/plumbline/v1/status');
    const isInForce = (sha: string): Promise<true> =>
      polled(
        `${sha} is not in force`,
        async () => {
          const report = await status();
          return (report?.healthy && report.source.appliedRevision === sha) || undefined;
        },
        { timeoutMs: PATIENCE_MS },
      );
    const size = async (): Promise<unknown> =>
      ((await ask<Unstructured>(PATH))?.['spec'] as { size?: unknown } | undefined)?.size;
    const plumb = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)(process.execPath, ['--import', 'tsx', PLUMB, ...args, '--home', home])).stdout;
    const crd = { path: 'crd.yaml', content: DEFINITION };
    let plane = await start();
    try {
      await isInForce(push(crd, { path: 'a.yaml', content: WIDGET }));
      assert.deepEqual((await ask<Unstructured>(PATH))?.['spec'], { size: 3, mode: 'fast', parts: [{ name: 'x' }] });
      assert.match(await plumb('get', 'wd'), /^NAME +SIZE +AGE *\na +3 +\d+s *\n$/);
      assert.match(await plumb('get', 'widgets.example.com/a', '-o', 'yaml'), /mode: fast/);
      assert.match(
        await plumb('explain', 'widget/a'),
        /^Widget default\/a\n[\s\S]*manifest +a\.yaml:1\n[\s\S]*Nothing is wrong/,
      );

      const refused = push(crd, { path: 'a.yaml', content: WIDGET.replace('size: 3', 'size: many') });
      await polled(
        'the commit is not refused',
        async () =>
          (await status())?.missing.some((line) => line.includes(`commit ${refused.slice(0, 12)} was refused`)) ||
          undefined,
        { timeoutMs: PATIENCE_MS },
      );
      assert.equal(await size(), 3, 'the last good revision stays in force');

      await isInForce(push(crd, { path: 'a.yaml', content: WIDGET.replace('size: 3', 'size: 4') }));
      assert.equal(await size(), 4);
      const uid = (await ask<Unstructured>(PATH))?.metadata.uid;
      await plane.close();
      plane = await start();
      await polled('it is there again', async () => (await size()) === 4 || undefined, { timeoutMs: PATIENCE_MS });
      assert.equal((await ask<Unstructured>(PATH))?.metadata.uid, uid, 'the same object');

      await isInForce(push());
      await polled(
        'the definition is still there',
        async () => {
          const list = await ask<{ items: unknown[] }>('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
          return list?.items.length === 0 || undefined;
        },
        { timeoutMs: PATIENCE_MS },
      );
      assert.deepEqual(await redis.client.keys('*widgets*'), []);
    } finally {
      await plane.close();
      await redis.close();
      repository.remove();
      rmSync(home, { recursive: true, force: true });
    }
  });
});
