/** The HTTP server on the control plane's Unix socket. What it answers is in features/. */
import { chmod, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { fastify, type FastifyReply } from 'fastify';
import { joinSignals } from '../../contracts/signals.ts';
import { isListenedOn } from '../../contracts/unix-socket.ts';
import type { Log } from '../ports/log.ts';
import { ApiError, errorStatus, methodNotAllowed, notFound } from './answers.ts';
import type { Feature, OpenUpgrade } from './routes.ts';

export interface ApiServer {
  readonly socket: string;
  /** Ends open answers and removes the socket. */
  close(): Promise<void>;
}

interface Upgrade {
  readonly path: RegExp;
  readonly protocol: string;
  readonly open: OpenUpgrade;
}

const MAX_BODY_BYTES = 1024 * 1024;
/** A name of 253 characters, each of them percent-encoded. */
const MAX_NAME_IN_PATH = 3 * 253;
/** JSON by other names. Source: Kubernetes, apimachinery/pkg/types/patch.go. */
const PATCHES = ['application/merge-patch+json', 'application/strategic-merge-patch+json'];

/**
 * Listens on `socket`, which only this user may open. A socket file that nobody listens on (after a crash) is replaced;
 * where somebody does, it throws ApiError `AlreadyRunning`.
 */
export async function serve(socket: string, features: readonly Feature[], log: Log): Promise<ApiServer> {
  const closing = new AbortController();
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_NAME_IN_PATH },
    // Of a path that cannot be read.
    frameworkErrors(error, _request, reply) {
      const status = errorStatus(error);
      void (reply as FastifyReply).code(status.code).send(status);
    },
  });
  // What a patch of such a kind says is read field by field, where it is taken at all.
  app.addContentTypeParser(PATCHES, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.setErrorHandler((error, _request, reply) => {
    const status = errorStatus(error);
    if (status.code >= 500 && status.reason === 'InternalError')
      log.error('an API request failed', { error: String(error) });
    return reply.code(status.code).send(status);
  });
  const places: RegExp[] = [];
  app.addHook('onRoute', ({ url }) => void places.push(placesOf(url)));
  app.setNotFoundHandler(({ url }, reply) => {
    const [path = ''] = url.split('?', 1);
    const status = errorStatus(
      places.some((place) => place.test(path)) ? methodNotAllowed() : notFound(`there is nothing at ${url}`),
    );
    return reply.code(status.code).send(status);
  });
  const upgrades: Upgrade[] = [];
  for (const register of features)
    register({
      app,
      signalOf: (reply) => untilClosed(reply.raw, closing.signal),
      upgrade: (path, protocol, open) => void upgrades.push({ path, protocol, open }),
    });
  const tunnels = new Set<Duplex>();
  app.server.on('upgrade', (request: IncomingMessage, client: Duplex) => {
    tunnels.add(client);
    client.once('close', () => tunnels.delete(client));
    void tunnel(upgrades, request, client, closing.signal);
  });
  await freeSocket(socket);
  await app.listen({ path: socket });
  await chmod(socket, 0o600);
  return {
    socket,
    async close() {
      closing.abort(new Error('the control plane is stopping'));
      for (const client of tunnels) client.destroy();
      await app.close();
      await rm(socket, { force: true });
    },
  };
}

/** Takes away a socket file that nobody listens on; ApiError `AlreadyRunning` where somebody does. */
export async function freeSocket(socket: string): Promise<void> {
  if (await isListenedOn(socket))
    throw new ApiError(
      409,
      'AlreadyRunning',
      `a control plane already answers at ${socket}: stop it first, or use another --home`,
    );
  await rm(socket, { force: true });
}

/**
 * Fires when `channel` or the server closes. `channel` is an answer, not its connection: that serves many requests, and
 * would collect a listener of each.
 */
function untilClosed(channel: Writable, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const { signal, [Symbol.dispose]: letGo } = joinSignals(gone.signal, closing);
  const leave = (): void => {
    gone.abort(new Error('the client went away'));
    letGo();
  };
  if (channel.destroyed) leave();
  else channel.once('close', leave);
  return signal;
}

/** Joins the client's connection to the one that was asked for, once that is open. */
async function tunnel(
  upgrades: readonly Upgrade[],
  request: IncomingMessage,
  client: Duplex,
  closing: AbortSignal,
): Promise<void> {
  client.on('error', () => client.destroy());
  try {
    const url = parsedUrl(request.url ?? '/');
    const asked = upgrades.find(
      ({ path, protocol }) => path.test(url.pathname) && request.headers.upgrade === protocol,
    );
    if (!asked) throw notFound(`there is nothing to upgrade at ${url.pathname}`);
    const params = asked.path.exec(url.pathname)?.slice(1).map(decoded) ?? [];
    const far = await asked.open(params, url.searchParams, untilClosed(client, closing));
    client.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${asked.protocol}\r\n\r\n`);
    far.on('error', () => client.destroy());
    far.once('close', () => client.end());
    client.once('close', () => far.destroy());
    client.pipe(far);
    far.pipe(client);
  } catch (error) {
    const status = errorStatus(error);
    const body = JSON.stringify(status);
    client.end(
      `HTTP/1.1 ${status.code} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

/** The paths of a route, whatever it is asked for there. */
function placesOf(route: string): RegExp {
  const parts = route.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll('.', '\\.')));
  return new RegExp(`^${parts.join('/')}$`);
}

function parsedUrl(text: string): URL {
  try {
    return new URL(text, 'http://localhost');
  } catch {
    throw notDecoded(text);
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw notDecoded(part);
  }
}

function notDecoded(text: string): ApiError {
  return new ApiError(400, 'BadRequest', `${JSON.stringify(text)} is no part of a URL`);
}
