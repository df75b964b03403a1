/** Opens an authenticated SSH client whose host key was verified, or says why not. */
import { connect as connectTcp, type Socket } from 'node:net';
import { Client, type CipherAlgorithm, type ConnectConfig } from 'ssh2';
import { RetryableError, TerminalError, type PlumbError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SshTarget } from '../../ports/node-transport.ts';
import { ALL_HOST_KEY_ALGORITHMS, fingerprint, formatHostKey, parsePinnedKey } from './host-keys.ts';

export interface ClientSettings {
  readonly privateKey: Buffer | string;
  readonly clock: Pick<Clock, 'deadline'>;
  /** Bound for everything from the TCP connect to the end of authentication, milliseconds. */
  readonly connectTimeoutMs: number;
  readonly keepaliveIntervalMs: number;
  /** Unanswered keep-alives after which the connection is over. */
  readonly keepaliveCount: number;
}

/** AES-GCM first: it is in hardware nearly everywhere. */
const CIPHERS: readonly CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes256-ctr',
];

export interface OpenClient {
  readonly client: Client;
  /** Below the client: destroying it ends everything at once, whatever the far side does. */
  readonly socket: Socket;
}

/** Errors as the port `NodeTransport.connect` promises them. */
export async function openClient(
  target: SshTarget,
  settings: ClientSettings,
  signal: AbortSignal,
): Promise<OpenClient> {
  signal.throwIfAborted();
  const pinned = parsePinnedKey(target.hostKey, target.name);
  const where = `${target.user}@${target.address}:${target.port}`;
  let shown: Buffer | undefined;
  using limit = settings.clock.deadline(settings.connectTimeoutMs, signal);
  let socket: Socket | undefined;
  const client = new Client();
  try {
    socket = await openSocket(target.address, target.port, limit.signal);
    await handshake(
      client,
      {
        sock: socket,
        username: target.user,
        privateKey: settings.privateKey,
        authHandler: ['publickey'],
        readyTimeout: 0,
        keepaliveInterval: settings.keepaliveIntervalMs,
        keepaliveCountMax: settings.keepaliveCount,
        algorithms: { serverHostKey: [...pinned.algorithms], cipher: [...CIPHERS] },
        hostVerifier: (key: Buffer) => {
          shown = key;
          return key.equals(pinned.blob);
        },
      },
      limit.signal,
    );
    return { client, socket };
  } catch (cause) {
    client.destroy();
    socket?.destroy();
    signal.throwIfAborted();
    if (limit.signal.aborted)
      throw new RetryableError(
        'NodeUnreachable',
        `${where} did not answer within ${settings.connectTimeoutMs} ms; check its address, port, power and firewall`,
        { cause },
      );
    throw connectError(cause, target, where, pinned.blob, shown);
  }
}

function connectError(
  cause: unknown,
  target: SshTarget,
  where: string,
  pinned: Buffer,
  shown: Buffer | undefined,
): PlumbError {
  const { message, level } = cause as Error & { level?: string };
  if (shown && !shown.equals(pinned)) {
    return new TerminalError(
      'HostKeyChanged',
      `${where} shows host key ${fingerprint(shown)}, expected ${fingerprint(pinned)}; if the machine was reinstalled, compare the new key on its console and write it to spec.hostKey of Machine ${target.name}`,
      { cause },
    );
  }
  if (message.includes('no matching host key')) {
    return new TerminalError(
      'HostKeyChanged',
      `${where} has no host key of the pinned type any more, expected ${fingerprint(pinned)}; compare the machine's keys on its console and write one to spec.hostKey of Machine ${target.name}`,
      { cause },
    );
  }
  if (level === 'client-authentication') {
    return new TerminalError(
      'AuthenticationFailed',
      `${where} refused the control plane's key; add its public key to ~${target.user}/.ssh/authorized_keys on that machine`,
      { cause },
    );
  }
  return new RetryableError('NodeUnreachable', `${where} cannot be reached: ${message}`, { cause });
}

/** The host key that a server shows. The connection ends before any credential is sent. */
export async function scanHostKey(
  address: string,
  port: number,
  { clock, connectTimeoutMs }: Pick<ClientSettings, 'clock' | 'connectTimeoutMs'>,
  signal: AbortSignal,
): Promise<string> {
  using limit = clock.deadline(connectTimeoutMs, signal);
  const client = new Client();
  let socket: Socket | undefined;
  let shown: string | undefined;
  try {
    socket = await openSocket(address, port, limit.signal);
    await handshake(
      client,
      {
        sock: socket,
        username: 'plumbline',
        authHandler: [],
        readyTimeout: 0,
        algorithms: { serverHostKey: [...ALL_HOST_KEY_ALGORITHMS] },
        hostVerifier: (key: Buffer) => {
          shown = formatHostKey(key);
          return false;
        },
      },
      limit.signal,
    );
  } catch (cause) {
    signal.throwIfAborted();
    if (shown !== undefined) return shown;
    const why = limit.signal.aborted ? `no answer within ${connectTimeoutMs} ms` : (cause as Error).message;
    throw new RetryableError(
      'NodeUnreachable',
      `${address}:${port} shows no host key: ${why}; check that sshd runs there`,
      { cause },
    );
  } finally {
    client.destroy();
    socket?.destroy();
  }
  throw new RetryableError('NodeUnreachable', `${address}:${port} shows no host key`);
}

async function openSocket(host: string, port: number, stop: AbortSignal): Promise<Socket> {
  stop.throwIfAborted();
  const socket = connectTcp({ host, port, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      socket.destroy();
      reject(stop.reason as Error);
    };
    stop.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => {
      stop.removeEventListener('abort', abort);
      resolve();
    });
    socket.once('error', (error) => {
      stop.removeEventListener('abort', abort);
      reject(error);
    });
  });
  return socket;
}

async function handshake(client: Client, config: ConnectConfig, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(stop.reason as Error);
    const settle = (error?: Error): void => {
      stop.removeEventListener('abort', abort);
      if (error) reject(error);
      else resolve();
    };
    if (stop.aborted) return abort();
    stop.addEventListener('abort', abort, { once: true });
    client.once('ready', () => settle());
    // Stays on: ssh2 emits 'error' once more when a socket dies during its own clean-up.
    client.on('error', settle);
    client.once('close', () => settle(new Error('the connection was closed during the handshake')));
    client.connect(config);
  });
}
