/** The agent's API: HTTP over a Unix socket that only its owner may open. See contracts/agent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { chmod, rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { errorText } from '../../../contracts/errors.ts';
import type { AgentInfo } from '../../../contracts/agent/index.ts';
import { AGENT_API, EXEC_UPGRADE } from '../../../contracts/agent/places.ts';
import { isListenedOn } from '../../../contracts/unix-socket.ts';
import type { NodeFolders } from '../../core/pod/layout.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ContainerRuntime } from '../../ports/container-runtime.ts';
import type { LogFiles } from '../../ports/log-files.ts';
import type { Log } from '../../ports/log.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import type { PersistentFolders } from '../../ports/persistent-folders.ts';
import type { UsageMeter } from '../../ports/usage.ts';
import type { PodManager } from '../pod-manager.ts';
import type { StatusHub } from '../status-hub.ts';
import { ApiError, errorBody, sendError, sendJson, sendText } from './answers.ts';
import { STREAMS } from './exec.ts';
import { streamAlike, streamInventory } from './inventory.ts';
import { streamLogs } from './logs.ts';
import { createNetworkApi, type NetworkAccess } from './network.ts';
import { ENCODINGS, requestBody } from './request-body.ts';
import { streamStatus } from './status-stream.ts';
import { serveStreams } from './streams.ts';
import { parseUpdate } from './update-body.ts';
import { sendUsage } from './usage.ts';

const http = process.getBuiltinModule('node:http');

export interface ApiDeps {
  readonly socket: string;
  readonly assignment: AssignmentStore;
  readonly pods: PodManager;
  readonly hub: StatusHub;
  readonly runtime: ContainerRuntime;
  readonly logs: LogFiles;
  readonly folders: NodeFolders;
  readonly volumes: PersistentFolders;
  readonly meter: UsageMeter;
  /** Absent where the agent keeps no network. */
  readonly network?: NetworkAccess | undefined;
  /** In Prometheus' text format; absent where the agent has none. */
  readonly metrics?: (() => string) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly info: Pick<AgentInfo, 'agentVersion' | 'bundleHash' | 'runtimeHash' | 'pid' | 'startedAt'>;
}

const METRICS_TYPE = 'text/plain; version=0.0.4';
const MAX_BODY_BYTES = 256 * 1024 * 1024;
const MAX_PROBES_BYTES = 256 * 1024;
/** Exec, attach and port-forward: each takes a connection to the runtime, and buffers. */
const MAX_STREAMS = 100;
/** Logs that are followed: each holds a file open, and looks for what is new. */
const MAX_FOLLOWED = 100;

/** Throws an Error when another agent answers at the socket. */
export async function startApi(deps: ApiDeps): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  const open = new Set<Duplex>();
  let streaming = 0;
  let following = 0;
  const network = createNetworkApi(deps);

  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    route(request, response).catch((error: unknown) => sendError(response, error));
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgrade(request, socket, head).catch((error: unknown) => refuseUpgrade(socket, error));
  });

  const info = (): AgentInfo => ({
    ...deps.info,
    epoch: deps.assignment.epoch,
    assignmentVersion: deps.assignment.acceptedVersion,
    objects: deps.assignment.size,
    encodings: [...ENCODINGS],
  });

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://agent');
    const what = `${request.method ?? ''} ${url.pathname}`;
    switch (what) {
      case `GET ${AGENT_API}/info`:
        return sendJson(response, 200, info());
      case `POST ${AGENT_API}/assignment`:
        return move(
          response,
          parseUpdate(await requestBody(request, request.headers['content-encoding'], MAX_BODY_BYTES)),
        );
      case `GET ${AGENT_API}/status`:
        return streamStatus(response, deps.hub, deps.clock, closing.signal);
      case `GET ${AGENT_API}/inventory/lines`:
        return streamInventory(response, info(), deps.assignment, deps.hub, deps.volumes, {
          claims: url.searchParams.get('claims'),
          alike: url.searchParams.get('alike'),
        });
      case `GET ${AGENT_API}/inventory/alike`:
        return streamAlike(response, deps.assignment, url.searchParams.get('parts'));
      case `GET ${AGENT_API}/logs`:
        return logs(response, url.searchParams);
      case `GET ${AGENT_API}/network`:
        return network.report(response, url.searchParams);
      case `POST ${AGENT_API}/network/probes`:
        return network.probe(response, await requestBody(request, undefined, MAX_PROBES_BYTES), closing.signal);
      case `GET ${AGENT_API}/metrics`:
        return sendText(response, METRICS_TYPE, deps.metrics?.() ?? '');
      case `GET ${AGENT_API}/usage`:
        return sendUsage(response, { ...logDeps, agentStartedAt: deps.info.startedAt }, closing.signal);
      default:
        throw new ApiError(404, 'NotFound', `the agent has no ${what}`);
    }
  }
  const logDeps = { ...deps, observed: (uid: string) => deps.pods.observed(uid) };

  async function logs(response: ServerResponse, query: URLSearchParams): Promise<void> {
    const follows = query.get('follow') === 'true' ? 1 : 0;
    if (follows > 0 && following >= MAX_FOLLOWED)
      throw new ApiError(503, 'TooManyStreams', `${following} logs of this node are followed; close one`);
    following += follows;
    try {
      await streamLogs(response, query, logDeps, closing.signal);
    } finally {
      following -= follows;
    }
  }

  async function move(response: ServerResponse, update: ReturnType<typeof parseUpdate>): Promise<void> {
    const result = await deps.assignment.move(update);
    if (!result.ok) throw new ApiError(409, result.code, result.message, result.version);
    sendJson(response, 200, { version: result.version });
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const url = new URL(request.url ?? '/', 'http://agent');
    const openStreams = STREAMS.get(url.pathname);
    if (!openStreams || request.headers.upgrade !== EXEC_UPGRADE)
      throw new ApiError(404, 'NotFound', `the agent has no upgrade at ${url.pathname}`);
    if (streaming >= MAX_STREAMS)
      throw new ApiError(
        503,
        'TooManyStreams',
        `${streaming} streams into containers of this node are open; close one`,
      );
    streaming += 1;
    try {
      const streams = await openStreams(url.searchParams, logDeps, closing.signal);
      await serveStreams(socket, head, streams, closing.signal);
    } finally {
      streaming -= 1;
    }
  }

  if (await isListenedOn(deps.socket)) throw new Error(`another agent answers at ${deps.socket}`);
  await rm(deps.socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(deps.socket, () => resolve());
  });
  // Its folder is closed to others already.
  await chmod(deps.socket, 0o600);

  return {
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const known = error instanceof ApiError ? error : new ApiError(500, 'Internal', errorText(error));
  const body = JSON.stringify(errorBody(known));
  if (socket.writable)
    socket.end(
      `HTTP/1.1 ${known.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
}
