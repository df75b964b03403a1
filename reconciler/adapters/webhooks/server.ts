/** Listens for webhooks. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import { TerminalError } from '../../core/errors.ts';
import { Rate } from '../../core/rate.ts';
import { judgeWebhook, type Verdict } from '../../core/webhooks/judge.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

export interface WebhookOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly secret: Buffer;
  /** PEM texts; in the clear when absent. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Asks for a look at the branch. */
  readonly look: () => void;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
}

/** What came since the start. */
export interface WebhookCounts {
  readonly accepted: number;
  /** Deliveries that had been seen before. */
  readonly repeated: number;
  readonly refused: number;
  /** Why the last one was refused. */
  readonly lastRefusal?: string;
}

export interface WebhookServer {
  /** `https://127.0.0.1:9443/webhook`. */
  readonly url: string;
  counts(): WebhookCounts;
  close(): Promise<void>;
}

const PATH = '/webhook';
/** Larger bodies than a forge sends for a push. */
const MAX_BODY = 1024 * 1024;
const MAX_CONNECTIONS = 64;
const REQUEST_MS = 10_000;
/** Deliveries that are remembered. */
const MOST_SEEN = 1000;
/** Looks at the branch in a minute, and at once. */
const LOOKS_PER_MINUTE = 60;
const BURST = 10;
/** What could not be looked at at once is looked at then, if it may be. */
const LATER_MS = 1000;
/** Refusals are told in the log no more often than this. */
const TOLD_EVERY_MS = 10_000;

/** Listens when it resolves. TerminalError `WebhookUnavailable` where it cannot. */
export async function listenForWebhooks(options: WebhookOptions): Promise<WebhookServer> {
  const receiver = new Receiver(options);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    void receiver.answer(request, response);
  };
  const { tls, host, port } = options;
  const server = await opened(() => (tls ? createTlsServer(tls, answer) : createServer(answer)), `${host}:${port}`);
  server.maxConnections = MAX_CONNECTIONS;
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  await listening(server, host, port);
  const { address, family, port: taken } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${taken}${PATH}`,
    counts: () => receiver.counts,
    async close() {
      receiver.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}

async function opened(make: () => Server, place: string): Promise<Server> {
  try {
    return make();
  } catch (error) {
    throw new TerminalError('WebhookUnavailable', `cannot serve webhooks at ${place}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new TerminalError('WebhookUnavailable', `cannot listen for webhooks at ${host}:${port}: ${error.message}`, {
          cause: error,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

class Receiver {
  readonly #options: WebhookOptions;
  readonly #rate: Rate;
  readonly #seen = new Set<string>();
  #later: NodeJS.Timeout | undefined;
  #toldAt = -TOLD_EVERY_MS;
  counts: WebhookCounts = { accepted: 0, repeated: 0, refused: 0 };

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#rate = new Rate(BURST, LOOKS_PER_MINUTE / 60, options.clock.monotonic());
  }

  close(): void {
    clearTimeout(this.#later);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, words: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      response.end(`${words}\n`);
    };
    request.on('error', () => undefined);
    if ((request.url ?? '').split('?', 1)[0] !== PATH) return this.#refuse(say, 404, `webhooks go to ${PATH}`);
    const body = await bodyOf(request).catch(() => undefined);
    if (body === undefined) return;
    if (body === 'too-large') return this.#refuse(say, 413, `the body has more than ${MAX_BODY} bytes`);
    const headers = new Map(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, values?.[0] ?? ''] as const),
    );
    const verdict = judgeWebhook({ method: request.method ?? '', headers, body }, this.#options.secret);
    if (verdict.is === 'refused') return this.#refuse(say, verdict.status, verdict.why);
    if (verdict.is === 'ping') return say(200, 'heard');
    this.#push(verdict);
    say(202, 'the branch is looked at');
  }

  #push({ forge, delivery }: Extract<Verdict, { is: 'push' }>): void {
    const { accepted, repeated } = this.counts;
    const isRepeated = delivery !== undefined && this.#seen.has(delivery);
    this.counts = { ...this.counts, accepted: accepted + 1, repeated: repeated + Number(isRepeated) };
    this.#options.log.debug('webhook', { forge, repeated: isRepeated });
    if (isRepeated) return;
    if (delivery !== undefined) this.#seen.add(delivery);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= MOST_SEEN) break;
      this.#seen.delete(oldest);
    }
    this.#look();
  }

  /** Of many at once one is enough, but the last of them is never lost. */
  #look(): void {
    if (this.#later) return;
    if (this.#rate.take(this.#options.clock.monotonic())) this.#options.look();
    else
      this.#later = setTimeout(() => {
        this.#later = undefined;
        this.#look();
      }, LATER_MS);
  }

  #refuse(say: (status: number, words: string) => void, status: number, why: string): void {
    const lastRefusal = `${status} ${why}`;
    this.counts = { ...this.counts, refused: this.counts.refused + 1, lastRefusal };
    const now = this.#options.clock.monotonic();
    if (now - this.#toldAt >= TOLD_EVERY_MS) {
      this.#toldAt = now;
      this.#options.log.warn('webhook refused', { why: lastRefusal, refused: this.counts.refused });
    }
    say(status, why);
  }
}

/** The whole body; nothing of one that is too large is kept. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | 'too-large'> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) return 'too-large';
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY) return 'too-large';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
