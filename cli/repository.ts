/** Reading a repository or a folder of manifests without a control plane. */
import { existsSync, lstatSync } from 'node:fs';
import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import {
  isManifestName,
  ManifestCache,
  SUBMODULE_MODE,
  type Rendering,
  type TreeFile,
} from '../reconciler/core/manifests/index.ts';
import { finish } from '../reconciler/core/paced.ts';
import { ConfigHashes } from '../reconciler/core/revisions/config-hashes.ts';
import type { AppTools } from '../reconciler/core/apps/engine.ts';
import { readGitmodules } from '../reconciler/core/apps/gitmodules.ts';
import type { SourceAnswer } from '../reconciler/core/apps/other-sources.ts';
import { resolvePath } from '../reconciler/core/apps/paths.ts';
import { type FileReader, renderFiles, type RenderOptions } from '../reconciler/core/revisions/render.ts';
import { withRenderedBranchJudged } from '../reconciler/core/revisions/rendered-branch.ts';
import { gitFileReader } from '../reconciler/ports/git-file-reader.ts';
import type { GitSource } from '../reconciler/ports/git-source.ts';
import type { RenderEngines } from '../reconciler/ports/render-engines.ts';
import { CliFailure } from './failure.ts';
import { ownHome } from './home.ts';

/** Renders a commit. */
export async function renderRevision(
  git: GitSource,
  sha: string,
  signal: AbortSignal,
  cache = new ManifestCache(),
  options: RenderOptions = {},
): Promise<Rendering> {
  const files = await git.files(sha, signal);
  const rendering = await renderFiles(files, gitFileReader(git, signal), cache, {
    tools: tools(signal),
    origin: files.some(({ mode }) => mode === SUBMODULE_MODE) ? await originOf(git.url) : git.url,
    ...options,
  });
  return withRenderedBranchJudged(hashed(rendering), git.follows);
}

/**
 * Renders the files in a folder as they are now, committed or not. What Git ignores by name alone (`.git`, hidden
 * files) is left out.
 */
export async function renderFolder(dir: string, options: RenderOptions = {}): Promise<Rendering> {
  const files = await folderFiles(dir);
  const read: FileReader = async (file, maxBytes) => {
    const handle = await open(join(dir, file.path), 'r');
    try {
      return (await handle.stat()).size > maxBytes ? 'too-large' : await handle.readFile();
    } finally {
      await handle.close();
    }
  };
  const { signal } = new AbortController();
  const checkedOut = (path: string): Promise<SourceAnswer> => checkedOutFiles(dir, path, read);
  return hashed(await renderFiles(files, read, new ManifestCache(), { tools: tools(signal), checkedOut, ...options }));
}

/** Files of a submodule as they are in the folder, at whichever commit. */
async function checkedOutFiles(dir: string, path: string, read: FileReader): Promise<SourceAnswer> {
  if (!existsSync(join(dir, path, '.git')))
    return { ok: false, message: `it is not checked out: git submodule update --init --recursive ${path}` };
  return {
    ok: true,
    commit: '',
    files: await folderFiles(join(dir, path)),
    read: (file, maxBytes) => read({ ...file, path: `${path}/${file.path}` }, maxBytes),
  };
}

async function originOf(path: string): Promise<string> {
  const { readOrigin } = await import('../reconciler/adapters/git/index.ts');
  return readOrigin(path);
}

/** Made when an App asks: most repositories have none. */
function tools(signal: AbortSignal): AppTools {
  const opened = async (): Promise<AppTools> => {
    const { openEngines } = await import('../reconciler/adapters/engines/index.ts');
    engines ??= openEngines(ownHome(undefined));
    return engines.tools(signal);
  };
  return {
    identity: async (engine) => (await opened()).identity(engine),
    run: async (call) => (await opened()).run(call),
    chart: async (source, namespace, auth) => (await opened()).chart(source, namespace, auth),
    kept: async (key) => (await opened()).kept(key),
    keep: async (key, value) => (await opened()).keep(key, value),
  };
}

let engines: RenderEngines | undefined;

/**
 * Of this process: what two revisions have in them can be compared, and nothing is told by what is shown. The control
 * plane's key is its own.
 */
const hashes = new ConfigHashes(randomBytes(32));

function hashed(rendering: Rendering): Rendering {
  return { ...rendering, state: finish(hashes.in(rendering.state)) };
}

/** The files in a folder; ids of manifests are those that Git would give them. */
async function folderFiles(dir: string): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  await collect(dir, '', files);
  files.push(...(await emptySubmodules(dir)));
  return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Submodules that nobody has checked out: Git leaves an empty folder in their place. */
async function emptySubmodules(dir: string): Promise<readonly TreeFile[]> {
  const text = await readFile(join(dir, '.gitmodules'), 'utf8').catch(() => '');
  const modules = readGitmodules(text);
  if (!modules.ok) return [];
  const found: TreeFile[] = [];
  for (const path of modules.byPath.keys()) {
    if (resolvePath('', path) !== path || path === '') continue;
    const inside = await readdir(join(dir, path)).catch(() => undefined);
    if (inside?.length === 0) found.push({ path, mode: SUBMODULE_MODE, oid: '' });
  }
  return found;
}

/** Whether the ids of a file are those of Git. */
function isYaml({ path, mode }: TreeFile): boolean {
  return mode !== '120000' && mode !== SUBMODULE_MODE && isManifestName(path) && !/(^|\/)\./.test(path);
}

/** Paths of manifests that are not in the folder as they are in the commit: changed, new or gone. */
export async function changedManifests(
  git: GitSource,
  sha: string,
  root: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const manifests = (files: readonly TreeFile[]): Map<string, string> =>
    new Map(files.filter(isYaml).map(({ path, oid }) => [path, oid]));
  const [here, there] = [manifests(await folderFiles(root)), manifests(await git.files(sha, signal))];
  return [...new Set([...here.keys(), ...there.keys()])].filter((path) => here.get(path) !== there.get(path)).sort();
}

async function collect(root: string, prefix: string, files: TreeFile[]): Promise<void> {
  for (const entry of await readdir(join(root, prefix), { withFileTypes: true })) {
    if (entry.name === '.git' || entry.name === 'node_modules') continue;
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) {
      if (existsSync(join(root, path, '.git'))) files.push({ path, mode: SUBMODULE_MODE, oid: '' });
      else await collect(root, path, files);
    } else if (entry.isSymbolicLink()) {
      files.push({ path, mode: '120000', oid: await readlink(join(root, path)) });
    } else if (entry.isFile() && isManifestName(path) && !/(^|\/)\./.test(path)) {
      files.push({ path, mode: '100644', oid: await fingerprint(join(root, path)) });
    } else if (entry.isFile()) files.push(new OtherFile(root, path));
  }
}

/** A file that is read only where an App reads it: what tells it from another one is looked at when it is asked for. */
class OtherFile implements TreeFile {
  readonly path: string;
  readonly mode = '100644';
  readonly #root: string;
  #oid: string | undefined;

  constructor(root: string, path: string) {
    this.#root = root;
    this.path = path;
  }

  get oid(): string {
    return (this.#oid ??= state(join(this.#root, this.path)));
  }
}

const FINGERPRINT_LIMIT = 1024 * 1024;

/** The blob id (Pro Git, "Git Objects"); a file too large to be a manifest is not read for it. */
async function fingerprint(path: string): Promise<string> {
  const { size } = await lstat(path);
  return size > FINGERPRINT_LIMIT
    ? state(path)
    : createHash('sha1')
        .update(`blob ${size}\0`)
        .update(await readFile(path))
        .digest('hex');
}

/** As Git's index knows a file that nobody changed: by size, time of its last change, and place on the disk. */
function state(path: string): string {
  const { size, mtimeNs, ctimeNs, ino } = lstatSync(path, { bigint: true });
  return `size-${size}-${mtimeNs}-${ctimeNs}-${ino}`;
}

/** A repository, and the root of its work tree or, where it is bare, its own folder. */
export interface Around {
  readonly git: GitSource;
  readonly root: string;
}

/** Opens the repository at `dir` or above it; undefined where there is none. */
export async function openAround(dir: string): Promise<Around | undefined> {
  const { openGitSource } = await import('../reconciler/adapters/git/index.ts');
  for (let at = resolve(dir); ; at = dirname(at)) {
    if (existsSync(join(at, '.git')) || (existsSync(join(at, 'HEAD')) && existsSync(join(at, 'objects')))) {
      return { git: await openGitSource({ url: at, engine: 'isomorphic' }), root: at };
    }
    if (dirname(at) === at) return undefined;
  }
}

/**
 * The checkout that a command edits: `--repo-dir`, else the folder with a `plumbline.yaml` at or above the current one.
 */
export function checkoutRoot(option: string | undefined): string {
  if (option !== undefined) return resolve(option);
  for (let at = process.cwd(); ; at = dirname(at)) {
    if (existsSync(join(at, 'plumbline.yaml'))) return at;
    if (dirname(at) === at)
      throw new CliFailure(
        2,
        'no plumbline.yaml here or above',
        'run this in a checkout of the repository, or name it with --repo-dir',
      );
  }
}

export function isBare(root: string): boolean {
  return !existsSync(join(root, '.git'));
}

/** Whether the folder itself is a repository to push to. */
export function isBareRepository(folder: string): boolean {
  return isBare(folder) && existsSync(join(folder, 'HEAD')) && existsSync(join(folder, 'objects'));
}
