/** Which rendered revisions are remembered. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RevisionReader } from '../../../reconciler/controllers/sync/revision-reader.ts';
import { type PlumbError, RetryableError, TerminalError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';

const { signal } = new AbortController();

describe('revisions that were read', () => {
  let asked: string[];
  let fails: PlumbError | undefined;
  let reader: RevisionReader;
  beforeEach(() => {
    asked = [];
    fails = undefined;
    // Commits without files: only how often each is listed matters here.
    const git: Pick<GitSource, 'files'> = {
      files: async (sha) => {
        asked.push(sha);
        if (fails !== undefined) throw fails;
        return [];
      },
    };
    reader = new RevisionReader(git as GitSource);
  });

  it('are remembered, the applied one for as long as it is that, of the others those asked for last', async () => {
    await reader.applied('applied', signal);
    for (const sha of ['a', 'b', 'c', 'd']) await reader.read(sha, signal);
    asked = [];
    await reader.applied('applied', signal);
    await reader.read('d', signal);
    assert.deepEqual(asked, []);
    await reader.read('a', signal);
    assert.deepEqual(asked, ['a']);
    await reader.applied('a', signal);
    for (const sha of ['b', 'c', 'd']) await reader.read(sha, signal);
    asked = [];
    await reader.read('a', signal);
    assert.deepEqual(asked, []);
    await reader.read('applied', signal);
    assert.deepEqual(asked, ['applied']);
  });

  it('are remembered as refused for what the commit is', async () => {
    fails = new TerminalError('TreeTooLarge', 'told');
    assert.deepEqual(
      (await reader.read('a', signal)).diagnostics.map(({ code }) => code),
      ['TreeTooLarge'],
    );
    fails = undefined;
    assert.equal((await reader.read('a', signal)).diagnostics.length, 1);
    assert.deepEqual(asked, ['a']);
  });

  for (const code of ['ObjectMissing', 'ObjectUnreadable', 'GitUnreachable'] as const) {
    it(`are read again after ${code}, which may be otherwise the next time`, async () => {
      fails = new RetryableError(code, 'told');
      await assert.rejects(reader.read('a', signal), { code });
      fails = undefined;
      assert.deepEqual((await reader.read('a', signal)).diagnostics, []);
    });
  }
});
