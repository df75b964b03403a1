/** HTTP/1.1 to Unix sockets on the node: pooled channels for short requests, a channel of its own for every stream. */
import { setMaxListeners } from 'node:events';
import { Agent, IncomingMessage, request as startRequest, type ClientRequest, type ClientRequestArgs } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { onAbort } from '../../../contracts/signals.ts';
import { RetryableError } from '../../core/errors.ts';
import { answerBody } from '../../ports/answer-body.ts';
import { SHORT_ANSWER_BYTES, type HttpAnswer, type HttpQuestion } from '../../ports/node-transport.ts';

/** Requests in flight at the same time; sshd's default MaxSessions of 10 leaves room for them even over bridges. */
const POOLED_CHANNELS = 3;

/** Where streams to a Unix socket on the node come from. */
export interface StreamSource {
  /** `endless` when nobody knows when the stream will end. */
  open(socket: string, endless: boolean, signal: AbortSignal): Promise<Duplex>;
  /** Whether a stream may be kept for later requests. */
  isLasting(stream: Duplex): boolean;
}

type RequestOptions = ClientRequestArgs & { readonly unixSocket: string };
type Connected = (error: Error | null, socket: Duplex) => void;

/** An agent whose sockets are channels. */
class ChannelAgent extends Agent {
  readonly #channels: StreamSource;
  readonly #pool: AbortSignal | undefined;

  /**
   * `pool`: ends the wait for channels that many requests share; without it, each serves one request of unknown length
   * and ends with that.
   */
  constructor(channels: StreamSource, pool?: AbortSignal) {
    super({
      keepAlive: pool !== undefined,
      maxSockets: pool ? POOLED_CHANNELS : Infinity,
      maxFreeSockets: POOLED_CHANNELS,
    });
    this.#channels = channels;
    this.#pool = pool;
  }

  override getName(options?: ClientRequestArgs): string {
    return (options as RequestOptions | undefined)?.unixSocket ?? '';
  }

  /** Asked when a request is over. */
  override keepSocketAlive(socket: Duplex): boolean {
    // Its type says that it answers nothing; it answers false where the agent is about to close the socket.
    const kept: unknown = super.keepSocketAlive(socket);
    return kept !== false && this.#channels.isLasting(socket);
  }

  override createConnection(options: ClientRequestArgs, connected?: Connected): never {
    const { unixSocket, signal } = options as RequestOptions;
    this.#channels
      .open(unixSocket, this.#pool === undefined, this.#pool ?? signal ?? new AbortController().signal)
      .then(
        (stream) => connected?.(null, stream),
        (error: unknown) => (connected as ((error: Error) => void) | undefined)?.(error as Error),
      );
    // The socket comes by the callback.
    return undefined as never;
  }
}

export class ChannelHttp {
  readonly #over = new AbortController();
  readonly #pool: Agent;
  readonly #streams: Agent;

  constructor(channels: StreamSource) {
    setMaxListeners(0, this.#over.signal);
    this.#pool = new ChannelAgent(channels, this.#over.signal);
    this.#streams = new ChannelAgent(channels);
  }

  /**
   * A request over a pooled channel that turns out to be closed is sent once more on a fresh one (RFC 9112 section
   * 9.3.1).
   */
  async request(socket: string, message: HttpQuestion, signal: AbortSignal): Promise<HttpAnswer> {
    for (let attempt = 1; ; attempt += 1) {
      const request = this.#start(
        this.#pool,
        socket,
        message.method,
        message.path,
        message.encoding === undefined ? {} : { 'content-encoding': message.encoding },
        message.body,
        signal,
      );
      try {
        const response = await responseOf(request, signal);
        return {
          status: response.statusCode ?? 0,
          body: await answerBody(response, message.maxBytes ?? SHORT_ANSWER_BYTES),
        };
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof RetryableError) throw error;
        if (request.reusedSocket && attempt <= POOLED_CHANNELS) continue;
        throw lost(error, message.path);
      }
    }
  }

  async stream(
    socket: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Readable }> {
    try {
      const response = await responseOf(
        this.#start(this.#streams, socket, 'GET', path, { connection: 'close' }, undefined, signal),
        signal,
      );
      return { status: response.statusCode ?? 0, body: response };
    } catch (error) {
      signal.throwIfAborted();
      throw lost(error, path);
    }
  }

  /**
   * The raw stream after `101 Switching Protocols`. Any other answer: RetryableError `UpgradeRefused` with the agent's
   * words.
   */
  async upgrade(socket: string, path: string, protocol: string, signal: AbortSignal): Promise<Duplex> {
    const request = this.#start(
      this.#streams,
      socket,
      'GET',
      path,
      { connection: 'Upgrade', upgrade: protocol },
      undefined,
      signal,
    );
    const upgraded = new Promise<Duplex>((resolve) => {
      request.once('upgrade', (_response, stream, head) => {
        if (head.length > 0) stream.unshift(head);
        resolve(stream);
      });
    });
    try {
      const first = await Promise.race([upgraded, responseOf(request, signal)]);
      if (!(first instanceof IncomingMessage)) return first;
      const body = (await answerBody(first, SHORT_ANSWER_BYTES)).toString();
      throw new RetryableError(
        'UpgradeRefused',
        `the agent answered ${first.statusCode} to ${path.split('?')[0]}: ${body}`,
      );
    } catch (error) {
      signal.throwIfAborted();
      throw lost(error, path);
    }
  }

  close(): void {
    this.#over.abort(new Error('the connection is closed'));
    this.#pool.destroy();
    this.#streams.destroy();
  }

  #start(
    agent: Agent,
    unixSocket: string,
    method: string,
    path: string,
    headers: Record<string, string>,
    body: string | Buffer | undefined,
    signal: AbortSignal,
  ): ClientRequest {
    signal.throwIfAborted();
    const payload = typeof body === 'string' ? Buffer.from(body) : body;
    const options: RequestOptions = {
      agent,
      unixSocket,
      method,
      path,
      signal,
      headers: {
        host: 'agent',
        ...headers,
        ...(payload && { 'content-type': 'application/json', 'content-length': String(payload.length) }),
      },
    };
    const request = startRequest(options);
    request.end(payload);
    return request;
  }
}

/**
 * Does not wait for the request to say that it was aborted: one that has no channel yet stays silent until there is
 * one.
 */
async function responseOf(request: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const letGo = onAbort(signal, () => {
      letGo();
      reject(signal.reason as Error);
    });
    request.once('close', letGo);
    // Stays on: a request emits 'error' again when it is aborted after its answer began.
    request.on('error', reject);
    request.once('response', resolve);
  });
}

function lost(error: unknown, path: string): Error {
  if (error instanceof RetryableError) return error;
  return new RetryableError(
    'AgentUnreachable',
    `the agent did not answer ${path.split('?')[0]}: ${(error as Error).message}`,
    { cause: error },
  );
}
