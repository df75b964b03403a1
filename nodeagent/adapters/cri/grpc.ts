/** A small gRPC client over a Unix socket: one HTTP/2 connection, made on demand and made again after it broke. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { GRPC_CODE, grpcFrame, takeGrpcMessages } from '../../core/wire/grpc-frame.ts';
import { decode, encode, type Decoded, type Encodable, type MessageTable } from '../../core/wire/protobuf.ts';
import { RuntimeError, type RuntimeFailure } from '../../ports/container-runtime.ts';

// An ESM import of a builtin touches every export, and node:http2's pull in much more than is used here.
const http2 = process.getBuiltinModule('node:http2');

/** Enough for a list of thousands of containers in one flight. */
const WINDOW_BYTES = 4 * 1024 * 1024;

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
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Gives the call up after this long; none for calls that wait for something. */
  readonly timeoutMs?: number;
}

export class GrpcClient {
  private readonly socketPath: string;
  private session: ClientHttp2Session | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** One request, one answer. Throws {@link RuntimeError}. */
  async unary<Req extends MessageTable, Res extends MessageTable>(method: GrpcMethod<Req, Res>, request: Encodable<Req>, options: CallOptions): Promise<Decoded<Res>> {
    let answer: Decoded<Res> | undefined;
    for await (const one of this.stream(method, request, options)) answer = one;
    if (answer === undefined) throw new RuntimeError('Other', `${method.path}: the runtime answered nothing`);
    return answer;
  }

  /** One request, many answers; ends when the server ends it. Throws {@link RuntimeError}. */
  async *stream<Req extends MessageTable, Res extends MessageTable>(method: GrpcMethod<Req, Res>, request: Encodable<Req>, options: CallOptions): AsyncGenerator<Decoded<Res>> {
    options.signal.throwIfAborted();
    const call = this.open(method.path, options);
    let headers: IncomingHttpHeaders = {};
    call.stream.on('response', (received) => { headers = received; });
    call.stream.on('trailers', (received: IncomingHttpHeaders) => { headers = { ...headers, ...received }; });
    let buffered: Buffer = Buffer.alloc(0);
    let status: Error | undefined;
    try {
      call.stream.end(grpcFrame(encode(method.request, request)));
      for await (const chunk of call.stream as AsyncIterable<Buffer>) {
        const taken = takeGrpcMessages(buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]));
        buffered = taken.rest;
        for (const one of taken.messages) yield decode(method.response, one);
      }
      // A stream that we cancelled just ends.
      status = options.signal.aborted || call.timedOut() ? this.failure(method.path, undefined, options, call.timedOut()) : statusOf(headers, method.path);
    } catch (cause) {
      throw this.failure(method.path, cause, options, call.timedOut());
    } finally {
      call.end();
    }
    if (status) throw status;
  }

  close(): void {
    this.session?.destroy();
    this.session = undefined;
  }

  private open(path: string, options: CallOptions): { stream: ClientHttp2Stream; timedOut: () => boolean; end: () => void } {
    const stream = this.connection().request({
      ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'plumbline-agent',
    });
    let timedOut = false;
    const cancel = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
      timedOut = true;
      cancel();
    }, options.timeoutMs);
    options.signal.addEventListener('abort', cancel, { once: true });
    return {
      stream,
      timedOut: () => timedOut,
      end() {
        clearTimeout(timer);
        options.signal.removeEventListener('abort', cancel);
        if (!stream.closed) cancel();
      },
    };
  }

  private connection(): ClientHttp2Session {
    if (this.session && !this.session.closed && !this.session.destroyed) return this.session;
    const session = http2.connect('http://localhost', {
      createConnection: () => connectSocket(this.socketPath),
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    });
    session.on('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
    session.on('error', () => session.destroy());
    session.on('goaway', () => session.close());
    this.session = session;
    return session;
  }

  private failure(path: string, cause: unknown, options: CallOptions, timedOut: boolean): Error {
    if (options.signal.aborted) return new RuntimeError('Cancelled', `${path}: given up`, { cause });
    if (timedOut) return new RuntimeError('Timeout', `${path}: no answer within ${(options.timeoutMs ?? 0) / 1000} s`, { cause });
    if (cause instanceof RuntimeError) return cause;
    return new RuntimeError('Unavailable', `the container runtime does not answer at ${this.socketPath}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function statusOf(headers: IncomingHttpHeaders, path: string): RuntimeError | undefined {
  const code = headers['grpc-status'];
  if (code === '0') return undefined;
  if (code === undefined) return new RuntimeError('Unavailable', `${path}: the answer broke off`);
  const text = Array.isArray(headers['grpc-message']) ? headers['grpc-message'].join() : (headers['grpc-message'] ?? '');
  return new RuntimeError(FAILURES[Number(code)] ?? 'Other', percentDecoded(text));
}

/** gRPC percent-encodes what is not printable ASCII; a stray `%` stays as it is. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
