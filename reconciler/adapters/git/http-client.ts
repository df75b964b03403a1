/**
 * One HTTP exchange as isomorphic-git asks for it. Follows no redirect, so that credentials go nowhere but to the
 * address that was given.
 */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git';
import { proxyAuthorization, TunnelAgent } from './http-proxy.ts';
import { proxyFor, type Environment } from './proxy-for.ts';

/**
 * Longest silence, in milliseconds, of a server that has not finished. git itself says something every five seconds.
 */
const DEFAULT_SILENCE_MS = 60_000;

export type HttpExchange = (request: GitHttpRequest, signal: AbortSignal) => Promise<GitHttpResponse>;

/**
 * Throws what Node throws; the body does, when it breaks off. Certificates are checked against Node's authorities and
 * NODE_EXTRA_CA_CERTS, or against `ca` (PEM) alone. A proxy that `environment` names is gone through.
 */
export function httpExchange(
  silenceMs = DEFAULT_SILENCE_MS,
  ca?: string,
  environment: Environment = process.env,
): HttpExchange {
  const tunnels = new Map<string, TunnelAgent>();
  function wayTo(url: URL): Way {
    const proxy = proxyFor(url, environment);
    if (!proxy || url.protocol !== 'https:') return { proxy };
    const agent = tunnels.get(proxy.href) ?? new TunnelAgent(proxy, silenceMs);
    tunnels.set(proxy.href, agent);
    return { agent };
  }
  return async (request, signal) => {
    signal.throwIfAborted();
    const body = await bytesOf(request.body);
    const how = { silenceMs, ca, way: wayTo(new URL(request.url)) };
    try {
      return await send(request, body, how, signal);
    } catch (error) {
      if (!(error instanceof LeftBehind)) throw error;
      return await send(request, body, how, signal);
    }
  };
}

/** Directly; through a tunnel, whose ends speak TLS; or by a proxy that is told the whole URL. */
interface Way {
  readonly agent?: TunnelAgent;
  readonly proxy?: URL | undefined;
}

/**
 * A kept connection that the server closed as we wrote to it: the server did not read this GET, or may answer it twice
 * (RFC 9112, 9.3.1).
 */
class LeftBehind extends Error {}

async function send(
  request: GitHttpRequest,
  body: Buffer | undefined,
  { silenceMs, ca, way }: { readonly silenceMs: number; readonly ca: string | undefined; readonly way: Way },
  signal: AbortSignal,
): Promise<GitHttpResponse> {
  const client = request.url.startsWith('https:') ? https : http;
  const { agent, proxy } = way;
  const authorization = proxy && proxyAuthorization(proxy);
  const outgoing = client.request(proxy ?? request.url, {
    method: request.method ?? 'GET',
    signal,
    timeout: silenceMs,
    ...(agent && { agent }),
    ...(proxy && { path: request.url, auth: null }),
    ...(ca !== undefined && { ca }),
    headers: {
      ...request.headers,
      ...(proxy && { host: new URL(request.url).host }),
      ...(authorization !== undefined && { 'proxy-authorization': authorization }),
      'user-agent': 'git/plumbline',
      'accept-encoding': 'identity',
      ...(body && { 'content-length': body.length }),
    },
  });
  let waiting: { destroy(error: Error): unknown } = outgoing;
  outgoing.on('timeout', () => waiting.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
  // After the response began, its own stream tells.
  outgoing.on('error', () => undefined);
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response').catch((error: unknown) => {
    const reset = ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
    throw reset && outgoing.reusedSocket && outgoing.method === 'GET'
      ? new LeftBehind('the server closed the connection', { cause: error })
      : error;
  })) as [IncomingMessage];
  waiting = incoming;
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  const chunks = incoming[Symbol.asyncIterator]() as AsyncIterableIterator<Uint8Array>;
  return {
    url: request.url,
    statusCode: incoming.statusCode ?? 0,
    statusMessage: incoming.statusMessage ?? '',
    headers,
    body: chunks,
  };
}

/** Some servers take no request without a length. isomorphic-git gives an array where the types say iterator. */
async function bytesOf(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> | undefined,
): Promise<Buffer | undefined> {
  if (body === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
