/** How often hosts of other repositories are asked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { onAbort } from '../../../contracts/signals.ts';
import { NEWEST, OtherSources } from '../../../reconciler/controllers/sync/other-sources.ts';
import type { WantedSource } from '../../../reconciler/core/apps/other-sources.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import { VirtualClock } from '../metrics/virtual-clock.ts';

const NO_WORK = new Error('not for this test');

/** Repositories that have nothing, and count who looks. */
function repositories(looks: string[]): ConstructorParameters<typeof OtherSources>[0]['repositories'] {
  return {
    open({ id, url, follows }): Promise<GitSource> {
      return Promise.resolve({
        url,
        follows,
        head: () => {
          looks.push(id);
          return Promise.resolve({ state: 'unborn' });
        },
        // Never before it is over.
        hints: (_seconds, signal) => ({
          [Symbol.asyncIterator]: () => ({
            next: () =>
              new Promise((resolve) => {
                onAbort(signal, () => resolve({ done: true, value: undefined }));
              }),
          }),
        }),
        resolve: () => Promise.reject(NO_WORK),
        files: () => Promise.reject(NO_WORK),
        blob: () => Promise.reject(NO_WORK),
        log: () => Promise.reject(NO_WORK),
        commitTree: () => Promise.reject(NO_WORK),
        close: () => Promise.resolve(),
      });
    },
    forgetAllBut: () => Promise.resolve(),
  };
}

const wanted = (id: string, host: string): WantedSource => ({
  id,
  url: `https://${host}/${id}.git`,
  follows: { branch: 'main' },
  auth: undefined,
});

describe('looks at hosts of other repositories', () => {
  it('are ten at once at one host, then two a second, and other hosts wait for none of them', async () => {
    const clock = new VirtualClock();
    const looks: string[] = [];
    const sources = new OtherSources({ repositories: repositories(looks), clock });
    const { signal } = new AbortController();
    const reading = sources.reading(NEWEST, signal);
    const answers = Array.from({ length: 16 }, (_, i) => reading.open(wanted(`a-${i}`, 'a.example')));
    await clock.pass(0);
    assert.equal(looks.length, 10);
    answers.push(reading.open(wanted('b-0', 'b.example')));
    await clock.pass(0);
    assert.deepEqual(looks.slice(10), ['b-0']);
    await clock.pass(1000);
    assert.equal(looks.length, 13);
    await clock.pass(2000);
    assert.equal(looks.length, 17);
    for (const answer of await Promise.all(answers))
      assert.deepEqual(answer.ok ? undefined : answer.message.replace(/^\S+ /, ''), 'has no branch main');
    await sources.close();
  });

  it('are no more than 32 repositories', async () => {
    const clock = new VirtualClock();
    const looks: string[] = [];
    const sources = new OtherSources({ repositories: repositories(looks), clock });
    const reading = sources.reading(NEWEST, new AbortController().signal);
    const answers = Array.from({ length: 33 }, (_, i) => reading.open(wanted(`a-${i}`, `${i}.example`)));
    await clock.pass(0);
    const told = (await Promise.all(answers)).map((answer) => (answer.ok ? '' : answer.message));
    assert.equal(told.at(-1), 'there are more than 32 other repositories');
    assert.equal(looks.length, 32);
    await sources.close();
  });
});
