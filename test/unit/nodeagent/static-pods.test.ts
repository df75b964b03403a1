/** The folder of static pods, as an agent tells of it. */
import assert from 'node:assert/strict';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { StatusLine } from '../../../contracts/agent/index.ts';
import { STATIC_POD_LIMITS } from '../../../contracts/agent/places.ts';
import { staticFiles } from '../../../nodeagent/adapters/disk/static-files.ts';
import { startStaticPods } from '../../../nodeagent/loops/static-pods.ts';
import { createStatusHub } from '../../../nodeagent/loops/status-hub.ts';
import { makeFolder } from '../../support/folder.ts';
import { VirtualClock } from '../metrics/virtual-clock.ts';

describe('the folder of static pods', () => {
  let top: string;
  beforeEach(() => {
    top = makeFolder('plumb-static-');
  });
  afterEach(() => rm(top, { recursive: true }));

  it('has its files by name, without hidden ones and what is no file, and is empty where it is not there', async () => {
    const folder = join(top, 'static-pods');
    const files = staticFiles(folder);
    assert.deepEqual(await files.read(), []);
    await mkdir(join(folder, 'sub'), { recursive: true });
    await writeFile(join(folder, 'b.yaml'), 'b');
    await writeFile(join(folder, 'a.yaml'), 'a');
    await writeFile(join(folder, '.a.yaml.swp'), 'x');
    await symlink('/etc/passwd', join(folder, 'link'));
    assert.deepEqual(await files.read(), [
      { name: 'a.yaml', text: 'a' },
      { name: 'b.yaml', text: 'b' },
    ]);
  });

  it('is an error where there is more than is taken', async () => {
    const folder = top;
    const files = staticFiles(folder);
    const half = 'x'.repeat(STATIC_POD_LIMITS.bytes / 2);
    await writeFile(join(folder, 'a'), half);
    await writeFile(join(folder, 'b'), half);
    assert.equal((await files.read()).length, 2);
    await writeFile(join(folder, 'c'), 'x');
    await assert.rejects(files.read(), /c: the files have more than 131072 bytes together/);
    for (const name of ['a', 'b', 'c']) await rm(join(folder, name));
    for (let n = 0; n <= STATIC_POD_LIMITS.files; n += 1) await writeFile(join(folder, `f${n}`), '');
    await assert.rejects(files.read(), /has 17 files; 16 are taken at most/);
  });
});

it('of a node are not believed beyond what an agent may tell, each file and all together', () => {
  const told = (...texts: readonly string[]): boolean =>
    StatusLine.safeParse({ type: 'static-pods', files: texts.map((text, n) => ({ name: `f${n}`, text })) }).success;
  const half = 'x'.repeat(STATIC_POD_LIMITS.bytes / 2);
  assert.deepEqual([told(half, half), told(half, half, 'x'), told(`${half}${half}x`)], [true, false, false]);
});

describe('static pods', () => {
  it('are told at the start and when they change, to whoever listens later too, and stay while they cannot be read', async () => {
    const clock = new VirtualClock();
    const hub = createStatusHub(clock);
    const lines: StatusLine[] = [];
    const toldOf = (told: readonly StatusLine[]): readonly unknown[] =>
      told.flatMap((line) =>
        line.type === 'static-pods'
          ? [line.files.map(({ text }) => text).join()]
          : line.type === 'node-event'
            ? [line.event.message]
            : [],
      );
    hub.subscribe((line) => lines.push(line));
    let text = 'one';
    const loop = startStaticPods({
      files: {
        read: () => (text === '' ? Promise.reject(new Error('too much')) : Promise.resolve([{ name: 'a', text }])),
      },
      hub,
      clock,
    });
    await clock.pass(40_000);
    assert.deepEqual(toldOf(lines), ['one']);
    text = '';
    await clock.pass(40_000);
    assert.deepEqual(toldOf(lines), ['one', 'too much']);
    text = 'two';
    await clock.pass(20_000);
    assert.deepEqual(toldOf(lines), ['one', 'too much', 'two']);
    const later: StatusLine[] = [];
    hub.subscribe((line) => later.push(line));
    assert.deepEqual(toldOf(later), ['two']);
    await loop.close();
  });
});
