/** The router setting, in a network namespace of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const MODULE = path.resolve(import.meta.dirname, '../../../nodeagent/adapters/ip/forwarding.ts');

/**
 * Runs the shell line `before`, then enableForwarding, in a fresh namespace; gives the settings of `all`, `default` and
 * `lo`.
 */
async function settingsAfter(before: string): Promise<string> {
  const enable = `"${process.execPath}" --import tsx --input-type=module -e "await (await import('${MODULE}')).enableForwarding()"`;
  const { stdout } = await promisify(execFile)('unshare', [
    '--net',
    'sh',
    '-ec',
    `cd /proc/sys/net/ipv4/conf; ${before}; (cd "$1"; ${enable}); cat all/forwarding default/forwarding lo/forwarding`,
    'sh',
    process.cwd(),
  ]);
  return stdout.trim().split('\n').join(' ');
}

describe('enableForwarding', () => {
  it('makes a fresh machine a router', async () => {
    assert.equal(await settingsAfter('true'), '1 1 1');
  });

  it('mends a machine whose devices do not forward though the common setting says so', async () => {
    assert.equal(
      await settingsAfter('echo 1 > all/forwarding; echo 0 > default/forwarding; echo 0 > lo/forwarding'),
      '1 1 1',
    );
  });
});
