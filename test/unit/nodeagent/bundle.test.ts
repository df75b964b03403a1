import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { build } from 'esbuild';

describe("the agent's bundle", () => {
  it('has no package in it: each costs memory on every node', async () => {
    const { metafile } = await build({
      entryPoints: ['nodeagent/main.ts'],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
    });
    assert.deepEqual(
      Object.keys(metafile.inputs).filter((path) => path.includes('node_modules')),
      [],
    );
  });
});
