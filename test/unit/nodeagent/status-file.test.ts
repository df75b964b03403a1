import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { statusFile } from '../../../nodeagent/adapters/disk/status-file.ts';
import { makeFolder } from '../../support/folder.ts';

describe('the file of last statuses', () => {
  const folder = makeFolder('plumb-statuses-');
  after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'statuses.json');
  const good = ['u1', { phase: 'Running' }];
  const cases: readonly (readonly [string, unknown, readonly string[]])[] = [
    ['is read', { bootID: 'b', statuses: [good] }, ['u1']],
    ['of older agents is read', [good], ['u1']],
    [
      'loses only the entries that are none',
      { bootID: 'b', statuses: [['u0', null], null, 7, ['u2', 'x'], good] },
      ['u1'],
    ],
    ['of older agents loses only those, too', [['u0', null], good], ['u1']],
    ['without statuses has none', { bootID: 'b', statuses: null }, []],
    ['that is null has none', null, []],
  ];
  for (const [what, content, uids] of cases)
    it(what, async () => {
      await writeFile(path, JSON.stringify(content));
      const { statuses, rebooted } = await statusFile(path, 'b').load();
      assert.deepEqual([[...statuses.keys()], rebooted], [uids, false]);
    });

  it('tells that the machine was started anew', async () => {
    await statusFile(path, 'before').save(new Map([['u1', { phase: 'Running' }]]));
    assert.equal((await statusFile(path, 'after').load()).rebooted, true);
  });
});
