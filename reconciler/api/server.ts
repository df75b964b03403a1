/** The HTTP server on the control plane's Unix socket. */
import { chmod, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createConnection } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EXEC_UPGRADE } from '../../contracts/agent/index.ts';
import { DESCHEDULER_PLUGINS, findKind, isDeschedulerPlugin, KINDS, objectKey } from '../../contracts/objects/index.ts';
import { joinSignals } from '../../contracts/signals.ts';
import { ApiError, errorStatus, notFound } from './answers.ts';
import type { ApiDependencies } from './dependencies.ts';
import { explainReport } from './explain.ts';
import { getObject, kindOfPath, listObjects } from './objects.ts';
import { podExec, podLog, podPlacement, withLastLines, withPlacement } from './pods.ts';
import { type HeadAnswer, statusReport } from './status.ts';
import type { HistoryReport, StatusReport } from './types.ts';

export interface ApiServer {
  readonly socket: string;
  /** Ends open answers and removes the socket. */
  close(): Promise<void>;
}

const HEAD_MS = 5000;
/** The branch is not asked again sooner than this, in milliseconds, while someone waits for a status. */
const HEAD_FRESH_MS = 250;
const MAX_HOLD_SECONDS = 60;
/** Also without a change: what the branch points at is none. */
const LOOK_AGAIN_MS = 1000;
/** Changes that come together are looked at once, in milliseconds. */
const SETTLE_MS = 25;

const Flag = z.stringbool().default(false);
const Scope = z.object({
  namespace: z.string().optional(),
  name: z.string().optional(),
  plural: z.string(),
  group: z.string().optional(),
  version: z.string(),
});
const Lists = z.object({ labelSelector: z.string().optional(), owner: z.string().optional(), reveal: Flag });
const Logs = z.object({
  container: z.string().optional(),
  follow: Flag,
  previous: Flag,
  timestamps: Flag,
  tailLines: z.coerce.number().int().min(0).optional(),
});
const Status = z.object({
  wait: z.coerce.number().min(0).max(MAX_HOLD_SECONDS).optional(),
  seen: z.string().optional(),
});
const Explain = z.object({ kind: z.string(), namespace: z.string().default('default'), name: z.string() });
const Plan = z.object({ rev: z.string().optional(), format: z.enum(['text', 'json', 'markdown']).default('text') });
const PluginName = z.string().refine(isDeschedulerPlugin, `must be one of ${DESCHEDULER_PLUGINS.join(', ')}`);
const RebalancePlan = z.object({
  plugin: z
    .union([PluginName, z.array(PluginName)])
    .optional()
    .transform((given) => (given === undefined ? [] : [given].flat())),
});
const Rebalance = z.object({ plugins: z.array(PluginName).default([]) });
const Rollback = z.object({
  revision: z.string().optional(),
  message: z.string().optional(),
  author: z.object({ name: z.string(), email: z.string() }),
});

/** Reads a part of a request; ApiError 400 in words where it is not as it should be. */
function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw new ApiError(400, 'BadRequest', result.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
}

/** A signal that fires when the asker goes away or the server closes, until the request is answered. */
function signalOf(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  return untilClosed(reply.raw, closing);
}

/** Of the answer, not of its connection, which serves many requests and would collect a listener of each. */
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

/**
 * Listens on `socket`, which only this user may open. A socket file that nobody listens on (after a crash) is replaced;
 * where somebody does, it throws ApiError `AlreadyRunning`.
 */
export async function startApi(socket: string, deps: ApiDependencies): Promise<ApiServer> {
  const closing = new AbortController();
  const app = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 1024 * 1024 });
  app.setErrorHandler((error, _request, reply) => {
    const status = errorStatus(error);
    if (status.code >= 500 && status.reason === 'InternalError')
      deps.log.error('an API request failed', { error: String(error) });
    return reply.code(status.code).send(status);
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send(errorStatus(notFound(`there is nothing at ${request.url}`))),
  );
  addObjectRoutes(app, deps, closing.signal);
  addPlumblineRoutes(app, deps, closing.signal);
  const tunnels = new Set<Duplex>();
  app.server.on('upgrade', (request: IncomingMessage, client: Duplex) => {
    tunnels.add(client);
    client.once('close', () => tunnels.delete(client));
    void tunnelExec(deps, request, client, closing.signal);
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
  const answered = await new Promise<boolean>((resolve) => {
    const probe = createConnection(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (answered)
    throw new ApiError(
      409,
      'AlreadyRunning',
      `a control plane already answers at ${socket}: stop it first, or use another --home`,
    );
  await rm(socket, { force: true });
}

function addObjectRoutes(app: FastifyInstance, deps: ApiDependencies, closing: AbortSignal): void {
  const list = (request: FastifyRequest): unknown => {
    const scope = read(Scope, request.params);
    const { labelSelector, owner } = read(Lists, request.query);
    const kind = kindOfPath(
      scope.group === undefined ? scope.version : `${scope.group}/${scope.version}`,
      scope.plural,
    );
    return listObjects(deps.view, kind, {
      ...(scope.namespace !== undefined && { namespace: scope.namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(owner !== undefined && { owner }),
    });
  };
  const one = (request: FastifyRequest): unknown => {
    const scope = read(Scope, request.params);
    const kind = kindOfPath(
      scope.group === undefined ? scope.version : `${scope.group}/${scope.version}`,
      scope.plural,
    );
    if (KINDS[kind].namespaced && scope.namespace === undefined)
      throw notFound(`${scope.plural} are in namespaces: ask at /namespaces/NAME/${scope.plural}`);
    return getObject(deps.view, kind, scope.namespace, scope.name ?? '', read(Lists, request.query).reveal);
  };
  for (const root of ['/api/:version', '/apis/:group/:version']) {
    app.get(`${root}/:plural`, list);
    app.get(`${root}/:plural/:name`, one);
    app.get(`${root}/namespaces/:namespace/:plural`, list);
    app.get(`${root}/namespaces/:namespace/:plural/:name`, one);
  }
  const pod = '/api/v1/namespaces/:namespace/pods/:name';
  app.delete(pod, async (request, reply) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    if (!(await deps.deletePod(objectKey('Pod', namespace, name), signalOf(reply, closing))))
      throw notFound(`pods ${JSON.stringify(name)} not found in namespace ${namespace}`);
    return { apiVersion: 'v1', kind: 'Status', status: 'Success' };
  });
  app.get(`${pod}/placement`, (request) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    return podPlacement(deps, namespace, name);
  });
  app.get(`${pod}/log`, async (request, reply: FastifyReply) => {
    const { namespace, name } = request.params as { namespace: string; name: string };
    const { tailLines, container, ...rest } = read(Logs, request.query);
    const body = await podLog(
      deps,
      namespace,
      name,
      { ...rest, ...(tailLines !== undefined && { tail: tailLines }), ...(container !== undefined && { container }) },
      signalOf(reply, closing),
    );
    return reply.header('content-type', 'text/plain; charset=utf-8').send(body);
  });
}

function addPlumblineRoutes(app: FastifyInstance, deps: ApiDependencies, closing: AbortSignal): void {
  const root = '/plumbline/v1';
  const report = (head: HeadAnswer): StatusReport =>
    statusReport({
      view: deps.view,
      sourceName: deps.sourceName,
      url: deps.git.url,
      branch: deps.git.branch,
      controlPlane: deps.info,
      head,
      storeProblem: deps.storeProblem(),
    });

  app.get(`${root}/status`, async (request, reply) => {
    const { wait, seen } = read(Status, request.query);
    const signal = signalOf(reply, closing);
    const currentHead = headReader(deps, signal);
    const until = deps.clock.monotonic() + (wait ?? 0) * 1000;
    for (;;) {
      const changed = nextChange(deps);
      try {
        const now = report(await currentHead());
        const left = until - deps.clock.monotonic();
        if (left <= 0 || (now.synced && now.healthy) || seen === undefined || JSON.stringify(now.missing) !== seen)
          return now;
        using pause = deps.clock.deadline(Math.min(left, LOOK_AGAIN_MS), signal);
        await Promise.race([changed.happened, aborted(pause.signal)]);
        signal.throwIfAborted();
      } finally {
        changed.stop();
      }
      await deps.clock.sleep(SETTLE_MS, signal);
    }
  });
  app.get(`${root}/history`, (): HistoryReport => {
    const status = deps.view.get(`Source//${deps.sourceName}`)?.status;
    return {
      source: deps.sourceName,
      history: status?.history ?? [],
      ...(status?.appliedRevision !== undefined && { appliedRevision: status.appliedRevision }),
    };
  });
  app.get(`${root}/explain`, async (request, reply) => {
    const asked = read(Explain, request.query);
    const kind = findKind(asked.kind);
    if (!kind) throw new ApiError(400, 'BadRequest', `there is no kind ${JSON.stringify(asked.kind)}`);
    const explained = explainReport({
      view: deps.view,
      sourceName: deps.sourceName,
      kind,
      namespace: KINDS[kind].namespaced ? asked.namespace : '',
      name: asked.name,
    });
    const signal = signalOf(reply, closing);
    const shown = kind === 'Pod' ? explained.pods[0] : explained.pods.find(({ node }) => node === undefined);
    const [first, ...others] = explained.pods.map((pod) => (pod === shown ? withPlacement(deps, pod) : pod));
    return first ? { ...explained, pods: [await withLastLines(deps, first, signal), ...others] } : explained;
  });
  app.get(`${root}/plan`, (request, reply) => {
    const { rev, format } = read(Plan, request.query);
    return deps.plan(rev, format, signalOf(reply, closing));
  });
  app.get(`${root}/rebalance`, (request, reply) =>
    deps.rebalance({ plugins: read(RebalancePlan, request.query).plugin, apply: false }, signalOf(reply, closing)),
  );
  app.post(`${root}/rebalance`, (request, reply) =>
    deps.rebalance({ plugins: read(Rebalance, request.body).plugins, apply: true }, signalOf(reply, closing)),
  );
  app.post(`${root}/rollback`, (request, reply) => {
    const { revision, message, author } = read(Rollback, request.body);
    return deps.rollback(
      { author, ...(revision !== undefined && { revision }), ...(message !== undefined && { message }) },
      signalOf(reply, closing),
    );
  });
}

/**
 * Asks Git for the branch: at once when it is first called, then not more often than {@link HEAD_FRESH_MS}. One for
 * each request, so that an answer is never older than its question. A failure is an answer too.
 */
function headReader(deps: ApiDependencies, signal: AbortSignal): () => Promise<HeadAnswer> {
  let last: { readonly at: number; readonly answer: Promise<HeadAnswer> } | undefined;
  async function ask(): Promise<HeadAnswer> {
    using limit = deps.clock.deadline(HEAD_MS, signal);
    try {
      const head = await deps.git.head(limit.signal);
      if (head.state === 'at') return { sha: head.revision.sha };
      return {
        problem:
          head.state === 'unborn'
            ? `branch ${deps.git.branch} has no commit yet`
            : `branch ${deps.git.branch} does not exist (any more)`,
      };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  }
  return () => {
    signal.throwIfAborted();
    if (!last || deps.clock.monotonic() - last.at > HEAD_FRESH_MS) last = { at: deps.clock.monotonic(), answer: ask() };
    return last.answer;
  };
}

function nextChange(deps: ApiDependencies): { readonly happened: Promise<void>; stop(): void } {
  let stop = (): void => undefined;
  const happened = new Promise<void>((resolve) => {
    stop = deps.onChange(resolve);
  });
  return {
    happened,
    stop: () => {
      stop();
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
  });
}

/** Joins the client's connection to the node's once the agent agreed. */
async function tunnelExec(
  deps: ApiDependencies,
  request: IncomingMessage,
  client: Duplex,
  closing: AbortSignal,
): Promise<void> {
  client.on('error', () => client.destroy());
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const match = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/.exec(url.pathname);
    if (!match?.[1] || !match[2] || request.headers.upgrade !== EXEC_UPGRADE)
      throw notFound(`there is nothing to upgrade at ${url.pathname}`);
    const node = await podExec(
      deps,
      decodeURIComponent(match[1]),
      decodeURIComponent(match[2]),
      url.searchParams,
      untilClosed(client, closing),
    );
    client.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${EXEC_UPGRADE}\r\n\r\n`);
    node.on('error', () => client.destroy());
    node.once('close', () => client.end());
    client.once('close', () => node.destroy());
    client.pipe(node);
    node.pipe(client);
  } catch (error) {
    const status = errorStatus(error);
    const body = JSON.stringify(status);
    client.end(
      `HTTP/1.1 ${status.code} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}
