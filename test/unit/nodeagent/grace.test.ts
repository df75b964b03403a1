import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { graceLeft } from '../../../nodeagent/adapters/disk/grace.ts';
import { makeFolder } from '../../support/folder.ts';

describe('graceLeft', () => {
  let folder = '';
  before(async () => {
    folder = makeFolder('grace-');
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  it('counts from the first time that it was asked, to nothing', async () => {
    const path = join(folder, 'first/main');
    const left: number[] = [];
    for (const now of [1000, 4000, 11_000, 60_000]) left.push(await graceLeft(path, 'a', 10_000, now));
    assert.deepEqual(left, [10_000, 7000, 0, 0]);
  });
  it('is shortened by a shorter grace, and by a longer one never lengthened', async () => {
    const path = join(folder, 'shorter/main');
    assert.equal(await graceLeft(path, 'a', 30_000, 0), 30_000);
    assert.equal(await graceLeft(path, 'a', 5000, 10_000), 5000);
    assert.equal(await graceLeft(path, 'a', 60_000, 12_000), 3000);
  });
  it('knows one container from the one after it', async () => {
    const path = join(folder, 'next/main');
    assert.equal(await graceLeft(path, 'a', 10_000, 0), 10_000);
    assert.equal(await graceLeft(path, 'b', 10_000, 9000), 10_000);
  });
  it('takes what cannot be read for nothing', async () => {
    const path = join(folder, 'torn');
    await writeFile(path, '{"id":"a","b');
    assert.equal(await graceLeft(path, 'a', 10_000, 5000), 10_000);
  });
});
