/** This machine's part in a service: user, files, systemd, the repository's group. Each step may be run again. */
import {
  access,
  chmod,
  chown,
  constants,
  copyFile,
  mkdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run, runOrFail } from '../../lab/process.ts';
import { CliFailure } from '../failure.ts';
import { shellWord } from '../templates/hooks.ts';
import { sharedFolders } from './unit.ts';
import {
  COMMAND_FILE,
  CONFIG_FOLDER,
  CURRENT,
  SERVICE_HOME,
  SERVICE_USER,
  STORE,
  UNIT_FILE,
  UNIT_NAME,
} from './places.ts';

/** Folders that the unit hides from the service. */
const HIDDEN_FOLDERS = ['/home', '/root', '/run/user', '/tmp', '/var/tmp'];

export function isHidden(path: string): boolean {
  return HIDDEN_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** CliFailure 2 where there can be no service. */
export async function requireSystemd(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new CliFailure(2, 'only root can change what this machine runs', 'run it with sudo');
  if ((await stat('/run/systemd/system').catch(() => undefined)) === undefined)
    throw new CliFailure(
      2,
      'this machine was not started with systemd',
      'run `plumb up` under whatever keeps programs running here',
    );
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The service's user, made when it is missing: no password, no shell, no other group. */
export async function serviceAccount(): Promise<Account> {
  const ask = async (): Promise<Account | undefined> => {
    const { code, stdout } = await run(['getent', 'passwd', SERVICE_USER]);
    const [, , uid, gid] = stdout.split(':');
    return code === 0 ? { uid: Number(uid), gid: Number(gid) } : undefined;
  };
  const known = await ask();
  if (known) return known;
  const shell = '/usr/sbin/nologin';
  await runOrFail(['useradd', '--system', '--user-group', '--home-dir', SERVICE_HOME, '--shell', shell, SERVICE_USER]);
  const made = await ask();
  if (!made) throw new CliFailure(1, `useradd made no user ${SERVICE_USER}`);
  return made;
}

/** A file that is there at once, or as it was. */
export async function putFile(path: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { mode, flag: 'wx' });
  await chmod(fresh, mode);
  await rename(fresh, path);
}

/** Runs a program as the service's user: what that may change, root must not follow it into. */
function asService(...argv: readonly string[]): readonly string[] {
  return ['setpriv', `--reuid=${SERVICE_USER}`, `--regid=${SERVICE_USER}`, '--init-groups', '--', ...argv];
}

/** $1: folder to copy. $2: where to, as the user $3. What is there stays. */
const COPY_AS =
  'tar -C "$1" -c . | setpriv --reuid="$3" --regid="$3" --init-groups -- sh -c \'mkdir -p "$1" && tar -C "$1" -x --skip-old-files\' copy "$2"';

/** The home folder, with what Git asks of the user, and what a control plane would fetch from a registry. */
export async function prepareHome(source: string, repo: string | undefined, { uid, gid }: Account): Promise<void> {
  await mkdir(SERVICE_HOME, { recursive: true, mode: 0o700 });
  await chmod(SERVICE_HOME, 0o700);
  await chown(SERVICE_HOME, uid, gid);
  if (repo !== undefined) {
    // Whose repository it is does not matter to Git then. Source: git-config(1), safe.directory.
    const config = ['git', 'config', '--file', join(SERVICE_HOME, '.gitconfig')];
    const known = await run(asService(...config, '--get-all', 'safe.directory'));
    if (!known.stdout.split('\n').includes(repo))
      await runOrFail(asService(...config, '--add', 'safe.directory', repo));
  }
  for (const name of ['runtime', 'engines']) {
    const from = join(source, '.cache', name);
    if ((await stat(from).catch(() => undefined))?.isDirectory())
      await runOrFail(['sh', '-c', COPY_AS, 'copy', from, join(SERVICE_HOME, name), SERVICE_USER]);
  }
}

/**
 * Shares the objects and refs of a repository of this machine with the service's group. Its
 * hooks call the installed program from now on. CliFailure 2 where the service could not see it.
 */
export async function shareRepository(given: string, node: string, { gid }: Account): Promise<string> {
  const repo = await realpath(given).catch(() => {
    throw new CliFailure(2, `${given} is not there`, 'make it first: plumb init --bare DIR');
  });
  if (isHidden(repo))
    throw new CliFailure(
      2,
      `the service does not see ${repo}: ${HIDDEN_FOLDERS.join(', ')} are hidden from it`,
      'move the repository, to /srv for example',
    );
  const objects = join(repo, 'objects');
  if (!(await stat(objects).catch(() => undefined))?.isDirectory())
    throw new CliFailure(2, `${repo} is no bare repository`, 'make one to push to: plumb init --bare DIR');
  await runOrFail(['git', 'config', '--file', join(repo, 'config'), 'core.sharedRepository', 'group']);
  for (const folder of sharedFolders(repo)) await share(folder, gid);
  for (const [flag, path] of [
    ['-w', objects],
    ['-r', join(repo, 'HEAD')],
  ] as const) {
    const { code } = await run(asService('test', flag, path));
    if (code !== 0)
      throw new CliFailure(
        2,
        `the user ${SERVICE_USER} cannot use ${path}`,
        'it, or a folder above it, is closed to others',
      );
  }
  for (const name of ['pre-receive', 'post-receive']) {
    const path = join(repo, 'hooks', name);
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.includes('plumb init --bare'))
      await putFile(path, withProgram(text, node, join(CURRENT, 'bin', 'plumb.mjs')), 0o755);
  }
  return repo;
}

const SETGID = 0o2000;
const GROUP_WRITES = 0o070;

/** One that is shared already is left alone: what the service may change, root must not go through. */
async function share(folder: string, gid: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const found = await stat(folder);
  const wanted = SETGID | GROUP_WRITES;
  if (found.gid === gid && (found.mode & wanted) === wanted) return;
  await runOrFail(['chgrp', '-R', SERVICE_USER, folder]);
  await runOrFail(['chmod', '-R', 'g+rwX', folder]);
  // The folder itself last: until then the work is not done.
  await runOrFail(['find', folder, '-depth', '-type', 'd', '-exec', 'chmod', 'g+s', '{}', '+']);
}

/** A hook of ours that calls another Node.js and another program. */
export function withProgram(hook: string, node: string, cli: string): string {
  return hook
    .replace(/^node=.*$/m, () => `node=${shellWord(node)}`)
    .replace(/^cli=.*$/m, () => `cli=${shellWord(cli)}`);
}

/** A Node.js that the service's user can run: the one that runs this, or a copy of it in the store. */
export async function reachableNode(): Promise<string> {
  const node = await realpath(process.execPath);
  const isOpen = await Promise.all(
    ancestors(node).map((path) => stat(path).then(({ mode, uid }) => (mode & 0o001) !== 0 && uid === 0)),
  );
  if (!isHidden(node) && isOpen.every(Boolean)) return process.execPath;
  const copy = join(STORE, `node-${process.versions.node}`);
  await mkdir(STORE, { recursive: true });
  await copyFile(node, `${copy}.new`);
  await chmod(`${copy}.new`, 0o755);
  await rename(`${copy}.new`, copy);
  return copy;
}

function ancestors(path: string): readonly string[] {
  return path === '/' ? [path] : [path, ...ancestors(dirname(path))];
}

/** Puts the command on PATH. Somebody else's file of that name is left alone. */
export async function putCommand(node: string): Promise<void> {
  const target = join(CURRENT, 'bin', 'plumb.mjs');
  const text = `#!/bin/sh\n# Written by \`plumb up --install\`.\nexec ${shellWord(node)} ${target} "$@"\n`;
  const before = await readFile(COMMAND_FILE, 'utf8').catch(() => undefined);
  if (before !== undefined && !before.includes('plumb up --install'))
    throw new CliFailure(1, `${COMMAND_FILE} is somebody else's`, 'move it away, and run this again');
  await putFile(COMMAND_FILE, text, 0o755);
}

export async function reloadAndRestart(): Promise<void> {
  await runOrFail(['systemctl', 'daemon-reload']);
  await runOrFail(['systemctl', 'enable', '--quiet', UNIT_NAME]);
  await runOrFail(['systemctl', 'restart', UNIT_NAME]);
}

/** What systemd knows of the unit's process (`pid` 0: none runs), and its `restarts` by itself since the unit was started last. */
export async function processOf(): Promise<{ readonly pid: number; readonly restarts: number }> {
  const { stdout } = await run(['systemctl', 'show', UNIT_NAME, '--property', 'MainPID,NRestarts']);
  const valueOf = (name: string): number => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
  return { pid: valueOf('MainPID'), restarts: valueOf('NRestarts') };
}

/** The last lines of its journal. */
export async function lastWords(): Promise<string> {
  const { stdout } = await run(['journalctl', '-u', UNIT_NAME, '-n', '8', '--no-pager', '-o', 'cat']);
  return stdout.trim();
}

/** Takes unit, command, programs and settings away. Home folder and user stay. */
export async function removeService(): Promise<void> {
  await run(['systemctl', 'disable', '--quiet', '--now', UNIT_NAME]);
  await rm(UNIT_FILE, { force: true });
  await run(['systemctl', 'daemon-reload']);
  const ours = await readFile(COMMAND_FILE, 'utf8').then(
    (text) => text.includes('plumb up --install'),
    () => false,
  );
  if (ours) await rm(COMMAND_FILE, { force: true });
  for (const folder of [STORE, CONFIG_FOLDER]) await rm(folder, { recursive: true, force: true });
}

/** CliFailure 2 for a file that is not there, or that root cannot read. */
export async function requireFile(path: string): Promise<string> {
  return access(path, constants.R_OK)
    .then(() => realpath(path))
    .catch(() => {
      throw new CliFailure(2, `${path} cannot be read`);
    });
}
