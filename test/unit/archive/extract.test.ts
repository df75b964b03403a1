/** What a container may and may not do to this machine with the archive that it sends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { extract } from '../../../cli/archive/extract.ts';
import { readTar } from '../../../cli/archive/read-tar.ts';
import { TYPE } from '../../../cli/archive/tar-format.ts';
import { makeFolder } from '../../support/folder.ts';
import { archiveOf, inChunks, type Entry } from './archives.ts';

describe('what a container sends', () => {
  let dir: string;
  let notes: string[];
  beforeEach(() => {
    dir = makeFolder('plumb-extract-');
    notes = [];
    writeFileSync(join(dir, 'precious'), 'mine');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const taken = (target: string, ...entries: readonly Entry[]): Promise<number> =>
    extract(readTar(inChunks(archiveOf(...entries), 300)), {
      top: ['site'],
      target: `${dir}/${target}`,
      note: (line) => notes.push(line),
    });
  const text = (path: string): string => readFileSync(join(dir, path), 'utf8');
  const folder = (path: string): Entry => ({ path, type: TYPE.folder, mode: 0o755 });

  it('becomes the file that was named', async () => {
    assert.equal(await taken('out', { path: 'site', content: 'hello' }), 1);
    assert.equal(text('out'), 'hello');
    assert.equal(await taken('out', { path: './site', content: 'shorter' }), 1);
    assert.equal(text('out'), 'shorter');
  });

  it('goes into a folder that is there, or that is meant to be one', async () => {
    mkdirSync(join(dir, 'there'));
    await taken('there', { path: 'site', content: 'a' });
    await taken('new/', { path: 'site', content: 'b' });
    assert.deepEqual([text('there/site'), text('new/site')], ['a', 'b']);
  });

  it('makes the folders above the target, and ends where none can be made', { timeout: 300_000 }, async () => {
    await taken('a/b/out', { path: 'site', content: 'hello' });
    assert.equal(text('a/b/out'), 'hello');
    await assert.rejects(taken('../../../../../../proc/no/such', { path: 'site/x', content: 'hello' }), {
      code: 'ENOENT',
    });
  });

  it('becomes a folder, with what is in it', async () => {
    assert.equal(
      await taken('out', folder('site/'), folder('site/css/'), { path: 'site/css/a', content: 'x', mode: 0o4755 }),
      3,
    );
    assert.equal(text('out/css/a'), 'x');
    assert.equal(lstatSync(join(dir, 'out/css/a')).mode & 0o7000, 0, 'no bits that give rights');
    await taken('out', folder('site/'), { path: 'site/b', content: 'y' });
    assert.deepEqual([text('out/css/a'), text('out/b')], ['x', 'y'], 'over one that was there');
  });

  for (const path of [
    'site/../precious',
    '../precious',
    '/precious',
    'other',
    'site/../../x',
    'sit',
    'site2/x',
    'site/a\0b',
  ])
    it(`is not believed when it is ${JSON.stringify(path)}`, async () => {
      // pax is the one way to bring a NUL along.
      const entries: readonly Entry[] = path.includes('\0')
        ? [{ path: 'x', type: TYPE.pax, content: '17 path=site/a\0b\n' }, { path: 'site/x' }]
        : [{ path, content: 'theirs' }];
      await assert.rejects(taken('out', ...entries), /which was not asked for/);
      assert.equal(text('precious'), 'mine');
      assert.ok(!existsSync(join(dir, 'x')));
    });

  it('makes no link, and goes through none', async () => {
    const made = await taken(
      'out',
      folder('site/'),
      { path: 'site/up', type: TYPE.symlink, target: '..' },
      { path: 'site/hard', type: TYPE.hardLink, target: '../precious' },
      { path: 'site/up/precious', content: 'theirs' },
    );
    assert.equal(text('precious'), 'mine');
    assert.equal(made, 2, 'a folder of the name of the link, as there is none');
    assert.equal(text('out/up/precious'), 'theirs');
    assert.equal(notes.length, 2);
    assert.match(
      notes.join('\n'),
      /site\/up was left out: it is a link to \.\.[\s\S]*site\/hard was left out: it is a link/,
    );
  });

  it('goes through no link that was there before', async () => {
    mkdirSync(join(dir, 'out'));
    mkdirSync(join(dir, 'elsewhere'));
    symlinkSync('../elsewhere', join(dir, 'out/sub'));
    symlinkSync('../precious', join(dir, 'out/file'));
    const made = await taken(
      'out',
      { path: 'site/sub/x', content: 'theirs' },
      folder('site/sub/'),
      { path: 'site/file', content: 'theirs' },
      { path: 'site/good', content: 'ok' },
    );
    assert.deepEqual([made, text('precious'), text('out/good')], [1, 'mine', 'ok']);
    assert.ok(!existsSync(join(dir, 'elsewhere/x')));
    assert.equal(notes.length, 3);
  });

  it('goes into the folder behind a link that was named', async () => {
    mkdirSync(join(dir, 'elsewhere'));
    symlinkSync('elsewhere', join(dir, 'out'));
    await taken('out', folder('site/'), { path: 'site/x', content: 'ok' });
    assert.equal(text('elsewhere/x'), 'ok');
  });

  it('makes nothing but files and folders, and writes into nothing else', async () => {
    mkdirSync(join(dir, 'out'));
    execFileSync('mkfifo', [join(dir, 'out/pipe')]);
    mkdirSync(join(dir, 'out/folder'));
    const made = await taken(
      'out',
      { path: 'site/device', type: '3' },
      { path: 'site/fifo', type: '6' },
      { path: 'site/pipe', content: 'x' },
      { path: 'site/folder', content: 'x' },
      { path: 'site/file', content: 'x' },
      folder('site/file/'),
    );
    assert.deepEqual([made, notes.length], [1, 5]);
    assert.ok(!existsSync(join(dir, 'out/device')) && !existsSync(join(dir, 'out/fifo')));
  });
});
