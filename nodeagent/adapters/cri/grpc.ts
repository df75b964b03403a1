/** A small gRPC client over a Unix socket: one HTTP/2 connection, made on demand and made again after it broke. */
import { connect, type Socket } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';
import { GRPC_CODE, grpcFrame, GrpcMessages } from '../../core/wire/grpc-frame.ts';
import type { Header } from '../../core/wire/hpack.ts';
import { Http2Client, type Http2Event } from '../../core/wire/http2-client.ts';
import { decode, encode, type Decoded, type Encodable, type MessageTable } from '../../core/wire/protobuf.ts';
import { RuntimeError, type RuntimeFailure } from '../../ports/container-runtime.ts';

const FAILURES: Readonly<Record<number, RuntimeFailure>> = {
  [GRPC_CODE.notFound]: 'NotFound',
  [GRPC_CODE.alreadyExists]: 'AlreadyExists',
  [GRPC_CODE.deadlineExceeded]: 'Timeout',
  [GRPC_CODE.unavailable]: 'Unavailable',
  [GRPC_CODE.cancelled]: 'Cancelled',
};

export interface GrpcMethod<Req extends MessageTable, Res extends MessageTable> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Req;
  readonly response: Res;
  /** Sent along with each call. */
  readonly metadata?: readonly Header[];
  /** The longest answer that is taken; 4 MiB where it is not said. */
  readonly maxBytes?: number;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** For lists, which are as long as pods make them: as much as containerd sends in one message. */
export const LIST_BYTES = 16 * 1024 * 1024;
/** A server that does not read is given up when this much waits for it. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Gives the call up after this long; none for calls that wait for something. */
  readonly timeoutMs?: number;
}

/** One call on a connection: its messages as they come, then its end. */
interface Call {
  readonly path: string;
  readonly messages: Buffer[];
  readonly reader: GrpcMessages;
  status: string | undefined;
  statusMessage: string;
  /** Set once: nothing more comes. */
  ended: { readonly failure: Error | undefined } | undefined;
  /** Wakes the reader. */
  notify: () => void;
}

interface Connection {
  readonly socket: Socket;
  readonly http2: Http2Client;
  readonly calls: Map<number, Call>;
  /** Takes new calls. */
  open: boolean;
}

export class GrpcClient {
  private readonly socketPath: string;
  private connection: Connection | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** One request, one answer. Throws {@link RuntimeError}. */
  async unary<Req extends MessageTable, Res extends MessageTable>(
    method: GrpcMethod<Req, Res>,
    request: Encodable<Req>,
    options: CallOptions,
  ): Promise<Decoded<Res>> {
    let answer: Decoded<Res> | undefined;
    for await (const one of this.stream(method, request, options)) answer = one;
    if (answer === undefined) throw new RuntimeError('Other', `${method.path}: the runtime answered nothing`);
    return answer;
  }

  /** One request, many answers; ends when the server ends it. Throws {@link RuntimeError}. */
  async *stream<Req extends MessageTable, Res extends MessageTable>(
    method: GrpcMethod<Req, Res>,
    request: Encodable<Req>,
    options: CallOptions,
  ): AsyncGenerator<Decoded<Res>> {
    options.signal.throwIfAborted();
    const connection = this.connected();
    const call: Call = {
      path: method.path,
      messages: [],
      reader: new GrpcMessages(method.maxBytes ?? MAX_ANSWER_BYTES),
      status: undefined,
      statusMessage: '',
      ended: undefined,
      notify: () => undefined,
    };
    const id = connection.http2.request(
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', method.path],
        [':authority', 'localhost'],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
        ['user-agent', 'plumbline-agent'],
        ...(method.metadata ?? []),
      ],
      grpcFrame(encode(method.request, request)),
    );
    connection.calls.set(id, call);
    flush(connection);

    const end = (failure: Error): void => {
      call.ended ??= { failure };
      call.notify();
    };
    const abort = (): void =>
      end(new RuntimeError('Cancelled', `${method.path}: given up`, { cause: options.signal.reason }));
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(
            () =>
              end(new RuntimeError('Timeout', `${method.path}: no answer within ${(options.timeoutMs ?? 0) / 1000} s`)),
            Math.min(options.timeoutMs, LONGEST_TIMER_MS),
          );
    options.signal.addEventListener('abort', abort, { once: true });
    try {
      for (;;) {
        const message = call.messages.shift();
        if (message) yield decode(method.response, message);
        else if (call.ended) break;
        else
          await new Promise<void>((resolve) => {
            call.notify = resolve;
          });
      }
      if (call.ended.failure) throw call.ended.failure;
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
      connection.calls.delete(id);
      connection.http2.cancel(id);
      flush(connection);
    }
  }

  close(): void {
    this.connection?.socket.destroy();
    this.connection = undefined;
  }

  private connected(): Connection {
    if (this.connection?.open) return this.connection;
    const socket = connect(this.socketPath);
    const connection: Connection = { socket, http2: new Http2Client(), calls: new Map(), open: true };
    const broken = (why: string): void => {
      connection.open = false;
      socket.destroy();
      for (const call of connection.calls.values()) {
        call.ended ??= {
          failure: new RuntimeError(
            'Unavailable',
            `the container runtime does not answer at ${this.socketPath}: ${why}`,
          ),
        };
        call.notify();
      }
    };
    socket.on('data', (chunk) => {
      try {
        for (const event of connection.http2.receive(chunk)) accept(connection, event);
        flush(connection);
      } catch (cause) {
        broken(errorText(cause));
      }
    });
    socket.on('error', (cause) => broken(cause.message));
    socket.on('close', () => broken('the connection was closed'));
    this.connection = connection;
    return connection;
  }
}

function flush(connection: Connection): void {
  const bytes = connection.http2.takeOutput();
  if (bytes.length > 0 && !connection.socket.destroyed) connection.socket.write(bytes);
  if (connection.socket.writableLength > MAX_UNSENT_BYTES)
    connection.socket.destroy(new Error('it does not read what is sent'));
}

function accept(connection: Connection, event: Http2Event): void {
  if (event.type === 'goaway') {
    connection.open = false;
    for (const [id, call] of connection.calls) {
      if (id <= event.lastStream) continue;
      call.ended ??= { failure: new RuntimeError('Unavailable', `${call.path}: the runtime is closing`) };
      call.notify();
    }
    return;
  }
  const call = connection.calls.get(event.stream);
  if (!call) return;
  switch (event.type) {
    case 'data':
      try {
        call.messages.push(...call.reader.push(event.data));
      } catch (cause) {
        call.ended ??= { failure: new RuntimeError('Other', `${call.path}: ${(cause as Error).message}`) };
      }
      break;
    case 'headers':
      for (const [name, value] of event.headers) {
        if (name === 'grpc-status') call.status = value;
        if (name === 'grpc-message') call.statusMessage = value;
      }
      break;
    case 'reset':
      call.ended ??= { failure: new RuntimeError('Unavailable', `${call.path}: the answer broke off`) };
  }
  if (event.type !== 'reset' && event.last) call.ended ??= { failure: failureOf(call) };
  call.notify();
}

function failureOf(call: Call): RuntimeError | undefined {
  if (call.status === '0') return undefined;
  if (call.status === undefined) return new RuntimeError('Unavailable', `${call.path}: the answer broke off`);
  return new RuntimeError(FAILURES[Number(call.status)] ?? 'Other', percentDecoded(call.statusMessage));
}

/** gRPC percent-encodes what is not printable ASCII; a stray `%` stays as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
