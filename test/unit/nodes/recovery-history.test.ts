import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GitHistory } from '../../../reconciler/controllers/recovery-history.ts';
import type { RevisionReader } from '../../../reconciler/controllers/sync/revision-reader.ts';
import { type PlumbError, RetryableError, TerminalError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';

const signal = new AbortController().signal;

/** A branch of three commits, newest first, of which some cannot be read. */
function history(failures: Readonly<Record<string, PlumbError>>): GitHistory {
  const commits = ['c3', 'c2', 'c1'].map((sha) => ({ sha }));
  const git = {
    head: async () => ({ state: 'at', revision: commits[0] }),
    log: async () => commits,
  } as unknown as GitSource;
  const reader = {
    read: async (sha: string) => {
      const failure = failures[sha];
      if (failure) throw failure;
      return { sha, state: new Map(), diagnostics: [], files: [] };
    },
  } as unknown as RevisionReader;
  return new GitHistory(git, reader);
}

describe('what a recovery reads in Git', () => {
  for (const failure of [
    new TerminalError('RevisionNotFound', 'there is no such commit'),
    new RetryableError('ObjectMissing', 'cannot be read'),
    new RetryableError('ObjectUnreadable', 'cannot be read'),
  ])
    it(`is not held up by one commit: ${failure.code}`, async () => {
      assert.equal((await history({ c3: failure }).applied(['c3', 'c2'], signal)).revision, 'c2');
      const found = await history({ c2: failure }).templates(new Map(), async () => false, signal);
      assert.equal(found.size, 0);
    });

  it('is waited for where the repository does not answer', async () => {
    await assert.rejects(
      history({ c3: new RetryableError('GitUnreachable', 'cannot be read') }).applied(['c3'], signal),
      { code: 'GitUnreachable' },
    );
  });
});
