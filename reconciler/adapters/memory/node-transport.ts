/**
 * The port `NodeTransport` over machines that live in this process: files are a map, programs are functions, sockets
 * are HTTP servers.
 */
import { setMaxListeners } from 'node:events';
import { IncomingMessage, request as startRequest, type Server } from 'node:http';
import { isIPv4 } from 'node:net';
import { Duplex, type Readable } from 'node:stream';
import { joinSignals, type JoinedSignal } from '../../../contracts/signals.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import { answerBody } from '../../ports/answer-body.ts';
import {
  SHORT_ANSWER_BYTES,
  type CommandResult,
  type HttpAnswer,
  type HttpQuestion,
  type NodeConnection,
  type NodeTransport,
  type SshTarget,
} from '../../ports/node-transport.ts';

export interface MemoryFile {
  readonly content: Buffer;
  readonly mode: number;
}
/** A program of a memory machine. Runs until it returns; a long one watches the signal. */
export type MemoryProgram = (
  args: readonly string[],
  stdin: Buffer,
  machine: MemoryMachine,
  signal: AbortSignal,
) => Promise<CommandResult> | CommandResult;

export class MemoryMachine {
  hostKey: string;
  /** What a host name that leads to it stands for. */
  address: string | undefined;
  /** Whether the control plane's key is let in. */
  authorized = true;
  readonly files = new Map<string, MemoryFile>();
  readonly programs = new Map<string, MemoryProgram>();
  /** What listens on which Unix socket. */
  readonly sockets = new Map<string, Server>();
  readonly connections = new Set<MemoryNodeConnection>();

  constructor(hostKey: string) {
    this.hostKey = hostKey;
  }

  /** Every connection is lost, as when the network goes away. */
  dropConnections(): void {
    for (const connection of [...this.connections])
      connection.drop(new RetryableError('ConnectionLost', `${connection.target.name}: the connection was lost`));
  }
}

export class MemoryNodeTransport implements NodeTransport {
  /** Machines that are switched on, by `address:port`. */
  readonly machines = new Map<string, MemoryMachine>();

  async connect(target: SshTarget, signal: AbortSignal): Promise<NodeConnection> {
    signal.throwIfAborted();
    const machine = this.#find(target.address, target.port);
    if (machine.hostKey !== target.hostKey)
      throw new TerminalError(
        'HostKeyChanged',
        `${target.name} shows host key ${machine.hostKey}, expected ${target.hostKey}`,
      );
    if (!machine.authorized)
      throw new TerminalError(
        'AuthenticationFailed',
        `${target.user}@${target.address}:${target.port} refused the control plane's key`,
      );
    const connection = new MemoryNodeConnection(machine, target);
    machine.connections.add(connection);
    return connection;
  }

  async scanHostKey(address: string, port: number, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    return this.#find(address, port).hostKey;
  }

  async close(): Promise<void> {
    for (const machine of this.machines.values())
      for (const connection of [...machine.connections]) await connection.close();
  }

  #find(address: string, port: number): MemoryMachine {
    const machine = this.machines.get(`${address}:${port}`);
    if (!machine) throw new RetryableError('NodeUnreachable', `${address}:${port} cannot be reached`);
    return machine;
  }
}

export class MemoryNodeConnection implements NodeConnection {
  readonly target: SshTarget;
  readonly remoteAddress: string | undefined;
  readonly closed: Promise<Error | undefined>;
  readonly #machine: MemoryMachine;
  readonly #over = new AbortController();
  readonly #streams = new Set<Duplex>();
  #settle: (error: Error | undefined) => void = () => undefined;

  constructor(machine: MemoryMachine, target: SshTarget) {
    this.#machine = machine;
    this.target = target;
    this.remoteAddress = isIPv4(target.address) ? target.address : machine.address;
    setMaxListeners(0, this.#over.signal);
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async run(
    argv: readonly string[],
    options: { readonly stdin?: string | Readable; readonly signal: AbortSignal },
  ): Promise<CommandResult> {
    using alive = this.#alive(options.signal);
    const { signal } = alive;
    const [name, ...args] = argv;
    const program = this.#machine.programs.get(name ?? '');
    if (!program) return { code: 127, stdout: '', stderr: `${name}: not found` };
    const stdin = await read(options.stdin);
    const result = await new Promise<CommandResult>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      // A program that ends because of the signal says so in its own words; the caller hears the signal's reason.
      Promise.resolve(program(args, stdin, this.#machine, signal)).then(resolve, (error: Error) =>
        reject(signal.aborted ? (signal.reason as Error) : error),
      );
    });
    const cap = 1024 * 1024;
    return {
      code: result.code,
      stdout: result.stdout.slice(0, cap),
      stderr: result.stderr.slice(0, cap - Math.min(cap, result.stdout.length)),
    };
  }

  async upload(path: string, content: Buffer | Readable, mode: number, signal: AbortSignal): Promise<void> {
    this.#throwIfOver(signal);
    const whole = await read(content);
    signal.throwIfAborted();
    this.#machine.files.set(path, { content: whole, mode });
  }

  async http(socket: string, message: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
    const response = await this.#send(
      socket,
      message.method,
      message.path,
      { connection: 'close', ...(message.encoding && { 'content-encoding': message.encoding }) },
      message.body,
      signal,
    );
    if (!('statusCode' in response)) throw new RetryableError('AgentUnreachable', 'the agent upgraded a plain request');
    return {
      status: response.statusCode ?? 0,
      body: await answerBody(response, message.maxBytes ?? SHORT_ANSWER_BYTES),
    };
  }

  async httpStream(
    socket: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Readable }> {
    const response = await this.#send(socket, 'GET', path, { connection: 'close' }, undefined, signal);
    if (!('statusCode' in response)) throw new RetryableError('AgentUnreachable', 'the agent upgraded a plain request');
    return { status: response.statusCode ?? 0, body: response };
  }

  async httpUpgrade(socket: string, path: string, protocol: string, signal: AbortSignal): Promise<Duplex> {
    const answer = await this.#send(
      socket,
      'GET',
      path,
      { connection: 'Upgrade', upgrade: protocol },
      undefined,
      signal,
    );
    if (!(answer instanceof IncomingMessage)) return answer;
    throw new RetryableError(
      'UpgradeRefused',
      `the agent answered ${answer.statusCode}: ${(await read(answer)).toString()}`,
    );
  }

  /** Ends the connection from outside. */
  drop(error: Error | undefined): void {
    this.#machine.connections.delete(this);
    this.#over.abort(error ?? new RetryableError('ConnectionLost', 'the connection is closed'));
    for (const stream of this.#streams) stream.destroy();
    this.#settle(error);
  }

  async close(): Promise<void> {
    this.drop(undefined);
  }

  #throwIfOver(signal: AbortSignal): void {
    signal.throwIfAborted();
    this.#over.signal.throwIfAborted();
  }

  #alive(signal: AbortSignal): JoinedSignal {
    this.#throwIfOver(signal);
    return joinSignals(signal, this.#over.signal);
  }

  async #send(
    socket: string,
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | Buffer | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage | Duplex> {
    this.#throwIfOver(signal);
    const server = this.#machine.sockets.get(socket);
    if (!server) throw new RetryableError('AgentUnreachable', `nothing answers on ${socket}`);
    const [near, far] = duplexPair();
    for (const end of [near, far]) {
      this.#streams.add(end);
      end.once('close', () => this.#streams.delete(end));
      end.on('error', () => undefined);
    }
    // For as long as the answer is read, or the upgraded stream is open.
    const alive = this.#alive(signal);
    near.once('close', () => {
      alive[Symbol.dispose]();
    });
    server.emit('connection', far);
    try {
      return await new Promise<IncomingMessage | Duplex>((resolve, reject) => {
        const request = startRequest({
          method,
          path,
          headers: { host: 'agent', ...headers },
          signal: alive.signal,
          createConnection: () => near,
        });
        request.on('error', reject);
        request.once('response', resolve);
        request.once('upgrade', (_response, stream, head) => {
          if (head.length > 0) stream.unshift(head);
          resolve(stream);
        });
        request.end(body);
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new RetryableError('AgentUnreachable', `the agent did not answer ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}

async function read(source: string | Buffer | Readable | undefined): Promise<Buffer> {
  if (source === undefined) return Buffer.alloc(0);
  if (typeof source === 'string') return Buffer.from(source);
  if (Buffer.isBuffer(source)) return source;
  const chunks: Buffer[] = [];
  for await (const chunk of source as AsyncIterable<Buffer>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Two ends of one pipe; destroying one ends the other. */
function duplexPair(): [Duplex, Duplex] {
  const make = (peer: () => Duplex): Duplex => {
    const end = new Duplex({
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        peer().push(chunk);
        done();
      },
      final(done) {
        peer().push(null);
        done();
      },
      destroy(error, done) {
        const other = peer();
        if (!other.destroyed) setImmediate(() => (error ? other.destroy() : other.readableEnded || other.push(null)));
        done(error);
      },
    });
    // What an HTTP server sets on its sockets.
    return Object.assign(end, {
      setTimeout: () => end,
      setNoDelay: () => end,
      setKeepAlive: () => end,
      ref: () => end,
      unref: () => end,
    });
  };
  const near: Duplex = make(() => far);
  const far: Duplex = make(() => near);
  return [near, far];
}
