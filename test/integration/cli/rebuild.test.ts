/** The CLI while it is bundled anew, as after `git pull` in a clone. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { plumb } from './cli-bench.ts';

const ROOT = join(PLUMB, '..', '..');

describe('a build of the CLI', () => {
  before(buildCli);

  it('breaks no command that begins meanwhile, and leaves the parts of one that runs', async () => {
    // A command of the build before asks for its parts when it needs them.
    const earlier = join(ROOT, 'dist', 'plumb', `earlier-${process.pid}.mjs`);
    writeFileSync(earlier, '');
    try {
      let over = false;
      const built = promisify(execFile)(process.execPath, ['build.mjs'], { cwd: ROOT }).finally(() => {
        over = true;
      });
      while (!over) {
        const { code, stderr } = await plumb(['check', '--help'], tmpdir());
        assert.equal(code, 0, stderr);
      }
      await built;
      assert.ok(existsSync(earlier));
    } finally {
      rmSync(earlier, { force: true });
    }
  });
});
