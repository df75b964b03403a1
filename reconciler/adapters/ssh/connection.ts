/** One SSH connection behind the port `NodeConnection`. */
import { isIPv4, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { Client } from 'ssh2';
import { RetryableError } from '../../core/errors.ts';
import type { CommandResult, HttpAnswer, HttpQuestion, NodeConnection, SshTarget } from '../../ports/node-transport.ts';
import type { OpenClient } from './client.ts';
import { Commands } from './commands.ts';
import { ChannelHttp } from './http.ts';
import { SessionSlots } from './session-slots.ts';
import { SocketChannels } from './socket-channels.ts';

/** One below sshd's default MaxSessions, so that a person's own multiplexed session still fits. */
const SESSIONS = { total: 9, streams: 5 } as const;

export class SshNodeConnection implements NodeConnection {
  readonly target: SshTarget;
  readonly remoteAddress: string | undefined;
  readonly closed: Promise<Error | undefined>;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #commands: Commands;
  readonly #http: ChannelHttp;
  #closing = false;

  /**
   * `bridgeRuntime`: a Node.js on the machine, for where sshd forwards no sockets and has no other program to bridge
   * with.
   */
  constructor({ client, socket }: OpenClient, target: SshTarget, bridgeRuntime: string) {
    const slots = new SessionSlots(SESSIONS);
    const where = `${target.user}@${target.address}:${target.port}`;
    this.target = target;
    // A socket of both families writes an IPv4 address as an IPv6 one (RFC 4291, 2.5.5.2).
    const remote = socket.remoteAddress?.replace(/^::ffff:/, '');
    this.remoteAddress = remote !== undefined && isIPv4(remote) ? remote : undefined;
    this.#client = client;
    this.#socket = socket;
    this.#commands = new Commands(client, slots, where);
    this.#http = new ChannelHttp(new SocketChannels(client, slots, bridgeRuntime));
    this.closed = new Promise((resolve) => {
      let last: Error | undefined;
      client.on('error', (error) => {
        last = error;
      });
      client.once('close', () => {
        this.#http.close();
        resolve(
          this.#closing
            ? undefined
            : new RetryableError(
                'ConnectionLost',
                `${where}: the connection was lost${last ? `: ${last.message}` : ''}`,
                { cause: last },
              ),
        );
      });
    });
  }

  /** What has to be done once before the first call. */
  async prepare(signal: AbortSignal): Promise<void> {
    await this.#commands.turnNagleOff(signal);
  }

  async run(
    argv: readonly string[],
    options: { readonly stdin?: string | Readable; readonly signal: AbortSignal },
  ): Promise<CommandResult> {
    return this.#commands.run(argv, options.stdin, options.signal);
  }

  async upload(path: string, content: Buffer | Readable, mode: number, signal: AbortSignal): Promise<void> {
    await this.#commands.upload(path, content, mode, signal);
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

  async httpUpgrade(socket: string, path: string, protocol: string, signal: AbortSignal): Promise<Duplex> {
    return this.#http.upgrade(socket, path, protocol, signal);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#http.close();
    this.#client.end();
    // The goodbye is on its way or never will be. Not the client's own destroy: that does nothing after a goodbye, and
    // a machine that is gone never answers it.
    this.#socket.destroy();
    await this.closed;
  }
}
