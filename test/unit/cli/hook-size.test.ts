/** Every push waits for the hook, and what it loads is most of its time. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '../../..');

/** Packages that a module loads with itself, as the build bundles it: not those that it imports when it needs them. */
async function packagesOf(entry: string): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    external: ['*.node'],
  });
  const seen = new Set<string>([entry]);
  for (const file of seen)
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? [])
      if (kind !== 'dynamic-import' && external !== true) seen.add(path);
  const names = [...seen].flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  return new Set(names);
}

describe('the push hook', () => {
  it('loads what it needs to read manifests, and nothing to talk to other repositories or to Redis', async () => {
    const packages = await packagesOf('cli/commands/hook.ts');
    assert.ok(packages.has('zod') && packages.has('yaml'), [...packages].join(' '));
    for (const name of ['isomorphic-git', 'pako', 'bullmq', 'ioredis', 'ssh2', 'fastify', 'pino'])
      assert.ok(!packages.has(name), `${name} is loaded by every push`);
  });
});
