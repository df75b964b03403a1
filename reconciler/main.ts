/**
 * Wiring of the control plane: which adapter stands behind which port, and what lives as long as the process. What
 * lives as long as one incarnation of the store is a session (session/).
 */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { RedisOptions } from 'ioredis';
import { HttpAcmeServers } from './adapters/acme/servers.ts';
import { DnsRecords } from './adapters/dns01/records.ts';
import { AgeFileDecryptor } from './adapters/age/file-decryptor.ts';
import { HttpPullRequests, keptListings, LISTINGS_FOLDER } from './adapters/forges/index.ts';
import {
  type GitCredentials,
  hintsFrom,
  Nudges,
  openGitPublisher,
  openGitSource,
  otherRepositories,
} from './adapters/git/index.ts';
import { openEngines } from './adapters/engines/index.ts';
import { openHome, sshPrivateKey, type Home } from './adapters/home/home.ts';
import { FileVault } from './adapters/home/vault.ts';
import { BullWorkQueue } from './adapters/bullmq/work-queue.ts';
import { logPlace, openLog } from './adapters/log/pino-log.ts';
import { FilePayloads } from './adapters/payload/payloads.ts';
import { PrometheusSource } from './adapters/prometheus/prometheus.ts';
import { FiledMark } from './adapters/redis/position-mark.ts';
import { RedisLeases } from './adapters/redis/leases.ts';
import { RedisMetricsStore } from './adapters/redis/metrics-store.ts';
import { RedisObjectStore } from './adapters/redis/object-store.ts';
import { startPrivateRedis, type PrivateRedis } from './adapters/redis/private-redis.ts';
import { isExposed, placeOfRedis, redisOptionsFromUrl, type RedisPasswords } from './adapters/redis/url.ts';
import { SshNodeTransport } from './adapters/ssh/transport.ts';
import { SystemClock } from './adapters/system/clock.ts';
import { CryptoIds } from './adapters/system/ids.ts';
import { listenForWebhooks, type WebhookOptions, type WebhookServer } from './adapters/webhooks/server.ts';
import { startRebuildingApi } from './api/index.ts';
import { turns } from './controllers/runtime/slices.ts';
import { OtherSources } from './controllers/sync/other-sources.ts';
import { removeAgent } from './controllers/nodes/agent-remove.ts';
import { FACTS, readFacts, script } from './controllers/nodes/node-scripts.ts';
import type { AgentPayloads } from './ports/agent-payloads.ts';
import type { GitPublisher } from './ports/git-publisher.ts';
import type { GitSource } from './ports/git-source.ts';
import { SILENT_LOG, type Log } from './ports/log.ts';
import type { NodeTransport } from './ports/node-transport.ts';
import { Parts } from './session/part.ts';
import { openSession, type SessionOptions } from './session/session.ts';
import { Sessions } from './session/sessions.ts';

// For commands that work on a machine without a control plane.
export { FACTS, readFacts, removeAgent, script, SILENT_LOG, SystemClock };

export interface ControlPlaneOptions {
  readonly home: string;
  /** Path or URL of the repository. */
  readonly repo: string;
  /** For a repository behind HTTPS; those in the URL when absent. */
  readonly gitCredentials?: GitCredentials;
  readonly branch?: string;
  /** A tag, or a range of versions, in place of a branch. */
  readonly follow?: { readonly tag: string } | { readonly semver: string };
  readonly sourceName: string;
  /** As `redisOptionsFromUrl` reads it; a private redis-server is run when absent. */
  readonly redis?: string;
  readonly redisPasswords?: RedisPasswords;
  /** Whether the private redis-server keeps state, history and outcomes for the next start from this home. */
  readonly keepState?: boolean;
  /** Private key file; `ssh/id_ed25519` in the home, made when missing, when absent. */
  readonly sshKey?: string;
  /** File of age identities; `age.key` in the home when absent. */
  readonly ageKey?: string;
  readonly version: string;
  /** Where forges tell of pushes; nobody listens when absent. */
  readonly webhooks?: Pick<WebhookOptions, 'host' | 'port' | 'secret' | 'tls'>;
  /** How machines are reached, closed with the control plane; over SSH when absent. */
  readonly transport?: NodeTransport;
  /** What is installed on machines; the built agent when absent. */
  readonly payloads?: AgentPayloads;
  /** Hears what a person at the terminal wants to know. */
  readonly progress: (line: string) => void;
  /** Ends the start. Not a control plane that was started: that is {@link ControlPlane.close}. */
  readonly signal: AbortSignal;
}

export interface ControlPlane {
  readonly socket: string;
  /** Resolves with the reason when the control plane cannot go on. */
  readonly failed: Promise<Error>;
  /**
   * Pods go on running on their nodes. Never rejects: a part that does not end well is logged, and the others are
   * ended. Safe to repeat.
   */
  close(): Promise<void>;
}

const clock = new SystemClock();
const ids = new CryptoIds();
const LOG_LEVEL = process.env['PLUMB_LOG_LEVEL'] ?? 'info';

/** Starts everything and returns when the API answers. Throws PlumbErrors that say what is wrong and what to do. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const home = await openHome(options.home);
  const log = openLog(logPlace(home.logFile, process.env['JOURNAL_STREAM']), LOG_LEVEL);
  const parts = new Parts(options.signal, log);
  try {
    const { key } = await sshPrivateKey(home, options.sshKey);
    const redis = await startRedis(options, home, parts);
    const nudges = new Nudges();
    const git = await parts.start({
      name: 'Git',
      start: () => openGit(options, home, nudges),
      close: (open) => open?.close(),
    });
    const publisher = await parts.start({
      name: 'Git, to write',
      start: () => openPublisher(options, home),
      close: (open) => open?.close(),
    });
    const otherSources = new OtherSources({
      repositories: otherRepositories(join(home.dir, 'sources'), nudges, {
        url: options.repo,
        ...(options.gitCredentials && { credentials: options.gitCredentials }),
        ...(options.sshKey !== undefined && { sshKey: options.sshKey }),
      }),
      listings: keptListings({
        dir: join(home.dir, LISTINGS_FOLDER),
        forges: new HttpPullRequests({ clock }),
        hints: (pollSeconds, signal) => hintsFrom({ folders: [], nudges }, pollSeconds, signal),
      }),
      clock,
    });
    await parts.start({ name: 'other repositories', start: () => undefined, close: () => otherSources.close() });
    const transport = options.transport ?? new SshNodeTransport({ privateKey: key, log, clock });
    await parts.start({ name: 'SSH', start: () => undefined, close: () => transport.close() });
    const warnings = warningsOf(redis.connection);
    for (const warning of warnings) options.progress(`warning: ${warning}`);
    const webhooks = await startWebhooks(options, nudges, log, parts);
    const mark = await parts.start({
      name: 'mark of the store',
      start: () => FiledMark.open(join(home.dir, `redis-mark.${options.sourceName}.json`), clock),
      close: (open) => open?.close(),
    });
    const session: SessionOptions = {
      sourceName: options.sourceName,
      git,
      publisher,
      configKey: home.configKey,
      decryptor: new AgeFileDecryptor(options.ageKey ?? home.ageKeyFile),
      engines: openEngines(home.dir),
      otherSources,
      transport,
      payloads: options.payloads ?? new FilePayloads({ ownCacheDir: home.runtimeCache }),
      makeStore: () =>
        new RedisObjectStore({
          connection: redis.connection,
          cluster: options.sourceName,
          sealKey: home.sealKey,
          clock,
          ids,
          mark,
          turns,
        }),
      makeQueue: () => new BullWorkQueue({ connection: redis.connection, cluster: options.sourceName, log }),
      makeLeases: (incarnation) =>
        new RedisLeases({ connection: redis.connection, cluster: options.sourceName, incarnation, clock, mark }),
      makeMetrics: (incarnation) =>
        new RedisMetricsStore({
          connection: redis.connection,
          cluster: options.sourceName,
          incarnation,
          sealKey: home.sealKey,
          clock,
        }),
      series: new PrometheusSource({ clock }),
      acme: new HttpAcmeServers({ clock }),
      challengeRecords: new DnsRecords({ clock }),
      vault: new FileVault({ dir: home.vaultDir, sealKey: home.sealKey, log }),
      homeId: home.id,
      tokenKey: home.tokenKey,
      label: `${hostname()}:${home.dir}`,
      socket: home.socket,
      info: {
        version: options.version,
        pid: process.pid,
        startedAt: clock.now().toISOString(),
        home: home.dir,
        warnings,
        ...(webhooks && {
          get webhook() {
            return { url: webhooks.url, ...webhooks.counts() };
          },
        }),
      },
      clock,
      ids,
      log,
      progress: options.progress,
    };
    const sessions = new Sessions({
      open: (signal, beforeApi) => openSession(session, signal, beforeApi),
      answerMeanwhile: (why) => startRebuildingApi(home.socket, why),
      clock,
      log,
      progress: options.progress,
    });
    await parts.start({
      name: 'sessions',
      start: (signal) => sessions.start(signal),
      close: () => sessions.close(),
    });
    return {
      socket: home.socket,
      failed: Promise.race([sessions.failed, redis.ended]),
      close: () => parts.close(),
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

interface RedisServer {
  readonly connection: RedisOptions;
  /** Never resolves where Redis is somebody else's: the store waits for that one to come back. */
  readonly ended: Promise<Error>;
}

async function startRedis(options: ControlPlaneOptions, home: Home, parts: Parts): Promise<RedisServer> {
  if (options.redis !== undefined)
    return {
      connection: redisOptionsFromUrl(options.redis, options.redisPasswords),
      ended: new Promise(() => undefined),
    };
  const { keepState: keep = false, progress } = options;
  const { connection, ended, unreadable } = await parts.start<PrivateRedis>({
    name: 'private redis-server',
    start: (signal) => startPrivateRedis({ dir: home.redisDir, socketPath: home.redisSocket, keep, signal }),
    close: (server) => server?.close(),
  });
  if (unreadable !== undefined)
    progress(
      `what the private redis-server kept cannot be read: all state comes from Git and the nodes (${unreadable})`,
    );
  return { connection, ended: ended.then((words) => new Error(`the private redis-server ended: ${words}`)) };
}

async function startWebhooks(
  { webhooks, progress }: ControlPlaneOptions,
  nudges: Nudges,
  log: Log,
  parts: Parts,
): Promise<WebhookServer | undefined> {
  if (!webhooks) return undefined;
  const look = (): void => {
    nudges.notify();
  };
  const server = await parts.start({
    name: 'webhooks',
    start: () => listenForWebhooks({ ...webhooks, look, clock, log }),
    close: (open) => open?.close(),
  });
  progress(`webhooks: ${server.url}`);
  return server;
}

async function openGit(options: ControlPlaneOptions, home: Home, nudges: Nudges): Promise<GitSource> {
  return openGitSource({
    url: options.repo,
    cacheDir: home.gitCache,
    nudges,
    ...(options.gitCredentials && { credentials: options.gitCredentials }),
    ...(options.branch !== undefined && { branch: options.branch }),
    ...(options.follow && { follow: options.follow }),
    ...(options.sshKey !== undefined && { sshKey: options.sshKey }),
  });
}

async function openPublisher(options: ControlPlaneOptions, home: Home): Promise<GitPublisher> {
  return openGitPublisher({
    url: options.repo,
    cacheDir: `${home.gitCache}.published`,
    turns,
    ...(options.gitCredentials && { credentials: options.gitCredentials }),
    ...(options.sshKey !== undefined && { sshKey: options.sshKey }),
  });
}

function warningsOf(redis: RedisOptions): readonly string[] {
  return isExposed(redis)
    ? [
        `Redis at ${placeOfRedis(redis)} is spoken to in the clear: the network between can read its password, and all live state but Secrets; use rediss:// (TLS)`,
      ]
    : [];
}
