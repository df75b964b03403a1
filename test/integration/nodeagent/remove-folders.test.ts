/** What is left of the agent's folders when a machine leaves, with real mounts. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { REMOVE_FOLDERS } from '../../../reconciler/controllers/nodes/node-scripts.ts';
import { ownMount } from './own-mount.ts';

const exec = promisify(execFile);

describe('the removal of the folders of an agent', () => {
  const mount = ownMount('plumbline-remove-');
  let base: string;
  let shown: string;
  beforeEach(async () => {
    base = await mkdtemp(join(mount.path, 't'));
    const data = join(base, 'lib', 'state', 'volumes', 'pvc-a', 'data');
    shown = join(base, 'lib', 'state', 'pods', 'uid', 'v');
    for (const folder of [data, shown, join(base, 'run')]) await mkdir(folder, { recursive: true });
    await writeFile(join(data, 'kept'), 'kept');
    await exec('mount', ['--bind', data, shown]);
    await symlink(join(base, 'lib'), join(base, 'link'));
  });
  const remove = (lib: string): Promise<unknown> =>
    exec('sh', ['-c', `state="$1/state" run="$2"\n${REMOVE_FOLDERS}`, 'sh', join(base, lib), join(base, 'run')]);
  const kept = (): Promise<string> => readFile(join(base, 'lib/state/volumes/pvc-a/data/kept'), 'utf8');

  for (const [way, lib] of [
    ['by their own path', 'lib'],
    ['by a link', 'link'],
  ] as const)
    it(`leaves the data of a volume that a pod had mounted, ${way}`, async () => {
      await remove(lib);
      assert.equal(await kept(), 'kept');
      assert.deepEqual([existsSync(join(base, 'lib/state/pods')), existsSync(join(base, 'run'))], [false, false]);
    });

  it('takes nothing away while something stays mounted', async () => {
    const inUse = await userOf(shown);
    try {
      await assert.rejects(remove('link'), /still mounted/);
      assert.deepEqual([await kept(), existsSync(shown)], ['kept', true]);
    } finally {
      await inUse();
    }
  });

  it('leaves what an administrator mounted for the volumes', async () => {
    const disk = join(base, 'lib/state/volumes/pvc-b');
    await mkdir(disk);
    await exec('mount', ['-t', 'tmpfs', 'tmpfs', disk]);
    await writeFile(join(disk, 'kept'), 'kept');
    await remove('lib');
    assert.equal(await readFile(join(disk, 'kept'), 'utf8'), 'kept');
  });
});

/** A process that has its folder there; the result ends it. */
async function userOf(folder: string): Promise<() => Promise<void>> {
  const child = execFile('sh', ['-c', 'echo here; exec sleep 60'], { cwd: folder });
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return async () => {
    child.kill();
    await over;
  };
}
