/** What engines made, on the disk: whole, its own, and bounded. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { Renderings } from '../../../reconciler/adapters/engines/renderings.ts';
import { makeFolder } from '../../support/folder.ts';

const KIB = 1024;

describe('what engines made', () => {
  const folder = makeFolder('plumbline-renderings-');
  let dirs = 0;
  let dir: string;
  beforeEach(() => {
    dir = join(folder, String(dirs++));
  });
  after(() => removeFolder(folder));

  const sizes = (): number => readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  /** As if it had been asked for so long ago. */
  const usedBefore = (key: string, minutes: number): void => {
    const then = new Date(Date.now() - minutes * 60_000);
    utimesSync(join(dir, key), then, then);
  };

  it('stays within its bound, however much is kept', async () => {
    const renderings = new Renderings(dir, 64 * KIB);
    for (let i = 0; i < 100; i++) await renderings.set(`key${i}`, randomBytes(4 * KIB));
    // It looks after each sixteenth of the bound.
    assert.ok(sizes() <= 64 * KIB + 2 * 4 * KIB + KIB, `${sizes()} bytes`);
    assert.ok(await renderings.get('key99'));
  });

  it('goes in the order in which it was asked for, also by a process before', async () => {
    const first = new Renderings(dir, 64 * KIB);
    for (const key of ['old', 'asked', 'new']) await first.set(key, randomBytes(16 * KIB));
    usedBefore('old', 30);
    usedBefore('asked', 60);
    usedBefore('new', 10);
    assert.ok(await first.get('asked'));
    const second = new Renderings(dir, 64 * KIB);
    await second.set('more', randomBytes(16 * KIB));
    assert.deepEqual(readdirSync(dir).sort(), ['asked', 'more', 'new']);
  });

  it('is not believed where it is damaged, cut off or of another name, and gone then', async () => {
    const renderings = new Renderings(dir);
    const damage: Readonly<Record<string, (path: string) => void>> = {
      changed: (path) => {
        const bytes = readFileSync(path);
        bytes[40] = (bytes[40] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
      cut: (path) => truncateSync(path, statSync(path).size - 1),
      empty: (path) => truncateSync(path, 0),
      renamed: (path) => renameSync(path, join(dir, 'other')),
    };
    for (const [key, harm] of Object.entries(damage)) {
      await renderings.set(key, randomBytes(KIB));
      harm(join(dir, key));
      const now = key === 'renamed' ? 'other' : key;
      assert.equal(await renderings.get(now), undefined, key);
      assert.ok(!existsSync(join(dir, now)), key);
    }
  });

  it('is not kept where it is too large, or there is nowhere to keep it, and that is no failure', async () => {
    const renderings = new Renderings(dir);
    await renderings.set('large', new Uint8Array(64 * KIB * KIB + 1));
    assert.equal(await renderings.get('large'), undefined);
    writeFileSync(dir, 'a file where the folder would be');
    await renderings.set('key', randomBytes(KIB));
    assert.equal(await renderings.get('key'), undefined);
  });
});
