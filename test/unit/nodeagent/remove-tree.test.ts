import assert from 'node:assert/strict';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { removeTree } from '../../../nodeagent/adapters/disk/remove-tree.ts';
import { makeFolder } from '../../support/folder.ts';

describe('removal of a tree', () => {
  let root: string;
  before(() => {
    root = makeFolder('plumbline-remove-');
  });
  after(() => rm(root, { recursive: true }));

  it('takes what is in it, however deep, and nothing that links lead to', async () => {
    await writeFile(join(root, 'outside'), '');
    const doomed = join(root, 'doomed');
    await mkdir(join(doomed, ...Array.from({ length: 100 }, () => 'd')), { recursive: true });
    await symlink(root, join(doomed, 'd', 'link'));
    await removeTree(doomed, new AbortController().signal);
    assert.deepEqual(await readdir(root), ['outside']);
  });

  it('ends with its signal: how many files there are is not its own choice', async () => {
    const kept = join(root, 'kept');
    await mkdir(kept);
    await writeFile(join(kept, 'file'), '');
    await assert.rejects(removeTree(kept, AbortSignal.abort(new Error('the agent stops'))), /the agent stops/);
    assert.deepEqual(await readdir(kept), ['file']);
  });
});
