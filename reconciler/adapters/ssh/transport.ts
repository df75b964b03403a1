/** The port `NodeTransport` over ssh2. */
import { setMaxListeners } from 'node:events';
import ssh2 from 'ssh2';
import { NODE_PATHS } from '../../../contracts/agent/index.ts';
import { joinSignals } from '../../../contracts/signals.ts';
import { TerminalError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeConnection, NodeTransport, SshTarget } from '../../ports/node-transport.ts';
import { openClient, scanHostKey, type ClientSettings } from './client.ts';
import { SshNodeConnection } from './connection.ts';

export interface SshTransportOptions {
  /** OpenSSH or PEM private key, without a passphrase. */
  readonly privateKey: Buffer | string;
  readonly log: Log;
  readonly clock: Pick<Clock, 'deadline'>;
  /** Bound for connecting, the handshake and authentication together. */
  readonly connectTimeoutMs?: number;
  readonly keepaliveIntervalMs?: number;
  /** Unanswered keep-alives that end a connection. */
  readonly keepaliveCount?: number;
  /** Node.js on the machines, for where sshd forwards no sockets; the pushed one unless given. */
  readonly bridgeRuntime?: string;
}

export class SshNodeTransport implements NodeTransport {
  readonly #settings: ClientSettings;
  readonly #log: Log;
  readonly #bridgeRuntime: string;
  readonly #open = new Set<SshNodeConnection>();
  readonly #stop = new AbortController();

  /** Throws TerminalError `PrivateKeyInvalid` for a key that cannot be read. */
  constructor(options: SshTransportOptions) {
    const parsed = ssh2.utils.parseKey(options.privateKey);
    if (parsed instanceof Error)
      throw new TerminalError(
        'PrivateKeyInvalid',
        `the control plane's SSH key cannot be used: ${parsed.message}; give an OpenSSH private key without a passphrase`,
        { cause: parsed },
      );
    this.#settings = {
      privateKey: options.privateKey,
      clock: options.clock,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      keepaliveIntervalMs: options.keepaliveIntervalMs ?? 5_000,
      keepaliveCount: options.keepaliveCount ?? 3,
    };
    this.#log = options.log;
    // As many machines as there are may be connected to at once.
    setMaxListeners(0, this.#stop.signal);
    this.#bridgeRuntime = options.bridgeRuntime ?? `${NODE_PATHS.install}/current/node`;
  }

  async connect(target: SshTarget, signal: AbortSignal): Promise<NodeConnection> {
    using either = joinSignals(signal, this.#stop.signal);
    const connection = new SshNodeConnection(
      await openClient(target, this.#settings, either.signal),
      target,
      this.#bridgeRuntime,
    );
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
    try {
      await connection.prepare(either.signal);
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#log.debug('connected', { machine: target.name, address: target.address, port: target.port });
    return connection;
  }

  async scanHostKey(address: string, port: number, signal: AbortSignal): Promise<string> {
    using either = joinSignals(signal, this.#stop.signal);
    return await scanHostKey(address, port, this.#settings, either.signal);
  }

  async close(): Promise<void> {
    this.#stop.abort(new TerminalError('TransportClosed', 'the control plane is shutting down'));
    await Promise.all([...this.#open].map((connection) => connection.close()));
  }
}
