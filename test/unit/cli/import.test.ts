import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readTree } from '../../../cli/import/read-tree.ts';
import { writeResult } from '../../../cli/import/write-result.ts';
import { MAX_FILE_BYTES } from '../../../reconciler/core/manifests/index.ts';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { makeFolder } from '../../support/folder.ts';

let folder: string;
beforeEach(() => {
  folder = makeFolder('plumb-import-');
});
afterEach(() => removeFolder(folder));

function put(path: string, contents: string | Buffer): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), contents);
}

describe('reading a folder to import', () => {
  it('takes text, and knows the names of the rest', async () => {
    put('a.yaml', 'a: 1\n');
    put('b/.env', 'A=1\n');
    put('b/image.png', Buffer.from([0x89, 0x50, 0]));
    put('b/large.yaml', Buffer.alloc(MAX_FILE_BYTES + 1, 0x61));
    put('.git/config', 'x');
    put('node_modules/x/a.yaml', 'x');
    const { texts, paths } = await readTree(folder);
    assert.deepEqual(
      [...texts],
      [
        ['a.yaml', 'a: 1\n'],
        ['b/.env', 'A=1\n'],
      ],
    );
    assert.deepEqual([...paths], ['a.yaml', 'b/.env', 'b/image.png', 'b/large.yaml']);
  });

  it('follows no link', async () => {
    put('real/a.yaml', 'secret: 1\n');
    mkdirSync(join(folder, 'tree'));
    symlinkSync('../real', join(folder, 'tree', 'folder'));
    symlinkSync('../real/a.yaml', join(folder, 'tree', 'a.yaml'));
    assert.deepEqual([...(await readTree(join(folder, 'tree'))).paths], []);
  });

  it('is bounded in files, bytes and depth', async () => {
    put('a/b/c/d.yaml', 'x'.repeat(100));
    put('e.yaml', 'x');
    const limits = { files: 10, bytes: 1000, depth: 10 };
    await readTree(folder, limits);
    await assert.rejects(readTree(folder, { ...limits, files: 1 }), /more than 1 files/);
    await assert.rejects(readTree(folder, { ...limits, bytes: 50 }), /of text/);
    await assert.rejects(readTree(folder, { ...limits, depth: 2 }), /2 deep/);
  });
});

describe('writing what was imported', () => {
  const imported = { files: [{ path: 'apps/a.yaml', text: 'a: 1\n' }], removed: ['old.yaml'], findings: [] };
  const git = (...args: string[]): void => void execFileSync('git', ['-C', folder, ...args], { stdio: 'pipe' });
  const commit = (): void => {
    git('init', '-q');
    git('add', '-A');
    git('-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '-q', '-m', 'x');
  };

  it('makes the folder where there is none', async () => {
    const out = join(folder, 'new');
    assert.deepEqual(await writeResult(imported, { out, force: false }), ['apps/a.yaml']);
    assert.equal(readFileSync(join(out, 'apps/a.yaml'), 'utf8'), 'a: 1\n');
  });

  it('refuses a folder that is in use, unless it is forced', async () => {
    put('x', 'x');
    await assert.rejects(writeResult(imported, { out: folder, force: false }), /neither empty nor a checkout/);
    await writeResult(imported, { out: folder, force: true });
    assert.ok(existsSync(join(folder, 'apps/a.yaml')));
  });

  it('takes a checkout without changes, and no other', async () => {
    put('x', 'x');
    commit();
    put('y', 'y');
    await assert.rejects(writeResult(imported, { out: folder, force: false }), /not committed/);
    git('add', 'y');
    commit();
    await writeResult(imported, { out: folder, force: false });
  });

  it('writes over no other file, unless it is forced', async () => {
    put('apps/a.yaml', 'mine: 1\n');
    commit();
    await assert.rejects(writeResult(imported, { out: folder, force: false }), /is there already/);
    await writeResult(imported, { out: folder, force: true });
    assert.equal(readFileSync(join(folder, 'apps/a.yaml'), 'utf8'), 'a: 1\n');
  });

  it('writes through no link', async () => {
    const out = join(folder, 'out');
    mkdirSync(out);
    mkdirSync(join(folder, 'elsewhere'));
    symlinkSync('../elsewhere', join(out, 'apps'));
    await assert.rejects(writeResult(imported, { out, force: true }), /symbolic link/);
    assert.ok(!existsSync(join(folder, 'elsewhere', 'a.yaml')));
  });

  it('keeps the files of the folder that was read, elsewhere or in their place', async () => {
    put('keep.bin', Buffer.from([0, 1]));
    put('old.yaml', 'old: 1\n');
    put('apps/a.yaml', 'before: 1\n');
    commit();
    const kept = { root: folder, paths: ['apps/a.yaml', 'keep.bin', 'old.yaml'] };
    const out = makeFolder('plumb-import-out-');
    await writeResult(imported, { out, kept, force: false });
    assert.deepEqual([...(await readTree(out)).paths], ['apps/a.yaml', 'keep.bin']);
    await removeFolder(out);
    await writeResult(imported, { out: folder, kept, force: false });
    assert.deepEqual([...(await readTree(folder)).paths], ['apps/a.yaml', 'keep.bin']);
    assert.equal(readFileSync(join(folder, 'apps/a.yaml'), 'utf8'), 'a: 1\n');
  });
});
