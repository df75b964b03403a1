/** A real sshd of its own on 127.0.0.1: own configuration, keys and port, ended by its own process id. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SshTarget } from '../../../reconciler/ports/node-transport.ts';
import { makeFolder } from '../folder.ts';
import { freePort } from '../free-port.ts';
import { whenInterrupted } from '../interruption.ts';
import { tied } from '../tied.ts';

export interface TestSshd {
  readonly folder: string;
  readonly port: number;
  /** `TYPE BASE64` of the key in use. */
  readonly hostKey: string;
  /** Client key that is let in, and one that is not. */
  readonly privateKey: string;
  readonly strangerKey: string;
  target(over?: Partial<SshTarget>): SshTarget;
  /** Ends every open connection, keeps listening. */
  dropConnections(): void;
  /** Stops, makes another host key, listens again on the same port. */
  changeHostKey(): Promise<string>;
  stop(): Promise<void>;
}

export interface SshdSettings {
  readonly streamLocal?: boolean;
  /** Program and arguments that sshd is started through, such as `unshare --mount`. */
  readonly wrapper?: readonly string[];
}

export async function startSshd(settings: SshdSettings = {}): Promise<TestSshd> {
  const folder = makeFolder('plumb-sshd-');
  const makeKey = (name: string): string => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(folder, name)]);
    return readFileSync(join(folder, name), 'utf8');
  };
  const publicKey = (name: string): string =>
    readFileSync(join(folder, `${name}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ');
  const privateKey = makeKey('client');
  const strangerKey = makeKey('stranger');
  makeKey('host-1');
  writeFileSync(join(folder, 'authorized_keys'), `${publicKey('client')}\n`, { mode: 0o600 });
  mkdirSync('/run/sshd', { recursive: true });
  const port = await freePort();
  let generation = 1;
  let child: ChildProcess | undefined;

  const listen = async (): Promise<void> => {
    const config = join(folder, 'sshd_config');
    writeFileSync(
      config,
      [
        'ListenAddress 127.0.0.1',
        `Port ${port}`,
        `HostKey ${join(folder, `host-${generation}`)}`,
        `PidFile ${join(folder, 'pid')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
        'StrictModes no',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'PermitRootLogin prohibit-password',
        'UsePAM no',
        // What root has in its home here is not the other machine's, and may take its time.
        `SetEnv HOME=${folder}`,
        `AllowStreamLocalForwarding ${settings.streamLocal === false ? 'no' : 'yes'}`,
        'LogLevel ERROR',
        '',
      ].join('\n'),
    );
    const [program, ...args] = tied(...(settings.wrapper ?? []), '/usr/sbin/sshd', '-D', '-e', '-f', config);
    child = spawn(program, args, { stdio: 'ignore' });
    const listening = child;
    await answers(port, () => hasEnded(listening));
  };
  const end = async (): Promise<void> => {
    const running = child;
    if (!running || hasEnded(running)) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    const connections = descendants(running.pid ?? 0);
    running.kill('SIGTERM');
    for (const pid of connections) kill(pid);
    await gone;
  };
  const forget = whenInterrupted(`the sshd in ${folder}`, end);
  await listen();
  return {
    folder,
    port,
    privateKey,
    strangerKey,
    get hostKey() {
      return publicKey(`host-${generation}`);
    },
    target(over = {}) {
      return {
        name: 'loop',
        address: '127.0.0.1',
        port,
        user: 'root',
        hostKey: publicKey(`host-${generation}`),
        ...over,
      };
    },
    dropConnections() {
      for (const pid of descendants(child?.pid ?? 0)) if (commandOf(pid).startsWith('sshd: ')) kill(pid);
    },
    async changeHostKey() {
      await end();
      generation += 1;
      makeKey(`host-${generation}`);
      await listen();
      return publicKey(`host-${generation}`);
    },
    async stop() {
      await end();
      forget();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    /* ended by itself */
  }
}

/** All processes below one, children of children too. */
function descendants(pid: number): number[] {
  let children: number[] = [];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    /* ended */
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

async function answers(port: number, failed: () => boolean): Promise<void> {
  for (;;) {
    if (failed()) throw new Error('sshd ended at its start');
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await delay(10);
  }
}
