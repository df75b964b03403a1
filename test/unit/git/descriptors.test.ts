/** Git, in a process that has no file descriptor left. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const adapter = (name: string): string =>
  fileURLToPath(new URL(`../../../reconciler/adapters/git/${name}`, import.meta.url));

/** Prints the code that each way to run git failed with. */
const SCRIPT = `
  const { openSync } = await import('node:fs');
  const { openNativeEngine } = await import(${JSON.stringify(adapter('native-engine.ts'))});
  const { localServiceArgv, processRemote } = await import(${JSON.stringify(adapter('process-remote.ts'))});
  const { signal } = new AbortController();
  const codeOf = (work) => work().then(() => 'none', (error) => error.code ?? error.message);
  try { for (;;) openSync('/dev/null'); } catch {}
  const engine = openNativeEngine('/none');
  const read = await codeOf(async () => engine.read('0'.repeat(40), signal));
  const listed = await codeOf(async () => processRemote('/none', localServiceArgv('/none')).advertise('git-upload-pack', signal));
  process.stdout.write(read + ' ' + listed);
`;

describe('git that cannot be started for want of file descriptors', () => {
  it('is an error of whoever asked, tried again, and ends nobody', async () => {
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      'ulimit -n 96 && exec "$0" --import tsx --input-type=module -e "$1"',
      process.execPath,
      SCRIPT,
    ]);
    assert.equal(stdout, 'GitUnreachable GitUnreachable');
  });
});
