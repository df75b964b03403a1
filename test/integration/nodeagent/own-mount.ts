/** A file system of a suite's own: whatever its tests mount in it goes with it. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { makeFolder } from '../../support/folder.ts';
import { whenInterrupted } from '../../support/interruption.ts';

const exec = promisify(execFile);

/** Called in `describe`; the path is that of the suite while its tests run. `prefix`: of the folder's name. */
export function ownMount(prefix: string, size = '64m'): { readonly path: string } {
  const mount = { path: '' };
  let forget: () => void;
  const unmount = async (): Promise<void> => {
    await exec('umount', ['--recursive', mount.path]);
  };
  before(async () => {
    mount.path = makeFolder(prefix);
    await exec('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount.path]);
    forget = whenInterrupted(`the mount at ${mount.path}`, unmount);
  });
  after(async () => {
    await unmount();
    forget();
    await rm(mount.path, { recursive: true });
  });
  return mount;
}
