/** How the control plane reaches a machine: one SSH connection that carries commands, files and the agent's HTTP. */
import type { Duplex, Readable } from 'node:stream';

export interface SshTarget {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** `TYPE BASE64`; any other key ends the connection with TerminalError `HostKeyChanged`. */
  readonly hostKey: string;
}

export interface NodeTransport {
  /**
   * Connects with the control plane's key. RetryableError `NodeUnreachable`, TerminalError `HostKeyChanged`,
   * TerminalError `AuthenticationFailed`.
   */
  connect(target: SshTarget, signal: AbortSignal): Promise<NodeConnection>;
  /** The host key that the machine shows, to pin after a person compared it. Sends no credentials. */
  scanHostKey(address: string, port: number, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HttpQuestion {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string | Buffer;
  /** Of the body; none when absent. */
  readonly encoding?: 'gzip';
  /** Of the answer's body; 64 KiB unless given. */
  readonly maxBytes?: number;
}

/** An answer that is read whole is short: what is long comes as a stream. */
export const SHORT_ANSWER_BYTES = 64 * 1024;

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export interface NodeConnection {
  readonly target: SshTarget;
  /**
   * IPv4 address at which the machine showed its host key: that of `target`, or what its host name stood for. Undefined
   * over IPv6.
   */
  readonly remoteAddress: string | undefined;
  /** Runs one command; argv is quoted here and nowhere else. At most 1 MiB of output is kept. */
  run(
    argv: readonly string[],
    options: { readonly stdin?: string | Readable; readonly signal: AbortSignal },
  ): Promise<CommandResult>;
  /** Writes a file: to a temporary name beside it, then renamed over it. Makes the folder. */
  upload(path: string, content: Buffer | Readable, mode: number, signal: AbortSignal): Promise<void>;
  /**
   * One HTTP request to a Unix socket on the node, over few pooled channels. RetryableError `AnswerTooLarge` for a body
   * over `maxBytes`.
   */
  http(socket: string, request: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer>;
  /** An answer whose body is read as it comes (status lines, followed logs), on a channel of its own. */
  httpStream(
    socket: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Readable }>;
  /** HTTP upgrade (exec). */
  httpUpgrade(socket: string, path: string, protocol: string, signal: AbortSignal): Promise<Duplex>;
  /** Settles, never rejects, when the connection is over; says why. */
  readonly closed: Promise<Error | undefined>;
  close(): Promise<void>;
}
