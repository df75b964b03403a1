/** `plumb cp`: files and folders to and from a container, by the `tar` in it. */
import { stat } from 'node:fs/promises';
import { basename, posix, resolve } from 'node:path';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { EXEC_UPGRADE, type ExecResult } from '../../contracts/agent/index.ts';
import { extract } from '../archive/extract.ts';
import { readTar } from '../archive/read-tar.ts';
import { TarError } from '../archive/tar-format.ts';
import { writeTar } from '../archive/write-tar.ts';
import { runSession, type SessionStreams } from '../container-session.ts';
import { type ControlPlaneClient, controlPlane } from '../control-plane.ts';
import { CliFailure } from '../failure.ts';
import { containerOutput, progress } from '../print/terminal.ts';
import { objectPath } from './get.ts';

export interface CpOptions {
  readonly home?: string;
  readonly namespace: string;
  readonly container?: string;
  /** False for `--no-preserve`. */
  readonly preserve: boolean;
}

/** A place in a container. */
interface Remote {
  readonly namespace: string;
  readonly pod: string;
  readonly path: string;
}

/** Told of what is left out: a container may send any number. */
const MOST_NOTES = 20;

/**
 * One of the two is `[NAMESPACE/]POD:PATH`. Links are not followed and, from a container, not made. CliFailure when not
 * all of it was copied.
 */
export async function cp(from: string, to: string, options: CpOptions): Promise<void> {
  const [source, target] = [placeOf(from, options.namespace), placeOf(to, options.namespace)];
  if ((typeof source === 'string') === (typeof target === 'string'))
    throw new CliFailure(2, 'one of the two must be in a container: [NAMESPACE/]POD:PATH');
  const client = controlPlane(options.home);
  if (typeof source === 'string') await upload(client, source, target as Remote, options);
  else await download(client, source, target as string, options);
}

/** A path of this machine, or a place in a container. Source: kubectl's `extractFileSpec`. */
export function placeOf(word: string, namespace: string): string | Remote {
  if (word === '') throw new CliFailure(2, 'a path is missing');
  const colon = word.indexOf(':');
  // `./a:b` is a file's name.
  if (colon < 0 || /^[./]/.test(word)) return word;
  const [pod, own, ...rest] = word.slice(0, colon).split('/').reverse();
  const path = word.slice(colon + 1);
  if (!pod || own === '' || rest.length > 0)
    throw new CliFailure(2, `${JSON.stringify(word)} is no place in a container: write [NAMESPACE/]POD:PATH`);
  if (path === '') throw new CliFailure(2, `${JSON.stringify(word)} has no path behind the colon`);
  return { namespace: own ?? namespace, pod, path };
}

/** What is asked of the container's `tar`, and the names that it then puts in front of every path. */
export function archiveCommand(path: string): { readonly command: readonly string[]; readonly top: readonly string[] } {
  const normal = posix.normalize(path).replace(/(?<=.)\/$/, '');
  const base = posix.basename(normal);
  if (base === '' || base === '.' || base === '..') return { command: ['tar', 'cf', '-', '-C', normal, '.'], top: [] };
  return { command: ['tar', 'cf', '-', '-C', posix.dirname(normal), `./${base}`], top: [base] };
}

async function download(client: ControlPlaneClient, source: Remote, target: string, options: CpOptions): Promise<void> {
  const { command, top } = archiveCommand(source.path);
  const archive = new PassThrough();
  let left = 0;
  const note = (line: string): void => {
    left += 1;
    if (left <= MOST_NOTES) progress(`note: ${line}`);
  };
  const extracted = extract(readTar(archive), { top, target, note });
  // Nobody reads on: the session ends, as of any pipe.
  archive.on('error', () => undefined);
  extracted.catch((error: Error) => archive.destroy(error));
  const [session, outcome] = await Promise.allSettled([
    inContainer(client, source, command, options, { stdout: archive }).finally(() => archive.end()),
    extracted,
  ]);
  if (session.status === 'fulfilled') succeeded(session.value, source);
  // An archive that was cut off says less than what cut it off.
  if (outcome.status === 'rejected' && !(outcome.reason instanceof TarError)) throw outcome.reason;
  if (session.status === 'rejected') throw session.reason;
  if (outcome.status === 'rejected') throw outcome.reason;
  if (left > MOST_NOTES) progress(`note: ${left - MOST_NOTES} more were left out`);
  if (outcome.value === 0) throw new CliFailure(1, `nothing of ${source.pod}:${source.path} was copied`);
}

async function upload(client: ControlPlaneClient, source: string, target: Remote, options: CpOptions): Promise<void> {
  await stat(source).catch(() => {
    throw new CliFailure(1, `there is no ${source} on this machine`);
  });
  const isFolder =
    target.path.endsWith('/') ||
    (await inContainer(client, target, ['test', '-d', target.path], options, {})).exitCode === 0;
  const path = isFolder ? posix.join(target.path, basename(resolve(source))) : posix.normalize(target.path);
  const flags = options.preserve ? [] : ['--no-same-permissions', '--no-same-owner'];
  const command = ['tar', ...flags, '-xmf', '-', '-C', posix.dirname(path)];
  const archive = Readable.from(
    writeTar(source, posix.basename(path), (line) => progress(`note: ${line}`)),
    {
      objectMode: false,
    },
  );
  // Without its end the container would take what came for all of it.
  const failed = new Promise<never>((_resolve, reject) => archive.once('error', reject));
  failed.catch(() => undefined);
  const session = inContainer(client, target, command, options, { stdin: archive });
  try {
    succeeded(await Promise.race([session, failed]), target);
  } finally {
    archive.destroy();
  }
}

async function inContainer(
  client: ControlPlaneClient,
  { namespace, pod }: Remote,
  command: readonly string[],
  { container }: CpOptions,
  { stdin, stdout }: Partial<SessionStreams>,
): Promise<ExecResult> {
  const query = new URLSearchParams(command.map((word): [string, string] => ['command', word]));
  if (container !== undefined) query.set('container', container);
  if (stdin) query.set('stdin', 'true');
  const socket = await client.upgrade(`${objectPath('Pod', namespace, pod)}/exec?${query.toString()}`, EXEC_UPGRADE);
  stdout?.once('close', () => {
    if (stdout.errored) socket.destroy();
  });
  stdin?.once('error', () => socket.destroy());
  const stderr = containerOutput(process.stderr, false);
  const nowhere: Writable = new PassThrough().resume();
  try {
    return await runSession(socket, { ...(stdin && { stdin }), stdout: stdout ?? nowhere, stderr });
  } finally {
    stderr.end();
  }
}

function succeeded({ exitCode, message }: ExecResult, { pod, path }: Remote): void {
  if (exitCode === 0) return;
  throw new CliFailure(
    1,
    `${pod}:${path}: ${message ?? `tar ended with ${exitCode}`}`,
    message === undefined ? undefined : 'the container needs a program `tar`',
  );
}
