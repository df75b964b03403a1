/** Puts the agent on a machine, or a newer one in its place. Containers are never touched. */
import { NODE_PATHS, type AgentInfo } from '../../../contracts/agent/index.ts';
import { RetryableError, TerminalError, WaitingError } from '../../core/errors.ts';
import type { AgentPayload, AgentPayloads, NodeArch } from '../../ports/agent-payloads.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeConnection } from '../../ports/node-transport.ts';
import { AgentClient } from './agent-client.ts';
import {
  FACTS,
  HASH_OF,
  LAST_WORDS,
  readFacts,
  RESTART,
  script,
  SWEEP,
  SWITCH,
  UNPACK,
  type MachineFacts,
} from './node-scripts.ts';
import { AGENT_LOG, INIT_SCRIPT, SYSTEMD_UNIT } from './service-files.ts';

export interface InstallOptions {
  /** Names the machine in messages. */
  readonly nodeName: string;
  /** What the node's architecture was last time: saves asking the machine when nothing has to be done. */
  readonly arch?: NodeArch | undefined;
  readonly payloads: AgentPayloads;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** How often in a row one that was started did not answer in time: {@link startTimeoutMs}. */
  readonly misses?: number;
  /** How long one that was started may take to answer, milliseconds, instead of {@link startTimeoutMs}. */
  readonly startTimeoutMs?: number;
}

export interface InstallResult {
  readonly did: 'nothing' | 'installed' | 'upgraded' | 'started';
  readonly info: AgentInfo;
}

const START_TIMEOUT_MS = 60_000;
const LONGEST_START_MS = 15 * 60_000;
const LOOK_AGAIN_MS = 30_000;
const POLL_MS = 100;
const INFO_TIMEOUT_MS = 5_000;

/**
 * How long an agent may take from its start to its first answer, milliseconds. Each try starts it anew, so a machine that
 * is too busy to do it in that time would never do it: after each miss it gets twice as long, 15 minutes at most.
 */
export function startTimeoutMs(misses: number): number {
  return Math.min(START_TIMEOUT_MS * 2 ** misses, LONGEST_START_MS);
}

/**
 * Idempotent. One `GET /v1/info` when the right agent runs. Throws WaitingError `NodeNotPrepared` while packages are
 * missing, TerminalError `NodeUnsupported`, RetryableError `UploadCorrupted`, `AgentNotAnswering` (a fresh install;
 * with the agent's last words) and `AgentUpgradeFailed` (the version before runs again).
 */
export async function installAgent(connection: NodeConnection, options: InstallOptions): Promise<InstallResult> {
  const { nodeName, payloads, signal } = options;
  const client = new AgentClient(connection, options.clock);
  const running = await client.info(signal, INFO_TIMEOUT_MS).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof RetryableError) return undefined;
    throw error;
  });
  if (running && options.arch && isCurrent(running, await payloads.get(options.arch, signal)))
    return { did: 'nothing', info: running };

  const facts = readFacts((await mustRun(connection, script(FACTS), signal)).stdout);
  const payload = await payloads.get(checkMachine(facts, nodeName), signal);
  if (running && isCurrent(running, payload)) return { did: 'nothing', info: running };

  const places = placesOf(payload);
  const started = options.clock.monotonic();
  const fresh = await uploadVersion(connection, payload, places, facts, options);
  const before = await activate(connection, places, facts, signal);
  const timeoutMs = options.startTimeoutMs ?? startTimeoutMs(options.misses ?? 0);
  const info = await untilCurrent(client, payload, timeoutMs, options);
  if (!info) throw await undo(connection, before, places, facts, timeoutMs, options);
  await mustRun(connection, script(SWEEP, NODE_PATHS.install, places.agent, places.runtime), signal);
  const did = before === '' ? 'installed' : before === places.agent && !fresh ? 'started' : 'upgraded';
  options.log.info('agent runs', {
    node: nodeName,
    did,
    bundle: payload.bundleHash.slice(0, 12),
    tookMs: Math.round(options.clock.monotonic() - started),
  });
  return { did, info };
}

function isCurrent(info: AgentInfo, payload: AgentPayload): boolean {
  return info.bundleHash === payload.bundleHash && info.runtimeHash === payload.runtimeHash;
}

interface Places {
  /** Folder of the runtime, by its hash. */
  readonly runtime: string;
  /** Folder of this bundle on this runtime. */
  readonly agent: string;
}

function placesOf({ bundleHash, runtimeHash }: AgentPayload): Places {
  const runtime = runtimeHash.slice(0, 16);
  return {
    runtime: `${NODE_PATHS.install}/runtime-${runtime}`,
    agent: `${NODE_PATHS.install}/agent-${bundleHash.slice(0, 16)}-${runtime}`,
  };
}

function checkMachine(facts: MachineFacts, nodeName: string): NodeArch {
  if (!facts.root)
    throw new TerminalError(
      'NodeUnsupported',
      `machine ${nodeName}: the agent needs root; set spec.user of the Machine to root`,
    );
  if (!facts.arch)
    throw new TerminalError(
      'NodeUnsupported',
      `machine ${nodeName} is ${facts.machine || 'of an unknown architecture'}; x86_64 and aarch64 are supported`,
    );
  if (!facts.glibc)
    throw new TerminalError(
      'NodeUnsupported',
      `machine ${nodeName} has no glibc, which the agent's Node.js needs; use a distribution such as Debian, Ubuntu, Fedora or SUSE`,
    );
  if (facts.missing.length > 0) {
    throw new WaitingError(
      'NodeNotPrepared',
      `machine ${nodeName} lacks ${facts.missing.join(', ')}; on it, run: apt-get install -y containerd runc containernetworking-plugins nftables iproute2`,
      LOOK_AGAIN_MS,
    );
  }
  if (!facts.containerdRunning)
    throw new WaitingError(
      'NodeNotPrepared',
      `machine ${nodeName}: containerd is installed but not running (no /run/containerd/containerd.sock); start it`,
      LOOK_AGAIN_MS,
    );
  return facts.arch;
}

/** Uploads what the machine lacks. Says whether anything was. */
async function uploadVersion(
  connection: NodeConnection,
  payload: AgentPayload,
  places: Places,
  facts: MachineFacts,
  { nodeName, log, signal }: InstallOptions,
): Promise<boolean> {
  const node = `${places.runtime}/node`;
  const bundle = `${places.agent}/agent.mjs`;
  let fresh = false;
  if ((await hashOf(connection, node, signal)) !== payload.runtimeHash) {
    log.info('pushing the runtime', { node: nodeName, compressed: facts.gzip });
    const hash = facts.gzip
      ? await pushCompressed(connection, payload, node, signal)
      : await pushPlain(connection, payload, node, signal);
    check(hash, payload.runtimeHash, node, nodeName);
    fresh = true;
  }
  if ((await hashOf(connection, bundle, signal)) !== payload.bundleHash) {
    await connection.upload(bundle, payload.bundle, 0o644, signal);
    check(await hashOf(connection, bundle, signal), payload.bundleHash, bundle, nodeName);
    fresh = true;
  }
  await connection.upload(
    `${places.agent}/start`,
    Buffer.from(`#!/bin/sh\nexec ${node} ${bundle} "$@"\n`),
    0o755,
    signal,
  );
  await mustRun(connection, ['ln', '-sfn', node, `${places.agent}/node`], signal);
  const service =
    facts.init === 'systemd'
      ? { path: NODE_PATHS.unit, text: SYSTEMD_UNIT, mode: 0o644 }
      : { path: NODE_PATHS.initScript, text: INIT_SCRIPT, mode: 0o755 };
  await connection.upload(service.path, Buffer.from(service.text), service.mode, signal);
  return fresh;
}

async function pushCompressed(
  connection: NodeConnection,
  payload: AgentPayload,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  await connection.upload(`${path}.gz`, payload.runtime('gzip'), 0o600, signal);
  return (await mustRun(connection, script(UNPACK, `${path}.gz`, path), signal)).stdout.trim();
}

async function pushPlain(
  connection: NodeConnection,
  payload: AgentPayload,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  await connection.upload(path, payload.runtime('plain'), 0o755, signal);
  return hashOf(connection, path, signal);
}

async function hashOf(connection: NodeConnection, path: string, signal: AbortSignal): Promise<string> {
  return (await mustRun(connection, script(HASH_OF, path), signal)).stdout.trim();
}

function check(hash: string, wanted: string, path: string, nodeName: string): void {
  if (hash !== wanted)
    throw new RetryableError(
      'UploadCorrupted',
      `machine ${nodeName}: ${path} has SHA-256 ${hash || '(none)'} after the upload, expected ${wanted}; is its disk full?`,
    );
}

/** Switches to the version and restarts the agent alone. Says which version was in use before; empty for none. */
async function activate(
  connection: NodeConnection,
  places: Places,
  facts: MachineFacts,
  signal: AbortSignal,
): Promise<string> {
  const before = (await mustRun(connection, script(SWITCH, NODE_PATHS.install, places.agent), signal)).stdout.trim();
  await mustRun(connection, script(RESTART, facts.init), signal);
  return before;
}

/** The agent's answer once it is the wanted one; undefined when it is not in time. */
async function untilCurrent(
  client: AgentClient,
  payload: AgentPayload,
  timeoutMs: number,
  { clock, signal }: InstallOptions,
): Promise<AgentInfo | undefined> {
  for (const end = clock.monotonic() + timeoutMs; clock.monotonic() < end; await clock.sleep(POLL_MS, signal)) {
    const info = await client.info(signal, INFO_TIMEOUT_MS).catch(() => undefined);
    signal.throwIfAborted();
    if (info && isCurrent(info, payload)) return info;
  }
  return undefined;
}

/** The new version does not answer: back to the one before, if there was another. The error to throw. */
async function undo(
  connection: NodeConnection,
  before: string,
  places: Places,
  facts: MachineFacts,
  timeoutMs: number,
  options: InstallOptions,
): Promise<Error> {
  const { signal, nodeName } = options;
  const words = (await connection.run(script(LAST_WORDS, facts.init, AGENT_LOG), { signal })).stdout
    .trim()
    .split('\n')
    .slice(-5)
    .join(' | ');
  const said = words === '' ? '' : `; its last words: ${words}`;
  if (before === '' || before === places.agent) {
    return new RetryableError(
      'AgentNotAnswering',
      `machine ${nodeName}: the agent was started but did not answer within ${timeoutMs} ms${said}`,
    );
  }
  await connection.run(script(SWITCH, NODE_PATHS.install, before), { signal });
  await connection.run(script(RESTART, facts.init), { signal });
  return new TerminalError(
    'AgentUpgradeFailed',
    `machine ${nodeName}: the new agent did not answer within ${timeoutMs} ms, so the one before runs again${said}`,
  );
}

async function mustRun(
  connection: NodeConnection,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly stdout: string }> {
  const result = await connection.run(argv, { signal });
  if (result.code !== 0)
    throw new RetryableError(
      'NodeCommandFailed',
      `machine ${connection.target.name}: a step of the installation failed with code ${result.code}: ${result.stderr.trim().slice(0, 500)}`,
    );
  return result;
}
