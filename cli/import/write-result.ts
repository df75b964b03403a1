/** Writing what an import made: into an empty folder or a clean checkout, and over nothing that is there. */
import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { copyFile, lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Imported } from '../../reconciler/core/import/index.ts';
import { CliFailure } from '../failure.ts';

export interface Target {
  /** Where it is written. */
  readonly out: string;
  /** The folder whose files the result keeps, where it does; the same as `out`: it is changed in its place. */
  readonly kept?: { readonly root: string; readonly paths: readonly string[] };
  /** Write over files that are there, whatever state the folder is in. */
  readonly force: boolean;
}

/** Rejects before anything is written where the folder is in use. Returns the paths that were written, in order. */
export async function writeResult({ files, removed }: Imported, { out, kept, force }: Target): Promise<string[]> {
  const inPlace = kept?.root === out;
  if (!force) await refuseUsed(out);
  const gone = new Set(removed);
  const made = new Set(files.map(({ path }) => path));
  const copied = inPlace ? [] : (kept?.paths ?? []).filter((path) => !gone.has(path) && !made.has(path));
  for (const path of [...copied, ...made]) await refuseLinks(out, path);
  if (!force && !inPlace)
    for (const { path, text } of files) {
      const there = join(out, path);
      if (existsSync(there) && (await readFile(there, 'utf8')) !== text)
        throw new CliFailure(
          1,
          `${there} is there already`,
          'name another folder with --out, or write over it with --force',
        );
    }
  for (const path of copied) {
    await mkdir(dirname(join(out, path)), { recursive: true });
    await copyFile(join(kept?.root ?? out, path), join(out, path), force ? 0 : constants.COPYFILE_EXCL);
  }
  for (const { path, text } of files) await writeText(join(out, path), text);
  if (inPlace) for (const path of gone) await rm(join(out, path), { force: true });
  return [...made];
}

/** A folder with files that Git does not have as they are: what an import does to them could not be taken back. */
async function refuseUsed(out: string): Promise<void> {
  const entries = await readdir(out).catch(() => []);
  if (entries.length === 0) return;
  const run = promisify(execFile);
  const status = await run('git', ['-C', out, 'status', '--porcelain', '--', '.']).catch(() => undefined);
  if (!status) throw new CliFailure(1, `${out} is neither empty nor a checkout`, 'name a new folder with --out');
  if (status.stdout.trim() !== '')
    throw new CliFailure(
      1,
      `${out} has changes that are not committed`,
      'commit them first, or write over them with --force',
    );
}

/** Neither the file nor a folder above it may be a link: it could lead anywhere. */
async function refuseLinks(out: string, path: string): Promise<void> {
  let at = out;
  for (const part of path.split('/')) {
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (!found) return;
    if (found.isSymbolicLink()) throw new CliFailure(1, `${at} is a symbolic link; nothing is written through it`);
  }
}

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}
