import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildTree } from '../../../reconciler/adapters/git/built-tree.ts';
import { PlumbError } from '../../../reconciler/core/errors.ts';
import { finish } from '../../../reconciler/core/paced.ts';

const OID = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';
const tree = (...paths: readonly string[]): string =>
  finish(buildTree(new Map(paths.map((path) => [path, { mode: '100644', oid: OID }])))).root;

describe('a tree that is built', () => {
  it('has the ids that git gives', () => {
    assert.equal(tree(), '4b825dc642cb6eb9a060e54bf8d69288fbee4904');
    // git mktree of a.b, a/ with x, and a0: a folder is in order as if its name ended with a slash.
    assert.equal(tree('a0', 'a/x', 'a.b'), tree('a.b', 'a0', 'a/x'));
  });

  for (const path of ['', 'a/', '/a', 'a//b', '.', 'a/../b', '.git/config', 'a/.GIT/x', 'a\0b'])
    it(`has no path ${JSON.stringify(path)}`, () => {
      assert.throws(
        () => tree(path),
        (error: unknown) => error instanceof PlumbError && error.code === 'TreeInvalid',
      );
    });

  it('has nothing that is a file and a folder', () => {
    for (const paths of [
      ['a', 'a/b'],
      ['a/b', 'a'],
    ])
      assert.throws(() => tree(...paths), /TreeInvalid|is a folder too|lies in a file/);
  });
});
