import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import { commitsSince } from '../../../reconciler/ports/acknowledged.ts';
import type { Revision } from '../../../reconciler/ports/git-source.ts';

const signal = new AbortController().signal;

/** `name: parents`, oldest first; each a minute after the one before. */
function history(...lines: readonly string[]) {
  const commits = new Map(
    lines.map((line, i): [string, Revision] => {
      const [sha = '', parents = ''] = line.split(':');
      return [
        sha,
        {
          sha,
          parents: parents.trim().split(' ').filter(Boolean),
          tree: sha,
          message: sha,
          author: { name: 'a', email: 'a' },
          committedAt: new Date(i * 60_000).toISOString(),
        },
      ];
    }),
  );
  return {
    resolve: async (rev: string): Promise<Revision> =>
      commits.get(rev) ?? Promise.reject(new TerminalError('RevisionNotFound', rev)),
  };
}

describe('the commits that a branch got', () => {
  const table: readonly [
    what: string,
    lines: readonly string[],
    head: string,
    base: string | undefined,
    wanted: string,
  ][] = [
    ['one after the other', ['a:', 'b: a', 'c: b', 'd: c'], 'd', 'b', 'c d'],
    ['those of a merged branch', ['a:', 'b: a', 't: a', 'u: t', 'm: b u'], 'm', 'b', 'm t u'],
    [
      'none that the base had by another way',
      ['a:', 'o: a', 'b: o', 't: o', 'n: b t', 'u: t', 'm: n u'],
      'm',
      'n',
      'm u',
    ],
    ['the newest where it is the base', ['a:', 'b: a'], 'b', 'b', 'b'],
    ['the newest where there is no base', ['a:', 'b: a'], 'b', undefined, 'b'],
    ['the newest where the base is gone', ['a:', 'b: a'], 'b', 'x', 'b'],
    ['those that a force-push brought', ['a:', 'b: a', 'c: b', 'd: a'], 'd', 'c', 'd'],
    [
      'the newest of very many',
      ['a:', ...Array.from({ length: 600 }, (_, i) => `c${i}: ${i === 0 ? 'a' : `c${i - 1}`}`)],
      'c599',
      'a',
      'c599',
    ],
  ];
  for (const [what, lines, head, base, wanted] of table)
    it(what, async () => {
      const found = await commitsSince(history(...lines), head, base, signal);
      assert.equal(
        found
          .map(({ sha }) => sha)
          .sort()
          .join(' '),
        wanted,
      );
    });
});
