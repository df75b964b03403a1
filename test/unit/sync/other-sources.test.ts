/** How often hosts of other repositories are asked. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { onAbort } from '../../../contracts/signals.ts';
import { NEWEST, OtherSources, pinned } from '../../../reconciler/controllers/sync/other-sources.ts';
import type { WantedSource } from '../../../reconciler/core/apps/other-sources.ts';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import type { OtherRepository } from '../../../reconciler/ports/other-repositories.ts';
import { VirtualClock } from '../metrics/virtual-clock.ts';

const NO_WORK = new Error('not for this test');

/** Repositories that have nothing but `commits`, and count who looks. */
function repositories(
  looks: string[],
  commits: ReadonlySet<string> = new Set(),
): ConstructorParameters<typeof OtherSources>[0]['repositories'] {
  return {
    open({ id, url }): Promise<OtherRepository> {
      return Promise.resolve({
        url,
        newest: () => {
          looks.push(id);
          return Promise.resolve(undefined);
        },
        bring: (commit) => {
          looks.push(id);
          return commits.has(commit) ? Promise.resolve() : Promise.reject(new Error(`has no ${commit}`));
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
        files: (commit) => (commits.has(commit) ? Promise.resolve([]) : Promise.reject(NO_WORK)),
        blob: () => Promise.reject(NO_WORK),
        close: () => Promise.resolve(),
      });
    },
    forgetAllBut: () => Promise.resolve(),
  };
}

const PIN = { id: 'app', url: '', follows: '', apps: ['app'] };
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

  it('are no more than one for a commit that is there, of which there are 200 beside the repositories', async () => {
    const clock = new VirtualClock();
    const looks: string[] = [];
    const [first, second, missing] = ['1', '2', '3'].map((digit) => digit.repeat(40)) as [string, string, string];
    const sources = new OtherSources({ repositories: repositories(looks, new Set([first, second])), clock });
    const { signal } = new AbortController();
    const at = async (commit: string, name = 'app', policy = NEWEST): Promise<string> => {
      const answer = await sources
        .reading(policy, signal)
        .open({ ...wanted(name, `${name}.example`), follows: { commit } });
      return answer.ok ? answer.commit : answer.message;
    };
    assert.deepEqual(await Promise.all([at(first), at(first)]), [first, first]);
    assert.equal(looks.length, 1);
    assert.equal(await at(second), second);
    assert.equal(sources.newest('app'), second);
    // One that cannot be had leaves what is in force, which a rendering gets that is held there.
    assert.equal(await at(missing), `has no ${missing}`);
    assert.equal(await at(missing, 'app', pinned([{ ...PIN, commit: second }])), second);
    assert.equal(sources.newest('app'), second);
    assert.equal(sources.problem('app'), `has no ${missing}`);
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => at(first, `a-${i}`)));
    assert.equal(all.at(-2), first);
    assert.equal(all.at(-1), 'there are more than 200 Apps of one commit of other repositories, and submodules');
    await sources.close();
  });

  it('are none for a submodule whose commit is there, and one for another, whatever is in force', async () => {
    const clock = new VirtualClock();
    const looks: string[] = [];
    const [first, second, missing] = ['1', '2', '3'].map((digit) => digit.repeat(40)) as [string, string, string];
    const there = new Set<string>();
    const kept: string[][] = [];
    const sources = new OtherSources({
      clock,
      repositories: {
        ...repositories(looks),
        async open(asked): Promise<OtherRepository> {
          return {
            ...(await repositories(looks).open(asked)),
            bring(commit) {
              looks.push(commit);
              if (commit !== missing) there.add(commit);
              return Promise.resolve();
            },
            files: (commit) =>
              there.has(commit)
                ? Promise.resolve([])
                : Promise.reject(new TerminalError('RevisionNotFound', `has no ${commit}`)),
          };
        },
        forgetAllBut: (pins) => {
          kept.push([...pins.keys()]);
          return Promise.resolve();
        },
      },
    });
    const at = async (commit: string): Promise<string> => {
      const answer = await sources
        .reading(pinned([{ ...PIN, id: 'lib', commit: second }]), new AbortController().signal)
        .open({ ...wanted('lib', 'lib.example'), follows: { commit }, isPart: true });
      return answer.ok ? answer.commit : answer.message;
    };
    for (const commit of [first, first, second, first]) assert.equal(await at(commit), commit);
    assert.deepEqual(looks, [first, second]);
    assert.equal(await at(missing), 'it has no such commit');
    assert.equal(await at(missing), 'it has no such commit');
    assert.deepEqual(looks, [first, second, missing, missing]);
    await sources.keepOnly([], ['lib']);
    assert.equal(await at(first), first);
    await sources.keepOnly([]);
    assert.deepEqual(kept, [['lib'], []]);
    await sources.close();
  });
});
