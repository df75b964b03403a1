/** The assignment on a real disk: what survives a cut, a tear, a loss. */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { assignmentFile } from '../../../nodeagent/adapters/disk/assignment-file.ts';
import type { AssignmentChange } from '../../../nodeagent/ports/assignment-disk.ts';
import { makeFolder } from '../../support/folder.ts';
import { configMap, key, secret } from './agent.ts';

describe('assignment on disk', () => {
  let folder: string;
  beforeEach(async () => {
    folder = makeFolder('plumbline-assignment-');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const open = () => assignmentFile(join(folder, 'state'), folder);
  const change = (version: string, upsert: readonly KubeObject[], more: Partial<AssignmentChange> = {}): AssignmentChange => ({ epoch: 1, version, node: 'n', whole: false, upsert, remove: [], ...more });
  const names = (objects: readonly KubeObject[]): string[] => objects.map((object) => object.metadata.name).sort();

  async function filled(): Promise<void> {
    const disk = open();
    await disk.load();
    await disk.append(change('v1', [configMap('a', {}), secret('s', { p: 'hidden-value' })], { whole: true }));
    await disk.append(change('v2', [configMap('b', {})], { remove: [key(configMap('a', {}))], epoch: 7 }));
    await disk.close();
  }

  it('gives back what was appended', async () => {
    await filled();
    const stored = await open().load();
    assert.deepEqual([stored.epoch, stored.version, stored.node, names(stored.objects)], [7, 'v2', 'n', ['b', 's']]);
    assert.deepEqual(stored.objects.find((object) => object.kind === 'Secret'), secret('s', { p: 'hidden-value' }));
  });

  it('keeps Secrets\' data out of the disk, and asks for everything when it is lost', async () => {
    await filled();
    const hidden = Buffer.from('hidden-value').toString('base64');
    for (const file of await readdir(join(folder, 'state'))) assert.ok(!(await readFile(join(folder, 'state', file), 'utf8')).includes(hidden), file);
    assert.equal((await stat(join(folder, 'secrets.json'))).mode & 0o777, 0o600);
    await rm(join(folder, 'secrets.json'));
    const stored = await open().load();
    assert.equal(stored.version, null);
    assert.deepEqual(names(stored.objects), ['b', 's']);
  });

  it('forgets a line that a power cut tore, and goes on behind it', async () => {
    await filled();
    await appendFile(join(folder, 'state', 'assignment.journal'), '{"seq":3,"version":"v3","ups');
    const disk = open();
    assert.equal((await disk.load()).version, 'v2');
    await disk.append(change('v3', [configMap('c', {})]));
    await disk.close();
    assert.deepEqual(names((await open().load()).objects), ['b', 'c', 's']);
  });

  it('does not apply a change twice when it was cut off between snapshot and journal', async () => {
    await filled();
    const journal = join(folder, 'state', 'assignment.journal');
    const lines = await readFile(journal);
    const disk = open();
    await disk.load();
    // Enough to outgrow the journal: a snapshot is written and the journal emptied.
    await disk.append(change('v3', [configMap('big', { x: 'y'.repeat(1_200_000) })], { remove: [key(configMap('b', {}))] }));
    await disk.close();
    assert.equal((await stat(journal)).size, 0);
    await writeFile(journal, lines);
    assert.deepEqual(names((await open().load()).objects), ['big', 's']);
  });

  it('puts a damaged snapshot aside and starts with nothing', async () => {
    await filled();
    await writeFile(join(folder, 'state', 'assignment.json'), 'not json');
    await truncate(join(folder, 'state', 'assignment.journal'));
    const stored = await open().load();
    assert.deepEqual([stored.version, stored.objects], [null, []]);
    assert.ok((await readdir(join(folder, 'state'))).includes('assignment.json.damaged'));
  });
});
