/** Programs, in a process that has no file descriptor left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const adapter = (name: string): string =>
  fileURLToPath(new URL(`../../../nodeagent/adapters/process/${name}`, import.meta.url));

/** Prints the code that each way to run a program failed with. */
const SCRIPT = `
  const { openSync } = await import('node:fs');
  const { createRunCommand } = await import(${JSON.stringify(adapter('run-command.ts'))});
  const { createFollowCommand } = await import(${JSON.stringify(adapter('follow-command.ts'))});
  const { signal } = new AbortController();
  const codeOf = (work) => work.then(() => 'none', (error) => error.code ?? error.message);
  try { for (;;) openSync('/dev/null'); } catch {}
  const run = await codeOf(createRunCommand()(['true'], { signal }));
  const followed = await codeOf(createFollowCommand()(['true'], { signal, onLine: () => 'more' }));
  process.stdout.write(run + ' ' + followed);
`;

describe('a program that cannot be started for want of file descriptors', () => {
  it('is an error of whoever asked, and ends nobody', async () => {
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      'ulimit -n 96 && exec "$0" --import tsx --input-type=module -e "$1"',
      process.execPath,
      SCRIPT,
    ]);
    assert.equal(stdout, 'EMFILE EMFILE');
  });
});
