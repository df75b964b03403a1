/** Containers' logs on disk: read while they grow, in bounded pieces, and rotated. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { logFiles } from '../../../nodeagent/adapters/disk/log-files.ts';
import { memoryRuntime } from '../../../nodeagent/adapters/memory/container-runtime.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import { startLogRotation } from '../../../nodeagent/loops/log-rotation.ts';
import { RuntimeError } from '../../../nodeagent/ports/container-runtime.ts';
import { makeFolder } from '../../support/folder.ts';

const MAX_BYTES = 10 * 1024 * 1024;
const signal = new AbortController().signal;

describe('log files', () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = makeFolder('plumbline-logs-');
  });
  after(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    path = join(folder, '0.log');
  });

  async function batches(tail?: number): Promise<string[][]> {
    const found: string[][] = [];
    for await (const lines of logFiles().read({ path, tail, follow: undefined }, signal)) found.push([...lines]);
    return found;
  }

  it('are read in batches that a line of any length does not outgrow', async () => {
    await writeFile(path, `first\n${'x'.repeat(2_000_000)}\nlast\n`);
    const found = await batches();
    assert.ok(
      found.every((lines) => lines.join('').length < 512 * 1024),
      String(found.map((lines) => lines.join('').length)),
    );
    assert.equal(found.flat().join('').length, 2_000_000 + 'firstlast'.length);
    assert.deepEqual([found.flat()[0], found.flat().at(-1)], ['first', 'last']);
  });

  it('give their last lines at once, however long they are', async () => {
    await writeFile(path, '');
    await truncate(path, 64 * 2 ** 30);
    await appendFile(path, '\none\ntwo\n');
    assert.deepEqual((await batches(2)).flat(), ['one', 'two']);
  });

  it('that are links, or no files, read as empty', async () => {
    await writeFile(join(folder, 'other'), 'secret\n');
    await symlink(join(folder, 'other'), path);
    assert.deepEqual(await batches(), []);
    await rm(path);
    await mkdir(path);
    assert.deepEqual(await batches(), []);
  });

  it('are rotated for as long as it takes the runtime to open them anew', async () => {
    await writeFile(path, '');
    await truncate(path, MAX_BYTES + 1);
    let attempts = 0;
    let looks = 0;
    let seen = (): void => undefined;
    const enough = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const rotation = startLogRotation({
      runtime: {
        ...memoryRuntime(systemClock),
        async reopenLog() {
          attempts += 1;
          if (attempts < 3) throw new RuntimeError('Other', 'no space left on device');
          await writeFile(path, 'new\n');
        },
      },
      logs: logFiles(),
      log: jsonLog(() => undefined),
      // Ten seconds are a turn of the event loop here.
      clock: { ...systemClock, sleep: (_ms, over) => systemClock.sleep(0, over) },
      running() {
        looks += 1;
        if (looks > 5) seen();
        return [{ id: 'c', logPath: path }];
      },
    });
    await enough;
    await rotation.close();
    assert.equal(attempts, 3);
    assert.equal(await readFile(path, 'utf8'), 'new\n');
    assert.deepEqual((await readdir(folder)).sort(), ['0.log', '0.log.1']);
    assert.equal((await stat(`${path}.1`)).size, MAX_BYTES + 1);
  });
});
