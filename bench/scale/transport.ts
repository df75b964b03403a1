/**
 * The port `NodeTransport` without SSH: a Unix socket for each node, channels over it, and the HTTP client of the SSH
 * adapter over those. A machine's port is the number of its fleet's socket; the first line says which node is meant, and
 * is answered where that one is switched on.
 */
import { connect, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { ChannelHttp } from '../../reconciler/adapters/ssh/http.ts';
import { RetryableError } from '../../reconciler/core/errors.ts';
import type {
  CommandResult,
  HttpAnswer,
  HttpQuestion,
  NodeConnection,
  NodeTransport,
  SshTarget,
} from '../../reconciler/ports/node-transport.ts';
import { Channels } from './channels.ts';
import { fleetSocket } from './names.ts';

const CONNECT_MS = 10_000;
/** What a prepared machine says of itself. */
const FACTS = 'machine=x86_64\nuid=0\ninit=systemd\nglibc=yes\ngzip=yes\ncontainerd=yes\n';

export class ChannelTransport implements NodeTransport {
  readonly #dir: string;
  readonly #open = new Set<ChannelConnection>();

  /** `dir` has the fleets' sockets. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  async connect(target: SshTarget, signal: AbortSignal): Promise<NodeConnection> {
    const socket = await dial(fleetSocket(this.#dir, target.port), target, signal);
    const connection = new ChannelConnection(target, socket);
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
    return connection;
  }

  async scanHostKey(): Promise<string> {
    throw new Error('the nodes of this benchmark have no host keys');
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }
}

class ChannelConnection implements NodeConnection {
  readonly target: SshTarget;
  /** Their Machines say where they are. */
  readonly remoteAddress = undefined;
  readonly closed: Promise<Error | undefined>;
  readonly #socket: Socket;
  readonly #http: ChannelHttp;
  #closing = false;

  constructor(target: SshTarget, socket: Socket) {
    this.target = target;
    this.#socket = socket;
    const channels = new Channels(socket, (channel) => channel.destroy());
    this.#http = new ChannelHttp({ open: async () => channels.open(), isLasting: () => true });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#http.close();
        resolve(
          this.#closing ? undefined : new RetryableError('ConnectionLost', `${target.name}: the connection was lost`),
        );
      });
    });
  }

  async run(): Promise<CommandResult> {
    return { code: 0, stdout: FACTS, stderr: '' };
  }

  async upload(): Promise<void> {
    throw new Error('nothing is put on the nodes of this benchmark');
  }

  async http(socket: string, request: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
    return this.#http.request(socket, request, signal);
  }

  async httpStream(
    socket: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Readable }> {
    return this.#http.stream(socket, path, signal);
  }

  async httpUpgrade(): Promise<Duplex> {
    throw new Error('the nodes of this benchmark run no commands');
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#socket.destroy();
    await this.closed;
  }
}

async function dial(path: string, target: SshTarget, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect(path);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      end();
      socket.destroy();
      reject(new RetryableError('NodeUnreachable', `${target.name} cannot be reached: ${why}`));
    };
    const timer = setTimeout(() => {
      fail('no answer');
    }, CONNECT_MS);
    const abort = (): void => {
      end();
      socket.destroy();
      reject(signal.reason as Error);
    };
    const refused = (error: Error): void => {
      fail(error.message);
    };
    const closed = (): void => {
      fail('it closed the connection');
    };
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('error', refused).off('close', closed);
      socket.on('error', () => undefined);
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', refused).on('close', closed);
    socket.write(`${target.name}\n`);
    socket.once('data', () => {
      end();
      resolve(socket);
    });
  });
}
