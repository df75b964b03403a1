/** What the home folder keeps over restarts. */
import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openHome } from '../../../reconciler/adapters/home/home.ts';
import { makeFolder } from '../../support/folder.ts';

describe('the home folder', () => {
  let dir: string;
  beforeEach(() => {
    dir = makeFolder('plumb-home-');
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const path = (): string => join(dir, 'service-account.key');

  it('has a key for tokens of its own, which stays, and which its owner alone can read', async () => {
    const { tokenKey } = await openHome(dir);
    assert.equal(statSync(path()).mode & 0o777, 0o600);
    assert.deepEqual((await openHome(dir)).tokenKey.keySet, tokenKey.keySet);
    rmSync(path());
    assert.notEqual((await openHome(dir)).tokenKey.id, tokenKey.id);
  });

  it('does not make a damaged key anew, and quotes nothing of it', async () => {
    writeFileSync(path(), 'not a key at all');
    await assert.rejects(openHome(dir), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'TokenKeyInvalid');
      assert.doesNotMatch(error.message, /not a key at all/);
      return true;
    });
  });
});
