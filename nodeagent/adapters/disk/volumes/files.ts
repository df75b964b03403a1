/**
 * Files of ConfigMap and Secret volumes, replaced all at once: the files are links through `..data`, which is a link to
 * the folder of one version; moving that one link is the update. The scheme is kubelet's, and programs that watch such
 * volumes rely on it.
 */
import { chmod, chown, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { VolumeFile } from '../../../core/pod/volumes/source.ts';
import { makeFolder } from '../durable.ts';

const DATA = '..data';

/**
 * Makes the volume hold exactly `files`. An unchanged volume is not touched, and neither is one that `keeps` what it
 * has.
 */
export async function writeVolumeFiles(
  folder: string,
  files: readonly VolumeFile[],
  group: number | undefined,
  keeps?: true,
): Promise<void> {
  await makeFolder(folder, 0o755);
  const present = await readlink(join(folder, DATA)).catch(() => undefined);
  // A version is linked when all of it is written.
  const kept = keeps && present !== undefined ? await readdir(join(folder, present)).catch(() => undefined) : undefined;
  const version = kept && present !== undefined ? present : `..${digest(files)}`;
  if (present !== version) await writeVersion(folder, version, files, group);

  const wanted = new Set(kept ?? files.map((file) => file.path.split('/')[0] ?? ''));
  const entries = await readdir(folder);
  for (const name of wanted) if (!entries.includes(name)) await symlink(`${DATA}/${name}`, join(folder, name));
  for (const name of entries) {
    const stale = name.startsWith('..') ? name !== DATA && name !== version : !wanted.has(name);
    if (stale) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function writeVersion(
  folder: string,
  version: string,
  files: readonly VolumeFile[],
  group: number | undefined,
): Promise<void> {
  const draft = join(folder, version);
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  await chmod(draft, 0o755);
  for (const file of files) {
    const path = join(draft, file.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content);
    // A pod's fsGroup reads what the owner reads.
    if (group !== undefined) await chown(path, 0, group);
    await chmod(path, group === undefined ? file.mode : file.mode | ((file.mode & 0o400) >> 3));
  }
  const link = join(folder, '..data_new');
  await rm(link, { force: true });
  await symlink(version, link);
  await rename(link, join(folder, DATA));
}

function digest(files: readonly VolumeFile[]): string {
  const hash = createHash('sha256');
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${file.path}\0${file.mode}\0${file.content.length}\0`).update(file.content);
  return hash.digest('hex').slice(0, 16);
}
