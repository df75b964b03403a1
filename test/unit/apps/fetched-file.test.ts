/** What is read of what a strange program left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { removeFolder } from '../../../lab/remove-folder.ts';
import { fetchedFile } from '../../../reconciler/adapters/engines/fetched-file.ts';
import { makeFolder } from '../../support/folder.ts';

describe('a fetched file', () => {
  const folder = makeFolder('plumbline-fetched-');
  after(() => removeFolder(folder));
  writeFileSync(join(folder, 'secret.tgz'), 'of the machine');

  const cases: readonly (readonly [string, (place: string) => void, string | undefined])[] = [
    ['is read', (place) => writeFileSync(join(place, 'a.tgz'), 'chart'), 'chart'],
    ['is not there', () => undefined, undefined],
    ['is too large', (place) => writeFileSync(join(place, 'a.tgz'), 'x'.repeat(101)), undefined],
    ['is a link', (place) => symlinkSync(join(folder, 'secret.tgz'), join(place, 'a.tgz')), undefined],
    ['is a pipe', (place) => void execFileSync('mkfifo', [join(place, 'a.tgz')]), undefined],
    ['is a folder', (place) => mkdirSync(join(place, 'a.tgz')), undefined],
  ];
  for (const [what, make, expected] of cases)
    it(what, async () => {
      const place = join(folder, what.replaceAll(' ', '-'));
      mkdirSync(place);
      make(place);
      assert.equal((await fetchedFile(place, 100))?.toString(), expected);
    });

  it('is of its own folder, not of one that a link in its place leads to', async () => {
    symlinkSync(folder, join(folder, 'link'));
    assert.equal(await fetchedFile(join(folder, 'link'), 100), undefined);
  });
});
