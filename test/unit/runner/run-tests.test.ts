/** The runner of test files. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeFolder } from '../../support/folder.ts';

describe('a run of test files', () => {
  let folder: string;
  before(() => {
    folder = makeFolder('plumb-run-tests-');
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('ends a file that hangs at its bound, says so, and goes on to the next', () => {
    const file = (name: string, body: string): string => {
      const path = join(folder, `${name}.test.mjs`);
      writeFileSync(path, `import { it } from 'node:test';\n${body}\n`);
      return path;
    };
    const files = [
      file('hangs', `it('waits', async () => { setInterval(() => {}, 1000); await new Promise(() => {}); });`),
      file('next', `it('is run all the same', () => {});`),
    ];
    const failures = join(folder, 'failures');
    const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'test/support/run-tests.ts', '--bound', '10', '1', ...files],
      { encoding: 'utf8', timeout: 120_000, env: { ...env, FAILURES: failures, REPORTER: 'spec' } },
    );
    assert.equal(status, 1, stdout);
    assert.match(stdout, /✖ .*hangs\.test\.mjs/);
    assert.match(readFileSync(failures, 'utf8'), /^\S*hangs\.test\.mjs: .*timed out after 10000ms\n$/);
    assert.match(stdout, /✔ is run all the same/);
  });
});
