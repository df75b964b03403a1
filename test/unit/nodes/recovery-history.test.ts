import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GitHistory } from '../../../reconciler/controllers/recovery-history.ts';
import type { RevisionReader } from '../../../reconciler/controllers/sync/revision-reader.ts';
import type { CodeFor, ErrorCode } from '../../../reconciler/core/error-codes.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';

const signal = new AbortController().signal;

/** A branch of three commits, newest first, of which some cannot be read. */
function history(failures: Readonly<Record<string, ErrorCode>>): GitHistory {
  const commits = ['c3', 'c2', 'c1'].map((sha) => ({ sha }));
  const git = {
    head: async () => ({ state: 'at', revision: commits[0] }),
    log: async () => commits,
  } as unknown as GitSource;
  const reader = {
    read: async (sha: string) => {
      const code = failures[sha];
      if (code !== undefined) throw new RetryableError(code as CodeFor<'backoff'>, `${sha} cannot be read`);
      return { sha, state: new Map(), diagnostics: [], files: [] };
    },
  } as unknown as RevisionReader;
  return new GitHistory(git, reader);
}

describe('what a recovery reads in Git', () => {
  for (const code of ['RevisionNotFound', 'ObjectMissing', 'ObjectUnreadable'] as const)
    it(`is not held up by one commit: ${code}`, async () => {
      assert.equal((await history({ c3: code }).applied(['c3', 'c2'], signal)).revision, 'c2');
      const found = await history({ c2: code }).templates(new Map(), () => false, signal);
      assert.equal(found.size, 0);
    });

  it('is waited for where the repository does not answer', async () => {
    await assert.rejects(history({ c3: 'GitUnreachable' }).applied(['c3'], signal), { code: 'GitUnreachable' });
  });
});
