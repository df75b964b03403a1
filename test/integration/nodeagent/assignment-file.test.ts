/** The assignment on a real disk: what survives a cut, a tear, a loss. */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, open as openFile, readdir, readFile, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { join } from 'node:path';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { assignmentFile } from '../../../nodeagent/adapters/disk/assignment-file.ts';
import type { AssignmentChange } from '../../../nodeagent/ports/assignment-disk.ts';
import { makeFolder } from '../../support/folder.ts';
import { whenInterrupted } from '../../support/interruption.ts';
import { configMap, key, secret, testPod } from './agent.ts';

const exec = promisify(execFile);
const SPEC = { containers: [{ name: 'main', image: 'app:1' }] };

describe('assignment on disk', () => {
  let folder: string;
  beforeEach(async () => {
    folder = makeFolder('plumbline-assignment-');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const open = () => assignmentFile(join(folder, 'state'), folder);
  const change = (
    version: string,
    upsert: readonly KubeObject[],
    more: Partial<AssignmentChange> = {},
  ): AssignmentChange => ({ epoch: 1, version, node: 'n', whole: false, upsert, remove: [], ...more });
  const names = (objects: readonly KubeObject[]): string[] => objects.map((object) => object.metadata.name).sort();

  const journalPath = (): string => join(folder, 'state', 'assignment.journal');
  /** What is in a journal before its zeros. */
  const textOf = async (path: string): Promise<string> => (await readFile(path, 'utf8')).split('\0')[0] ?? '';

  /** As a write that was cut off leaves it. */
  async function writeBehind(text: string): Promise<void> {
    const at = Buffer.byteLength(await textOf(journalPath()));
    const file = await openFile(journalPath(), 'r+');
    await file.write(text, at);
    await file.close();
  }

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
    assert.deepEqual(
      stored.objects.find((object) => object.kind === 'Secret'),
      secret('s', { p: 'hidden-value' }),
    );
  });

  it("keeps Secrets' data out of the disk, and asks for everything when it is lost", async () => {
    await filled();
    const hidden = Buffer.from('hidden-value').toString('base64');
    for (const file of await readdir(join(folder, 'state')))
      assert.ok(!(await readFile(join(folder, 'state', file), 'utf8')).includes(hidden), file);
    assert.equal((await stat(join(folder, 'secrets.json'))).mode & 0o777, 0o600);
    await rm(join(folder, 'secrets.json'));
    const stored = await open().load();
    assert.equal(stored.version, null);
    assert.deepEqual(names(stored.objects), ['b', 's']);
  });

  it('forgets a line that a power cut tore, and goes on behind it', async () => {
    await filled();
    await writeBehind('{"seq":3,"version":"v3","ups');
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
    await disk.append(
      change('v3', [configMap('big', { x: 'y'.repeat(1_200_000) })], { remove: [key(configMap('b', {}))] }),
    );
    await disk.close();
    assert.equal((await textOf(journal)).length, 0);
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

  const NO_POD = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: '../..' },
    spec: {},
  };
  for (const snapshot of [
    [],
    {},
    { seq: 9, epoch: 1, version: 'v9', node: 'n' },
    { seq: 9, epoch: 1, version: 'v9', node: 'n', objects: [null] },
    { seq: 9, epoch: 1, version: 'v9', node: 'n', objects: [{ apiVersion: 'v1', kind: 'Service' }] },
    { seq: 9, epoch: 1, version: 'v9', node: 'n', objects: [NO_POD] },
    { seq: 'x', epoch: 1, version: 'v9', node: 'n', objects: [] },
  ])
    it(`puts a snapshot of another shape aside: ${JSON.stringify(snapshot)}`, async () => {
      await filled();
      await writeFile(join(folder, 'state', 'assignment.json'), JSON.stringify(snapshot));
      const disk = open();
      const stored = await disk.load();
      await disk.close();
      assert.deepEqual([stored.version, names(stored.objects)], ['v2', ['b', 's']]);
      assert.ok((await readdir(join(folder, 'state'))).includes('assignment.json.damaged'));
    });

  const LINE = { seq: 3, epoch: 7, version: 'v3', node: 'n', whole: false, upsert: [], remove: [] };
  for (const [what, line] of [
    ['a list', []],
    ['without upsert', { ...LINE, upsert: undefined }],
    ['with no object in upsert', { ...LINE, upsert: [null] }],
    ['with an object of another shape', { ...LINE, upsert: [NO_POD] }],
    ['without remove', { ...LINE, remove: undefined }],
    ['with no key in remove', { ...LINE, remove: [null] }],
  ] as const)
    it(`keeps what is before a line of another shape: ${what}`, async () => {
      await filled();
      await writeBehind(`${JSON.stringify(line)}\n`);
      const disk = open();
      const stored = await disk.load();
      await disk.append(change('v4', [configMap('c', {})]));
      await disk.close();
      assert.deepEqual([stored.version, names(stored.objects)], ['v2', ['b', 's']]);
      const again = open();
      assert.deepEqual(names((await again.load()).objects), ['b', 'c', 's']);
      await again.close();
    });

  it("asks for everything where Secrets' data has another shape", async () => {
    await filled();
    await writeFile(join(folder, 'secrets.json'), JSON.stringify({ 'secrets/default/s': { p: null } }));
    const disk = open();
    const stored = await disk.load();
    await disk.close();
    assert.deepEqual([stored.version, names(stored.objects)], [null, ['b', 's']]);
  });

  it('keeps what is before a damaged line, also through the next starts, and the highest epoch that is behind it', async () => {
    const first = open();
    await first.load();
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries())
      await first.append(change(`v${index}`, [configMap(name, {})], { whole: index === 0, epoch: index + 1 }));
    await first.close();
    const lines = (await textOf(journalPath())).split('\n');
    const at = Buffer.byteLength(`${lines.slice(0, 2).join('\n')}\n`);
    const file = await openFile(journalPath(), 'r+');
    await file.write('#', at);
    await file.close();

    const second = open();
    assert.deepEqual(((stored) => [stored.epoch, stored.version, names(stored.objects)])(await second.load()), [
      4,
      'v1',
      ['a', 'b'],
    ]);
    await second.append(change('v9', [configMap('z', {})], { epoch: 5 }));
    await second.close();
    for (let start = 0; start < 2; start += 1) {
      const again = open();
      assert.deepEqual(((stored) => [stored.epoch, stored.version, names(stored.objects)])(await again.load()), [
        5,
        'v9',
        ['a', 'b', 'z'],
      ]);
      await again.close();
    }
    assert.match(await readFile(`${journalPath()}.damaged`, 'utf8'), /"version":"v3"/);
  });

  it('keeps the epoch when the snapshot is lost, and takes a whole assignment then', async () => {
    await filled();
    await writeFile(join(folder, 'state', 'assignment.json'), 'not json');
    // The line that replaced everything is gone: the ones behind it have nothing to stand on.
    await writeFile(journalPath(), `${(await textOf(journalPath())).split('\n')[1] ?? ''}\n`);
    const disk = open();
    assert.deepEqual(((stored) => [stored.epoch, stored.version, stored.objects])(await disk.load()), [7, null, []]);
    await disk.append(change('v1', [configMap('new', {})], { whole: true, epoch: 7 }));
    await disk.close();
    assert.deepEqual(names((await open().load()).objects), ['new']);
  });

  it('says so by name where the memory-backed folder is full, and keeps what it had', async () => {
    const run = join(folder, 'run');
    await mkdir(run);
    await exec('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', run]);
    const forget = whenInterrupted(`the mount at ${run}`, () => exec('umount', ['--lazy', run]));
    try {
      const disk = assignmentFile(join(folder, 'state'), run);
      await disk.load();
      await disk.append(change('v1', [secret('small', { a: 'YQ==' })], { whole: true, epoch: 1 }));
      await assert.rejects(disk.append(change('v2', [secret('big', { a: 'y'.repeat(200_000) })])), {
        name: 'DiskFullError',
      });
      await disk.close();
      const again = assignmentFile(join(folder, 'state'), run);
      const stored = await again.load();
      await again.close();
      assert.deepEqual([stored.version, names(stored.objects)], ['v1', ['small']]);
    } finally {
      await exec('umount', ['--lazy', run]);
      forget();
    }
  });

  describe('that is full', () => {
    let unmount: () => Promise<void>;
    beforeEach(async () => {
      const state = join(folder, 'state');
      await mkdir(state);
      await exec('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', state]);
      const forget = whenInterrupted(`the mount at ${state}`, () => unmount());
      unmount = async () => {
        await exec('umount', ['--lazy', state]);
        forget();
      };
    });
    afterEach(() => unmount());

    /** Takes every byte that is left, as a container does. */
    async function fill(): Promise<void> {
      const file = await openFile(join(folder, 'state', 'hog'), 'a');
      await assert.rejects(
        async () => {
          for (;;) await file.writeFile(Buffer.alloc(64 * 1024, 1));
        },
        { code: 'ENOSPC' },
      );
      await file.close();
      assert.equal((await statfs(join(folder, 'state'))).bavail, 0);
    }
    const pods = (count: number): KubeObject[] =>
      Array.from({ length: count }, (_, index) => testPod(`p${index}`, SPEC));

    it('holds what it said it holds, through every start, and refuses new pods by name', async () => {
      const disk = open();
      await disk.load();
      await disk.append(change('v0', pods(20), { whole: true, epoch: 3 }));
      await fill();
      const acknowledged = new Map([['v0', 3]]);
      for (let index = 0; index < 60; index += 1) {
        const version = `new${index}`;
        await disk
          .append(
            change(version, [testPod(version, SPEC), configMap(`with-${version}`, { x: 'y'.repeat(30_000) })], {
              epoch: 4,
            }),
          )
          .then(
            () => acknowledged.set(version, 4),
            (cause: unknown) => assert.equal((cause as Error).name, 'DiskFullError'),
          );
      }
      assert.ok(acknowledged.size < 60, 'the disk was never full');
      await disk.close();
      for (let start = 0; start < 3; start += 1) {
        const again = open();
        const stored = await again.load();
        await again.close();
        assert.equal(stored.version, [...acknowledged.keys()].at(-1));
        const held = names(stored.objects);
        for (const version of acknowledged.keys()) assert.ok(version === 'v0' || held.includes(version), version);
        assert.ok(stored.epoch >= 3);
      }
    });

    it('still takes the end of every pod, and has room again when the disk has', async () => {
      const disk = open();
      await disk.load();
      const all = pods(100);
      await disk.append(change('v0', all, { whole: true }));
      await fill();
      let serial = 0;
      const next = (): string => `d${(serial += 1)}`;
      await assert.rejects(
        async () => {
          for (;;)
            await disk.append(
              change(next(), [testPod(`late${serial}`, SPEC), configMap('big', { x: 'y'.repeat(50_000) })]),
            );
        },
        { name: 'DiskFullError' },
      );
      for (const pod of all) {
        const ending = {
          ...pod,
          metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 },
        } as KubeObject;
        await disk.append(change(next(), [ending]));
        await disk.append(change(next(), [], { remove: [key(pod)] }));
      }
      await disk.close();
      const again = open();
      assert.deepEqual(
        names((await again.load()).objects).filter((name) => /^p\d/.test(name)),
        [],
      );
      await rm(join(folder, 'state', 'hog'));
      await again.append(change(next(), [testPod('later', SPEC)]));
      await again.close();
      assert.ok(names((await open().load()).objects).includes('later'));
    });

    it('goes on when the snapshot finds no room, and writes it when there is some', async () => {
      const disk = open();
      await disk.load();
      await disk.append(change('v0', [configMap('a', {})], { whole: true }));
      await fill();
      const refused: string[] = [];
      let last = 'v0';
      for (let index = 1; index < 40; index += 1) {
        // The same object again and again: the journal outgrows what it stands for.
        await disk.append(change(`v${index}`, [configMap('a', { x: String(index).repeat(20_000) })])).then(
          () => {
            last = `v${index}`;
          },
          (cause: unknown) => refused.push((cause as Error).name),
        );
      }
      assert.deepEqual([...new Set(refused)], ['DiskFullError']);
      await rm(join(folder, 'state', 'hog'));
      for (let index = 40; index < 80; index += 1) {
        last = `v${index}`;
        await disk.append(change(last, [configMap('a', { x: String(index).repeat(20_000) })]));
      }
      await disk.close();
      assert.ok((await stat(join(folder, 'state', 'assignment.json'))).size > 0);
      assert.equal((await open().load()).version, last);
    });
  });
});
