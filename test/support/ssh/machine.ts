/**
 * A machine of its own within this one: its own mounts (/etc, /opt, /run, /var/lib, /var/log are private), processes
 * and network. A port of this one leads to an sshd in it. Ending its first process ends everything in it.
 */
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { SshTarget } from '../../../reconciler/ports/node-transport.ts';
import { makeFolder } from '../folder.ts';
import { whenInterrupted } from '../interruption.ts';
import { tied } from '../tied.ts';

/** Runs as the first process: prepares the mounts, says so, and stays. $1: folder of the test. */
const FIRST_PROCESS = `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/containerd /run/etc/upper /run/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
for d in /opt /var/lib /var/log; do mount -t tmpfs tmpfs "$d"; done
mkdir -p /opt/cni/bin; ln -s /usr/lib/cni/loopback /opt/cni/bin/loopback
ln -s "$1/containerd.sock" /run/containerd/containerd.sock
ip link set lo up
echo ready
trap 'exit 0' TERM
while :; do sleep 1000 & wait $!; done
`;

export interface TestMachine {
  /** On this machine and, at the same path, in the other. */
  readonly folder: string;
  readonly privateKey: string;
  target(name: string): SshTarget;
  /** Runs a command inside; its output. Throws when it fails. */
  inside(...argv: readonly string[]): string;
  dropConnections(): void;
  /**
   * From now on nothing passes and nothing is closed, as when its power is cut; connections are still taken, and never
   * answered. Resolves when something was sent that will not be answered.
   */
  silence(): Promise<void>;
  /** New connections are served again; those of before stay silent, as when a firewall forgot them. */
  speak(): void;
  /** Connections that the other side has not ended. */
  connections(): number;
  stop(): Promise<void>;
}

/** `address`: the one of this machine that is reached, which must be there. */
export async function startMachine(address = '127.0.0.1'): Promise<TestMachine> {
  const folder = makeFolder('plumb-machine-');
  for (const name of ['client', 'host'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(folder, name)]);
  const publicKey = (name: string): string =>
    readFileSync(join(folder, `${name}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ');
  writeFileSync(join(folder, 'authorized_keys'), `${publicKey('client')}\n`, { mode: 0o600 });
  const config = join(folder, 'sshd_config');
  writeFileSync(
    config,
    [
      `HostKey ${join(folder, 'host')}`,
      `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'UsePAM no',
      // What root has in its home here is not the other machine's, and may take its time.
      `SetEnv HOME=${folder}`,
      'LogLevel ERROR',
      '',
    ].join('\n'),
  );
  // Somebody has to listen where containerd would; the agent finds nobody who speaks and says so in its report.
  const containerd = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => containerd.listen(join(folder, 'containerd.sock'), resolve));

  const [program, ...args] = tied(
    'unshare',
    '--mount',
    '--net',
    '--pid',
    '--uts',
    '--ipc',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    FIRST_PROCESS,
    'sh',
    folder,
  );
  const first = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = new Promise((resolve) => first.once('exit', resolve));
  const forget = whenInterrupted(`the machine in ${folder}`, async () => {
    first.kill('SIGKILL');
    await gone;
  });
  let complaint = '';
  first.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    first.stdout.once('data', () => resolve());
    first.once('exit', (code) => reject(new Error(`the machine ended at its start with code ${code}: ${complaint}`)));
  });
  const pid = Number(readFileSync(`/proc/${first.pid}/task/${first.pid}/children`, 'utf8').trim());
  const enter = ['--target', String(pid), '--mount', '--net', '--pid', '--uts', '--ipc', '--'];

  /** With its sshd, while anything passes. */
  const sockets = new Map<Socket, ChildProcessByStdio<Writable, Readable, null> | undefined>();
  let silent = false;
  let unanswered = (): void => undefined;
  // Half-open, so that silence does not even answer a goodbye.
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
    });
    if (silent) {
      sockets.set(socket, undefined);
      socket.on('data', () => unanswered());
      return;
    }
    const sshd = spawn('nsenter', [...enter, '/usr/sbin/sshd', '-i', '-f', config], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    sockets.set(socket, sshd);
    socket.setNoDelay(true).pipe(sshd.stdin);
    sshd.stdout.pipe(socket);
    socket.on('end', () => {
      if (!silent) socket.end();
    });
    for (const stream of [sshd.stdin, sshd.stdout]) stream.on('error', () => socket.destroy());
    socket.on('close', () => {
      sshd.kill('SIGKILL');
    });
    sshd.on('exit', () => {
      if (!silent) socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;

  return {
    folder,
    privateKey: readFileSync(join(folder, 'client'), 'utf8'),
    target: (name) => ({ name, address, port, user: 'root', hostKey: publicKey('host') }),
    inside: (...argv) => execFileSync('nsenter', [...enter, ...argv], { encoding: 'utf8' }),
    dropConnections() {
      for (const socket of sockets.keys()) socket.destroy();
    },
    async silence() {
      silent = true;
      const sent = new Promise<void>((resolve) => {
        unanswered = resolve;
      });
      for (const [socket, sshd] of sockets) {
        socket.unpipe();
        sshd?.stdout.unpipe();
        socket.on('data', () => unanswered()).resume();
      }
      await sent;
    },
    speak() {
      silent = false;
    },
    connections: () => [...sockets.keys()].filter((socket) => !socket.readableEnded).length,
    async stop() {
      for (const socket of sockets.keys()) socket.destroy();
      await Promise.all([server, containerd].map((each) => new Promise((resolve) => each.close(resolve))));
      process.kill(pid, 'SIGKILL');
      await gone;
      forget();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
