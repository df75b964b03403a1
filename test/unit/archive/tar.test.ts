/** tar archives, written and read as streams. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readTar } from '../../../cli/archive/read-tar.ts';
import { readHeader, TarError, TYPE, writeHeader } from '../../../cli/archive/tar-format.ts';
import { writeTar } from '../../../cli/archive/write-tar.ts';
import { makeFolder } from '../../support/folder.ts';
import { archiveOf, entryOf, inChunks } from './archives.ts';

const LONG = `${'folder-with-a-name/'.repeat(10)}file`;

async function collected(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `type path[ -> target] mode content` of every entry. */
async function read(source: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const { type, path, target, mode, content } of readTar(source)) {
    const text = (await collected(content)).toString();
    lines.push([type, target === '' ? path : `${path} -> ${target}`, mode.toString(8), text].join(' ').trimEnd());
  }
  return lines;
}

describe('an archive', () => {
  const archive = archiveOf(
    { path: 'a/', type: TYPE.folder, mode: 0o755 },
    { path: 'a/text', content: 'hello' },
    { path: LONG, content: 'x'.repeat(1024), mode: 0o600 },
    { path: 'a/link', type: TYPE.symlink, target: LONG },
    { path: 'a/empty' },
  );

  it('is read in whatever pieces it comes', async () => {
    const expected = [
      '5 a/ 755',
      '0 a/text 644 hello',
      `0 ${LONG} 600 ${'x'.repeat(1024)}`,
      `2 a/link -> ${LONG} 644`,
      '0 a/empty 644',
    ];
    for (const size of [1, 7, 511, 512, 513, 1e6]) assert.deepEqual(await read(inChunks(archive, size)), expected);
  });

  it('is read on behind contents that nobody took', async () => {
    const paths: string[] = [];
    for await (const { path } of readTar(inChunks(archive, 100))) paths.push(path);
    assert.equal(paths.length, 5);
  });

  it('keeps sizes and owners that octal has no room for', () => {
    const header = {
      type: TYPE.file,
      path: 'big',
      target: '',
      mode: 0o644,
      uid: 3e6,
      gid: 1,
      size: 2 ** 40 + 1,
      mtime: 7,
    };
    assert.deepEqual(readHeader(writeHeader(header)), header);
  });

  it('is told from anything else, and from its beginning', async () => {
    const damaged = Buffer.from(archive);
    damaged[3] = 0x7a;
    for (const bytes of [
      damaged,
      Buffer.alloc(512, 'x'),
      Buffer.from('tar: not found\n'),
      archive.subarray(0, -1024),
      Buffer.alloc(0),
    ])
      await assert.rejects(read(inChunks(bytes)), TarError);
    await assert.rejects(read(inChunks(archive.subarray(0, 700))), /cut off/);
  });

  it('may not fill memory with names', async () => {
    const size = 2 ** 30;
    for (const type of [TYPE.gnuLongName, TYPE.gnuLongTarget, TYPE.pax])
      await assert.rejects(read(inChunks(entryOf({ path: 'x', type, size }))), /too long/);
  });

  it('has the names of pax records in their bounds', async () => {
    const pax = (records: string) =>
      inChunks(archiveOf({ path: 'x', type: TYPE.pax, content: records }, { path: 'short', content: 'hi' }));
    assert.deepEqual(await read(pax('16 path=renamed\n7 a=\u00e9\n')), ['0 renamed 644 hi']);
    for (const wrong of ['99 path=x\n', 'path=x\n', '2 \n', '-5 path=x\n', '9 size=-1\n'])
      await assert.rejects(read(pax(wrong)), TarError, wrong);
  });
});

describe('an archive of the programs that people have', () => {
  let dir: string;
  before(() => {
    dir = makeFolder('plumb-tar-');
    mkdirSync(join(dir, 'tree', LONG, '..'), { recursive: true });
    writeFileSync(join(dir, 'tree', LONG), 'deep');
    writeFileSync(join(dir, 'tree/run'), '#!/bin/sh\n');
    chmodSync(join(dir, 'tree/run'), 0o750);
    symlinkSync('run', join(dir, 'tree/link'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const files = [`0 tree/${LONG} 644 deep`, '0 tree/run 750 #!/bin/sh', '2 tree/link -> run 777'];

  for (const format of ['gnu', 'pax', 'ustar', 'oldgnu'])
    it(`is read: tar --format=${format}`, async () => {
      const archive = execFileSync('tar', [`--format=${format}`, '-cf', '-', '-C', dir, 'tree']);
      const lines = await read(inChunks(archive, 1000));
      assert.deepEqual(lines.filter((line) => !line.startsWith('5')).sort(), [...files].sort());
    });

  it('is what they read: names, links, permissions', async () => {
    const archive = await collected(writeTar(join(dir, 'tree'), 'copy', () => undefined));
    execFileSync('tar', ['-xf', '-', '-C', dir], { input: archive });
    assert.equal(execFileSync('diff', ['-r', 'tree', 'copy'], { cwd: dir }).toString(), '');
    assert.deepEqual(
      (await read(inChunks(archive)))
        .map((line) => line.replace('copy', 'tree'))
        .filter((line) => !line.startsWith('5'))
        .sort(),
      [...files].sort(),
    );
  });

  it('leaves out what is neither a file, a folder nor a link, and says so', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const notes: string[] = [];
    const archive = await collected(writeTar(join(dir, 'pipe'), 'pipe', (line) => notes.push(line)));
    assert.deepEqual([await read(inChunks(archive)), notes.length], [[], 1]);
  });
});
