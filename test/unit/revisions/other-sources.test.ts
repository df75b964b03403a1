import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SourcePin, SourceStatus } from '../../../contracts/objects/index.ts';
import { GitHistory } from '../../../reconciler/controllers/recovery-history.ts';
import type { StoreView } from '../../../reconciler/controllers/runtime/controller.ts';
import { bestRendering } from '../../../reconciler/controllers/sync/best-rendering.ts';
import { NEWEST, pinned, type SourcePolicy } from '../../../reconciler/controllers/sync/other-sources.ts';
import type { RevisionReader } from '../../../reconciler/controllers/sync/revision-reader.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';

const signal = new AbortController().signal;

/** Sources by id: their newest commit (none: they cannot be read), and commits whose contents are wrong. */
interface Situation {
  readonly newest: Readonly<Record<string, string | undefined>>;
  readonly wrong?: readonly string[];
  /** Commits that can be read; all when absent. */
  readonly there?: readonly string[];
  /** Two that do not go together. */
  readonly clash?: readonly [string, string];
  /** Those that are lists of pull requests. */
  readonly lists?: readonly string[];
  /** By the commit of a list, sources of which a commit is wanted that cannot be had. */
  readonly brings?: Readonly<Record<string, readonly string[]>>;
}

function reader({ newest, wrong = [], there, clash, lists = [], brings = {} }: Situation): RevisionReader {
  return {
    async read(sha: string, _signal: AbortSignal, policy: SourcePolicy = NEWEST) {
      const listed = lists.map((id) => (policy(id) === 'newest' ? newest[id] : policy(id)) ?? '');
      const gone = new Set(listed.flatMap((commit) => brings[commit] ?? []));
      const sources = Object.keys(newest).map((id): SourcePin => {
        const choice = policy(id);
        const wanted =
          choice === 'none' || (choice === 'newest' && gone.has(id))
            ? undefined
            : choice === 'newest'
              ? newest[id]
              : choice;
        const commit = wanted !== undefined && (there ?? [wanted]).includes(wanted) ? wanted : undefined;
        return {
          id,
          url: id,
          follows: 'branch main',
          apps: lists.includes(id) ? [] : [id],
          ...(lists.includes(id) && { sets: [id] }),
          ...(commit === undefined ? { problem: 'away' } : { commit }),
        };
      });
      const commits = sources.map((one): string | undefined => one.commit);
      const bad =
        commits.some((commit) => commit !== undefined && wrong.includes(commit)) ||
        (clash?.every((one) => commits.includes(one)) ?? false);
      const error = { severity: 'error', code: 'X', file: 'f', line: 1, column: 1, message: 'wrong' };
      return { sha, files: [], state: new Map(), custom: new Map(), sources, diagnostics: bad ? [error] : [] };
    },
  } as unknown as RevisionReader;
}

const view = (...apps: string[]): StoreView =>
  ({ get: (key: string) => (apps.some((app) => key.endsWith(`/${app}`)) ? {} : undefined) }) as unknown as StoreView;
const status = (pins: Readonly<Record<string, string | undefined>>): SourceStatus => ({
  history: [],
  sources: Object.entries(pins).map(([id, commit]) => ({
    id,
    url: id,
    follows: 'branch main',
    apps: [id],
    ...(commit !== undefined && { commit }),
  })),
});

async function best(situation: Situation, pins: Parameters<typeof status>[0], ...apps: string[]): Promise<unknown> {
  const { rendering, problems } = await bestRendering(reader(situation), 'sha', status(pins), view(...apps), signal);
  return [Object.fromEntries(rendering.sources!.map(({ id, commit }) => [id, commit])), [...problems.keys()]];
}

describe('which commits of other repositories are taken', () => {
  it('the newest of all, where nothing is wrong', async () => {
    assert.deepEqual(await best({ newest: { a: 'a2', b: 'b2' } }, { a: 'a1', b: 'b1' }, 'a', 'b'), [
      { a: 'a2', b: 'b2' },
      [],
    ]);
  });
  it('that in force of one that is wrong or away, and the newest of the others', async () => {
    assert.deepEqual(await best({ newest: { a: 'a2', b: 'b2' }, wrong: ['a2'] }, { a: 'a1', b: 'b1' }, 'a', 'b'), [
      { a: 'a1', b: 'b2' },
      ['a'],
    ]);
    assert.deepEqual(await best({ newest: { a: undefined, b: 'b2' } }, { a: 'a1', b: 'b1' }, 'a', 'b'), [
      { a: 'a1', b: 'b2' },
      ['a'],
    ]);
  });
  it('the first of two that do not go together', async () => {
    assert.deepEqual(
      await best({ newest: { a: 'a2', b: 'b2' }, clash: ['a2', 'b2'] }, { a: 'a1', b: 'b1' }, 'a', 'b'),
      [{ a: 'a2', b: 'b1' }, ['b']],
    );
  });
  it('none of a new one that is wrong or away, nor of one that was left out before', async () => {
    assert.deepEqual(await best({ newest: { a: 'a1', b: 'b2' }, wrong: ['b2'] }, { a: 'a1' }, 'a'), [
      { a: 'a1', b: undefined },
      ['b'],
    ]);
    assert.deepEqual(await best({ newest: { a: undefined } }, { a: undefined }, 'a'), [{ a: undefined }, ['a']]);
  });
  it('the newest list first: a wrong commit of one request holds that one alone', async () => {
    const situation = { newest: { a: 'a2', b: 'b2', z: 'z2' }, lists: ['z'], clash: ['a2', 'z1'] as [string, string] };
    assert.deepEqual(await best({ ...situation, wrong: ['b2'] }, { a: 'a1', b: 'b1', z: 'z1' }, 'a', 'b', 'z'), [
      { a: 'a2', b: 'b1', z: 'z2' },
      ['b'],
    ]);
  });
  it('the list that is in force, where the newest one is of what cannot be had', async () => {
    const newest = { a: 'a2', z: 'z2' };
    assert.deepEqual(await best({ newest, lists: ['z'], brings: { z2: ['a'] } }, { z: 'z1' }, 'a', 'z'), [
      { a: 'a2', z: 'z1' },
      ['z', 'a'],
    ]);
  });
  it('no list of a new set that cannot be asked for; of one in force nothing is done without it', async () => {
    const away = { newest: { z: undefined }, lists: ['z'] };
    assert.deepEqual(await best(away, {}), [{ z: undefined }, ['z']]);
    await assert.rejects(best(away, {}, 'z'), { code: 'SourceUnavailable', message: /AppSet z is of z: away/ });
    assert.deepEqual(await best(away, { z: 'z1' }, 'z'), [{ z: 'z1' }, ['z']]);
    await assert.rejects(best({ ...away, there: [] }, { z: 'z1' }, 'z'), { code: 'SourceUnavailable' });
  });
  it('nothing to fall back on that lacks what is in force', async () => {
    const situation = { newest: { z: 'z2' }, lists: ['z'], there: ['z2'] };
    const { rendering, settled } = await bestRendering(
      reader(situation),
      'sha',
      status({ z: 'z1' }),
      view('z'),
      signal,
    );
    assert.equal(settled, rendering);
  });
  it('nothing at all, where Apps are in force of which no commit is known or to be had', async () => {
    await assert.rejects(best({ newest: { a: undefined } }, {}, 'a'), { code: 'SourceUnavailable' });
    await assert.rejects(best({ newest: { a: undefined }, there: [] }, { a: 'a1' }, 'a'), {
      code: 'SourceUnavailable',
    });
  });
});

describe('what a recovery takes of other repositories', () => {
  const git = {
    head: async () => ({ state: 'at', revision: { sha: 'c1' } }),
    log: async () => [{ sha: 'c1' }],
  } as unknown as GitSource;
  const recovered = async (situation: Situation, pins: Parameters<typeof status>[0]): Promise<unknown> =>
    (await new GitHistory(git, reader(situation)).applied(['c1'], signal, pinned(status(pins).sources))).sources?.map(
      ({ commit }) => commit,
    );

  it('what nodes say was in force, and nothing where nothing was', async () => {
    assert.deepEqual(await recovered({ newest: { a: 'a2', b: 'b1' } }, { a: 'a1', b: undefined }), ['a1', undefined]);
  });
  it('the newest where nodes say nothing, or what they say is gone', async () => {
    assert.deepEqual(await recovered({ newest: { a: 'a2' } }, {}), ['a2']);
    assert.deepEqual(await recovered({ newest: { a: 'a2' }, there: ['a2'] }, { a: 'a1' }), ['a2']);
  });
  it('waits where it cannot be read: what runs of it is somebody’s', async () => {
    await assert.rejects(recovered({ newest: { a: undefined }, there: [] }, { a: 'a1' }), {
      code: 'SourceUnavailable',
    });
  });
});
