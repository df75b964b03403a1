import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { processRemote } from '../../../reconciler/adapters/git/process-remote.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(30_000);
const remote = (script: string, silenceMs?: number) =>
  processRemote('ssh://host/repo.git', () => ['sh', '-c', script], undefined, silenceMs);
const failure =
  (code: string, words: RegExp) =>
  (error: unknown): boolean =>
    error instanceof PlumbError && error.code === code && words.test(error.message);

describe('a Git server that is a process', () => {
  const table: readonly [name: string, script: string, code: string, words: RegExp][] = [
    ['greets people', 'echo "Welcome to Debian"; sleep 60', 'GitUrlInvalid', /"Welcome to Debian\\n"/],
    ['sends a line of length one for ever', 'while printf 0001; do :; done', 'GitUrlInvalid', /not as a Git server/],
    ['sends lines and no flush for ever', 'yes 0008abc', 'GitUrlInvalid', /not as a Git server/],
    ['says nothing', 'exec sleep 60', 'GitUnreachable', /no answer for 0\.2 s/],
    ['leaves a child behind that holds its pipes', 'sleep 60 & wait', 'GitUnreachable', /no answer for 0\.2 s/],
    ['breaks off', 'printf 0008ab', 'GitUnreachable', /sh ended/],
    ['says why it cannot', 'echo "fatal: no such repository" >&2; exit 128', 'GitUnreachable', /no such repository/],
  ];
  for (const [name, script, code, words] of table) {
    it(`is given up when it ${name}`, async () => {
      await assert.rejects(
        remote(script, code === 'GitUnreachable' ? 200 : undefined).advertise('git-upload-pack', signal),
        failure(code, words),
      );
    });
  }

  it('is given up when it stops in the middle of an answer', async () => {
    await assert.rejects(
      remote('printf 0000; printf 0008; exec sleep 60', 200).push(Buffer.from('0000'), signal),
      failure('GitUnreachable', /no answer/),
    );
  });
});
