/**
 * Where a repository on this machine keeps its objects and its HEAD. Source: gitrepository-layout(5), git-worktree(1),
 * "Details".
 */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { splitCredentials } from './credentials.ts';

export interface FoundRepository {
  /** The folder with objects and refs. */
  readonly gitdir: string;
  /** The folder with HEAD: of a linked work tree one of its own, otherwise `gitdir`. */
  readonly headDir: string;
}

/**
 * The repository of a bare one's folder, or of the root of a work tree, a linked one or a submodule's too; undefined
 * where there is none.
 */
export async function findRepository(path: string): Promise<FoundRepository | undefined> {
  for (const candidate of [await linked(join(path, '.git')), join(path, '.git'), path]) {
    if (candidate === undefined || !existsSync(join(candidate, 'HEAD'))) continue;
    const common = await firstLine(join(candidate, 'commondir'));
    const gitdir = common === undefined ? candidate : resolve(candidate, common);
    if ((await stat(join(gitdir, 'objects')).catch(() => undefined))?.isDirectory())
      return { gitdir, headDir: candidate };
  }
  return undefined;
}

/** The branch or the commit that is checked out; neither where HEAD cannot be read. */
export async function readHead(headDir: string): Promise<{ readonly branch?: string; readonly commit?: string }> {
  const line = (await firstLine(join(headDir, 'HEAD'))) ?? '';
  const branch = /^ref: refs\/heads\/(\S+)$/.exec(line)?.[1];
  if (branch !== undefined) return { branch };
  return /^[0-9a-f]{40}$/.test(line) ? { commit: line } : {};
}

/**
 * Where a clone on this machine is from, without credentials; its own path where it is none. URLs of submodules are
 * relative to it: gitmodules(5).
 */
export async function readOrigin(path: string): Promise<string> {
  const found = await findRepository(path);
  const config = found && (await textOf(join(found.gitdir, 'config')));
  const section = /^\s*\[remote "origin"\]([^[]*)/m.exec(config ?? '')?.[1] ?? '';
  const url = /^\s*url\s*=\s*"?([^"\n]+?)"?\s*$/m.exec(section)?.[1];
  return url === undefined ? path : splitCredentials(url).url;
}

/** What a `.git` that is a file points at. */
async function linked(file: string): Promise<string | undefined> {
  const target = /^gitdir: (.+)$/.exec((await firstLine(file)) ?? '')?.[1];
  return target === undefined ? undefined : resolve(file, '..', target);
}

/** Longer than any path, and than any of these files. */
const MAX_BYTES = 16 * 1024;

async function firstLine(path: string): Promise<string | undefined> {
  return (await textOf(path))?.split('\n', 1)[0]?.trimEnd();
}

async function textOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() && found.size <= MAX_BYTES ? readFile(path, 'utf8') : undefined;
}
