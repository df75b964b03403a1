/** Which tests a run of all tiers takes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

describe('tiers', () => {
  for (const tiers of [['integation'], ['unit', 'e3e']])
    it(`${tiers.join(' and ')}: one that there is not is refused before anything runs`, () => {
      const { status, stdout, stderr } = spawnSync('bash', ['test/support/run-all.sh', ...tiers], { encoding: 'utf8' });
      assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
      assert.equal(stderr, `there is no tier ${tiers.at(-1)}: choose of check, unit, contract, integration, e2e\n`);
    });

  it('without a file are no success', () => {
    const { status, stderr } = spawnSync('bash', ['test/support/tier.sh', 'contract+unit', 'no such file'], {
      encoding: 'utf8',
    });
    assert.equal(status, 2, stderr);
  });
});
