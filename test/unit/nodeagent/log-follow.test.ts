/** A log that is followed: the reader ends with the container, and waits without turning for as long as it runs. */
import assert from 'node:assert/strict';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { appendFile, mkdir, open, rename, rm, stat, symlink, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { logFiles } from '../../../nodeagent/adapters/disk/log-files.ts';
import { makeFolder } from '../../support/folder.ts';

/** Turns of the event loop after which all changes of the folder so far were told of. */
const QUIET_TURNS = 30;
/** Far more than a reader needs for what one test writes. */
const MOST_TURNS = 50;
/** Looks until one of them is for nothing. */
const MOST_LOOKS = 5;

describe('a log that is followed', () => {
  let base: string;
  let folder: string;
  let path: string;
  let running: boolean;
  let turns: number;
  let lines: string[];
  let leaving: AbortController;
  let reading: Promise<void> | undefined;
  /** What the reader waits with, for a change of the folder that it is not told of. */
  let lookAgain: (() => void) | undefined;

  beforeEach(async () => {
    // Time passes when the test says so: every other turn of the reader has a change of the folder as its cause.
    mock.method(globalThis, 'setTimeout', (callback: () => void) => {
      lookAgain = callback;
    });
    mock.method(globalThis, 'clearTimeout', () => {
      lookAgain = undefined;
    });
    base = makeFolder('plumbline-follow-');
    folder = join(base, 'main');
    await mkdir(folder);
    path = join(folder, '0.log');
    running = true;
    turns = 0;
    lines = [];
    leaving = new AbortController();
    reading = undefined;
  });
  afterEach(async () => {
    leaving.abort();
    await reading;
    mock.restoreAll();
    await rm(base, { recursive: true });
  });

  function follow(tail?: number): void {
    const over = (): boolean => {
      turns += 1;
      return !running;
    };
    reading = (async () => {
      for await (const batch of logFiles().read({ path, tail, follow: { over } }, leaving.signal)) lines.push(...batch);
    })();
  }

  /** Resolves when the reader waits, and nothing that happened makes it turn. */
  async function rests(): Promise<void> {
    const before = turns;
    for (let quiet = 0, seen = turns; quiet < QUIET_TURNS;) {
      assert.ok(turns - before < MOST_TURNS, 'the reader does not come to rest');
      await stat(base);
      await nextTurn();
      quiet = lookAgain && turns === seen ? quiet + 1 : 0;
      seen = turns;
    }
  }

  /** The same, and a look for nothing is one turn: also told late of what happened before, it comes to that. */
  async function waits(): Promise<void> {
    const taken: number[] = [];
    while (taken.at(-1) !== 1) {
      assert.ok(taken.length < MOST_LOOKS, `looks for nothing took ${taken.join(', ')} turns`);
      await rests();
      const before = turns;
      lookAgain?.();
      await rests();
      taken.push(turns - before);
    }
  }

  async function ends(wanted: readonly string[]): Promise<void> {
    running = false;
    const before = turns;
    lookAgain?.();
    await reading;
    assert.deepEqual(lines, wanted);
    assert.ok(turns - before <= 4, `${turns - before} turns to the end`);
  }

  it('waits while its container writes nothing, and ends with it', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    assert.deepEqual(lines, ['one']);
    await appendFile(path, 'two\n');
    await waits();
    assert.deepEqual(lines, ['one', 'two']);
    await ends(['one', 'two']);
  });

  it('gives what was written last by a container that is no more', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    running = false;
    appendFileSync(path, 'two\nlast');
    await ends(['one', 'two', 'last']);
  });

  it('waits for the end of a line that is not whole', async () => {
    await writeFile(path, 'one\nha');
    follow();
    await waits();
    assert.deepEqual(lines, ['one']);
    await appendFile(path, 'lf\n');
    await waits();
    await ends(['one', 'half']);
  });

  it('waits for a file that is not there yet, and for its folder', async () => {
    await rm(folder, { recursive: true });
    follow();
    await waits();
    await mkdir(folder);
    await waits();
    await writeFile(path, 'one\n');
    await waits();
    await ends(['one']);
  });

  it('ends where there never was a file', async () => {
    follow();
    await waits();
    await ends([]);
  });

  it('waits when the file is removed, and ends with the container', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    await rm(path);
    await waits();
    await rm(folder, { recursive: true });
    await waits();
    await ends(['one']);
  });

  it('goes on in the new file after a rotation', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    await rename(path, `${path}.1`);
    await waits();
    await appendFile(`${path}.1`, 'two\n');
    await writeFile(path, '');
    await waits();
    await appendFile(path, 'three\n');
    await waits();
    await ends(['one', 'two', 'three']);
  });

  it('goes on in the new file of a container that has ended meanwhile', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    // At once: the reader sees all of it or nothing.
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'two\n');
    running = false;
    await ends(['one', 'two']);
  });

  it('reads what came into the old file between its last read and the new one', async () => {
    await writeFile(path, 'one\n');
    const handle = await open(path);
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called on the handle that it is read from
    const read = prototype.read as unknown as (...asked: unknown[]) => Promise<{ bytesRead: number }>;
    let rotated = false;
    mock.method(prototype, 'read', async function (this: FileHandle, ...asked: unknown[]) {
      const answer = await read.apply(this, asked);
      if (answer.bytesRead === 0 && !rotated) {
        rotated = true;
        renameSync(path, `${path}.1`);
        appendFileSync(`${path}.1`, 'two\n');
        writeFileSync(path, 'three\n');
      }
      return answer;
    });
    follow();
    await waits();
    await ends(['one', 'two', 'three']);
  });

  it('waits where something else has the name', async () => {
    await writeFile(join(base, 'other'), 'secret\n');
    await symlink(join(base, 'other'), path);
    follow();
    await waits();
    await rm(path);
    await mkdir(path);
    await waits();
    await ends([]);
  });

  it('waits where something else takes the name of a file that was read', async () => {
    await writeFile(join(base, 'other'), 'secret\n');
    await writeFile(path, 'one\n');
    follow();
    await waits();
    await rm(path);
    await symlink(join(base, 'other'), path);
    await waits();
    await ends(['one']);
  });

  it('is let go of with the signal', async () => {
    await writeFile(path, 'one\n');
    follow();
    await waits();
    leaving.abort();
    await reading;
    assert.deepEqual(lines, ['one']);
  });
});
