import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { treeSize } from '../../../nodeagent/adapters/disk/tree-size.ts';
import { makeFolder } from '../../support/folder.ts';

const CONTENT = Buffer.alloc(100_000, 1);

describe('the size of a tree', () => {
  let root = '';
  beforeEach(async () => {
    root = makeFolder('tree-size-');
  });
  afterEach(() => rm(root, { recursive: true }));

  it('counts what is below, not what links lead to', async () => {
    await mkdir(join(root, 'volume/a/b'), { recursive: true });
    await writeFile(join(root, 'volume/a/b/file'), CONTENT);
    await writeFile(join(root, 'outside'), Buffer.alloc(10_000_000, 1));
    await symlink(join(root, 'outside'), join(root, 'volume/link'));
    const { bytes, files, whole } = await treeSize(join(root, 'volume'), 100);
    assert.ok(bytes >= CONTENT.length && bytes < 1_000_000, String(bytes));
    assert.deepEqual([files, whole], [4, true]);
  });

  it('says that there are more entries than it counts', async () => {
    for (const name of ['a', 'b', 'c']) await writeFile(join(root, name), '');
    assert.deepEqual([(await treeSize(root, 2)).whole, (await treeSize(root, 3)).whole], [false, true]);
  });

  it('says that there are folders deeper than it looks', async () => {
    const deep = (parts: number): string => join(root, ...Array.from({ length: parts }, () => 'd'));
    await mkdir(deep(100), { recursive: true });
    assert.equal((await treeSize(root, 1000)).whole, true);
    await mkdir(deep(101));
    await writeFile(join(deep(101), 'file'), CONTENT);
    assert.equal((await treeSize(root, 1000)).whole, false);
  });

  it('is nothing where there is no folder', async () =>
    assert.deepEqual(await treeSize(join(root, 'none'), 10), { bytes: 0, files: 0, whole: true }));
});
