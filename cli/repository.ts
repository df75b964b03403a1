/** Reading a repository or a folder of manifests without a control plane. */
import { existsSync } from 'node:fs';
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { isManifestName, ManifestCache, type Rendering, type TreeFile } from '../reconciler/core/manifests/index.ts';
import { type FileReader, renderFiles } from '../reconciler/core/revisions/render.ts';
import { gitFileReader } from '../reconciler/ports/git-file-reader.ts';
import type { GitSource } from '../reconciler/ports/git-source.ts';
import { CliFailure } from './failure.ts';

/** Renders a commit. */
export async function renderRevision(git: GitSource, sha: string, signal: AbortSignal, cache = new ManifestCache()): Promise<Rendering> {
  return renderFiles(await git.files(sha, signal), gitFileReader(git, signal), cache);
}

/** Renders the files in a folder as they are now, committed or not. What Git ignores by name alone (`.git`, hidden files) is left out. */
export async function renderFolder(dir: string): Promise<Rendering> {
  const files: TreeFile[] = [];
  await collect(dir, '', files);
  files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const read: FileReader = async (file, maxBytes) => {
    const handle = await open(join(dir, file.path), 'r');
    try {
      return (await handle.stat()).size > maxBytes ? 'too-large' : await handle.readFile();
    } finally {
      await handle.close();
    }
  };
  return renderFiles(files, read, new ManifestCache());
}

async function collect(root: string, prefix: string, files: TreeFile[]): Promise<void> {
  for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) {
      if (existsSync(join(root, path, '.git'))) files.push({ path, mode: '160000', oid: '' });
      else await collect(root, path, files);
    } else if (entry.isSymbolicLink()) {
      files.push({ path, mode: '120000', oid: await readlink(join(root, path)) });
    } else if (entry.isFile() && isManifestName(path)) {
      files.push({ path, mode: '100644', oid: await fingerprint(join(root, path)) });
    }
  }
}

const FINGERPRINT_LIMIT = 1024 * 1024;

/** Stands for the blob id; a file too large to be a manifest is not read for it. */
async function fingerprint(path: string): Promise<string> {
  const { size } = await lstat(path);
  return size > FINGERPRINT_LIMIT ? `size-${size}` : createHash('sha1').update(await readFile(path)).digest('hex');
}

/** Opens the repository at `dir` or above it; undefined where there is none. */
export async function openAround(dir: string): Promise<{ readonly git: GitSource; readonly root: string } | undefined> {
  const { openGitSource } = await import('../reconciler/adapters/git/index.ts');
  for (let at = resolve(dir); ; at = dirname(at)) {
    if (existsSync(join(at, '.git')) || (existsSync(join(at, 'HEAD')) && existsSync(join(at, 'objects')))) {
      return { git: await openGitSource({ url: at, engine: 'isomorphic' }), root: at };
    }
    if (dirname(at) === at) return undefined;
  }
}

/** The checkout that a command edits: `--repo-dir`, else the folder with a `plumbline.yaml` at or above the current one. */
export function checkoutRoot(option: string | undefined): string {
  if (option !== undefined) return resolve(option);
  for (let at = process.cwd(); ; at = dirname(at)) {
    if (existsSync(join(at, 'plumbline.yaml'))) return at;
    if (dirname(at) === at) throw new CliFailure(2, 'no plumbline.yaml here or above', 'run this in a checkout of the repository, or name it with --repo-dir');
  }
}

export function isBare(root: string): boolean {
  return !existsSync(join(root, '.git'));
}
