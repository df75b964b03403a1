/** The store of installed versions: a folder each, `current` and `previous` are links. */
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rename, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { run, runOrFail } from '../../lab/process.ts';
import { CliFailure } from '../failure.ts';
import { CURRENT, PREVIOUS, STORE } from './places.ts';

/** What runs, and what it reads; of a clone nothing else. */
const NEEDED = ['package.json', 'bin', 'dist/agent.mjs', 'dist/plumb.mjs', 'dist/plumb', 'examples-repo'];
const WELCOME = ['LICENSE', 'README.md', 'docs', 'dist/THIRD-PARTY-LICENSES.txt'];
const isMap = (path: string): boolean => path.endsWith('.map');

export interface InstalledPackage {
  /** Name of its folder: version and the beginning of the hash of its files. */
  readonly id: string;
  readonly version: string;
  readonly folder: string;
}

/**
 * The package of a folder, or of a tarball that `npm pack` made; `close` removes what was unpacked. CliFailure 2 for
 * anything else.
 */
export async function openPackage(path: string): Promise<{ readonly folder: string; close(): Promise<void> }> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return { folder: resolve(path), close: () => Promise.resolve() };
  if (!found) throw new CliFailure(2, `${path} is not there`, 'name the tarball that `npm pack` made, or a folder');
  const unpacked = await mkdtemp(join(tmpdir(), 'plumb-upgrade-'));
  const close = (): Promise<void> => rm(unpacked, { recursive: true, force: true });
  const { code } = await run(['tar', '-xzf', resolve(path), '-C', unpacked, '--no-same-owner', 'package']);
  if (code === 0) return { folder: join(unpacked, 'package'), close };
  await close();
  throw new CliFailure(2, `${path} is no package that \`npm pack\` made`);
}

/**
 * Copies a package into the store, root's and readable by all, once it has shown that it runs. Safe to repeat: the same
 * files are the same id. CliFailure 1 for one that is not whole or does not run on this Node.js; nothing is changed then.
 */
export async function storePackage(source: string, node: string): Promise<InstalledPackage> {
  const { version } = await manifestOf(source);
  const id = `${version}-${(await hashOf(source)).slice(0, 12)}`;
  const folder = join(STORE, id);
  if ((await stat(folder).catch(() => undefined)) === undefined) {
    const building = `${folder}.new`;
    await rm(building, { recursive: true, force: true });
    try {
      for (const part of [...NEEDED, ...WELCOME])
        await cp(join(source, part), join(building, part), {
          recursive: true,
          dereference: true,
          filter: (path) => !isMap(path),
        }).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT' || NEEDED.includes(part)) throw error;
        });
      await runOrFail(['chown', '-R', '0:0', building]);
      await runOrFail(['chmod', '-R', 'u=rwX,go=rX', building]);
      await proveThatItRuns(building, version, node);
      await rename(building, folder);
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  }
  return { id, version, folder };
}

async function proveThatItRuns(folder: string, version: string, node: string): Promise<void> {
  const { code, stdout, stderr } = await run([node, join(folder, 'bin', 'plumb.mjs'), '--version']);
  if (code !== 0 || stdout.trim() !== version)
    throw new CliFailure(1, `version ${version} does not run on ${node}: ${stderr.trim().split('\n').at(-1) ?? ''}`);
}

/** The installed one that a link names; undefined where it names none. */
export async function installedAt(link: string): Promise<InstalledPackage | undefined> {
  const target = await readlink(link).catch(() => undefined);
  if (target === undefined) return undefined;
  const folder = resolve(STORE, target);
  const { version } = await manifestOf(folder).catch(() => ({ version: undefined }));
  return version === undefined ? undefined : { id: basename(folder), version, folder };
}

/** Makes it the one in use, and the one in use before the previous one. */
export async function switchTo(next: InstalledPackage): Promise<void> {
  const before = await installedAt(CURRENT);
  if (before && before.id !== next.id) await point(PREVIOUS, before.id);
  await point(CURRENT, next.id);
}

/** Both links as they were before {@link switchTo}. */
export async function switchBack(current: InstalledPackage, previous: InstalledPackage | undefined): Promise<void> {
  await point(CURRENT, current.id);
  if (previous) await point(PREVIOUS, previous.id);
  else await rm(PREVIOUS, { force: true });
}

/** Removes versions that neither link names. */
export async function sweepStore(): Promise<void> {
  const kept = new Set((await Promise.all([installedAt(CURRENT), installedAt(PREVIOUS)])).map((found) => found?.id));
  for (const entry of await readdir(STORE, { withFileTypes: true }))
    if (entry.isDirectory() && !kept.has(entry.name)) await rm(join(STORE, entry.name), { recursive: true });
}

/** Whether this program is an installed one. */
export async function isInStore(folder: string): Promise<boolean> {
  return (await realpath(folder)).startsWith(`${STORE}/`);
}

async function point(link: string, target: string): Promise<void> {
  const fresh = `${link}.new`;
  await mkdir(STORE, { recursive: true });
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, link);
}

async function manifestOf(folder: string): Promise<{ readonly version: string }> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
  const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
  if (name !== 'plumbline' || typeof version !== 'string' || !/^\d+\.\d+\.\d+[0-9A-Za-z.-]*$/.test(version))
    throw new CliFailure(2, `${folder} is no package of plumbline`);
  return { version };
}

/** Of names and contents of all that is needed. */
async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const part of NEEDED) {
    const path = join(folder, part);
    const names = (await stat(path).then((found) => found.isDirectory(), missing(path)))
      ? (await readdir(path, { recursive: true, withFileTypes: true }))
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .sort()
      : [path];
    for (const name of names.filter((each) => !isMap(each))) {
      const bytes = await readFile(name);
      hash.update(`${name.slice(folder.length)}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex');
}

function missing(path: string): () => never {
  return () => {
    throw new CliFailure(1, `${path} is missing: the package is not whole`, 'in a clone: npm run build');
  };
}
