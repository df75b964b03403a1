/** The agent protocol (contracts/agent) as calls over one connection. */
import type { z } from 'zod';
import {
  AGENT_API,
  AgentError,
  AgentInfo,
  AssignmentAck,
  NetworkProbeResults,
  NetworkReport,
  NODE_PATHS,
  StatusLine,
  USAGE_BYTES,
  UsageReport,
  type NetworkProbe,
} from '../../../contracts/agent/index.ts';
import { NETWORK_LIMITS } from '../../../contracts/agent/network-limits.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HttpAnswer, HttpQuestion, NodeConnection } from '../../ports/node-transport.ts';
import { ToldParts, type AlikeParts, type ToldPart } from './alike-parts.ts';
import { assignmentBody, type Assignment } from './assignment-body.ts';
import { INVENTORY_LIMITS, InventoryReader, type AlikeLines, type Inventory } from './inventory.ts';
import { linesOf } from './lines.ts';

/** `mismatch`: the agent is at another version than the update starts from. */
export type AssignmentAnswer =
  | { readonly outcome: 'taken'; readonly version: string }
  | { readonly outcome: 'mismatch'; readonly version: string | null };

/** An agent that takes longer for a short call is stuck. */
const CALL_TIMEOUT_MS = 15_000;
const INVENTORY_TIMEOUT_MS = 30_000;
/** A line of the status stream: a pod with a hundred containers that all left a termination message stays below. */
const MAX_LINE = 1024 * 1024;

/**
 * Every call throws RetryableError `AgentUnreachable` when the agent does not answer, `AgentFailed` when it answers
 * with an error.
 */
export class AgentClient {
  readonly #connection: NodeConnection;
  readonly #clock: Pick<Clock, 'deadline'>;

  constructor(connection: NodeConnection, clock: Pick<Clock, 'deadline'>) {
    this.#connection = connection;
    this.#clock = clock;
  }

  async info(signal: AbortSignal, timeoutMs = CALL_TIMEOUT_MS): Promise<AgentInfo> {
    return parsed(AgentInfo, await this.#call('GET', '/info', signal, timeoutMs), 'info');
  }

  /** What the node and its containers take; measured now. */
  async usage(signal: AbortSignal): Promise<UsageReport> {
    const question: HttpQuestion = { method: 'GET', path: '/usage', maxBytes: USAGE_BYTES };
    return parsed(UsageReport, succeeded(await this.#send(question, signal, CALL_TIMEOUT_MS), 'usage'), 'usage');
  }

  /** What the node's network is now; with `service` (`NAMESPACE/NAME`) also what it forwards for it. */
  async network(service: string | undefined, signal: AbortSignal, timeoutMs = CALL_TIMEOUT_MS): Promise<NetworkReport> {
    const query = service === undefined ? '' : `?service=${encodeURIComponent(service)}`;
    const question: HttpQuestion = { method: 'GET', path: `/network${query}`, maxBytes: NETWORK_LIMITS.bytes };
    return parsed(NetworkReport, succeeded(await this.#send(question, signal, timeoutMs), 'network'), 'network');
  }

  /** Has the node try these; results in their order. */
  async probes(
    probes: readonly NetworkProbe[],
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<NetworkProbeResults['results']> {
    const question: HttpQuestion = {
      method: 'POST',
      path: '/network/probes',
      body: JSON.stringify({ probes }),
      maxBytes: NETWORK_LIMITS.bytes,
    };
    const answer = succeeded(await this.#send(question, signal, timeoutMs), 'probes');
    const { results } = parsed(NetworkProbeResults, answer, 'probes');
    if (results.length !== probes.length)
      throw new RetryableError('AgentFailed', `the agent answered ${results.length} of ${probes.length} probes`);
    return results;
  }

  /**
   * Read line by line, so that a long one holds nothing up; from agents of before the lines whole, within the same
   * bounds. `ofPods`: claims of pods alone are wanted, and the keys of all else. `parts`: what all nodes hold alike is wanted
   * by way of its digests, or not at all.
   */
  async inventory(
    signal: AbortSignal,
    {
      timeoutMs = INVENTORY_TIMEOUT_MS,
      ofPods = false,
      alike,
      parts,
    }: {
      readonly timeoutMs?: number;
      readonly ofPods?: boolean;
      readonly alike?: AlikeLines;
      readonly parts?: AlikeParts | 'unread';
    } = {},
  ): Promise<Inventory> {
    using limit = this.#clock.deadline(timeoutMs, signal);
    const reader = new InventoryReader(alike);
    try {
      const { status, body } = await this.#connection.httpStream(
        NODE_PATHS.socket,
        `${AGENT_API}/inventory/lines${ofPods ? '?claims=Pod' : parts ? '?alike=digests' : ''}`,
        limit.signal,
      );
      if (status === 200) {
        for await (const lines of linesOf(body, INVENTORY_LIMITS)) for (const line of lines) reader.take(line);
      } else {
        body.destroy();
        if (status !== 404) throw new RetryableError('AgentFailed', `the agent answered ${status} to inventory`);
        const answer = await this.#connection.http(
          NODE_PATHS.socket,
          { method: 'GET', path: `${AGENT_API}/inventory`, maxBytes: INVENTORY_LIMITS.total },
          limit.signal,
        );
        if (answer.status !== 200) throw failed(answer, 'inventory');
        reader.takeWhole(answer.body.toString('utf8'));
      }
      const told = reader.finish();
      if (!reader.digests || parts === undefined || parts === 'unread') return told;
      return { ...told, alike: await parts.of(reader.digests, (wanted) => this.#alike(wanted, limit.signal)) };
    } catch (cause) {
      signal.throwIfAborted();
      if (limit.signal.aborted)
        throw new RetryableError('AgentUnreachable', `the agent did not tell its inventory within ${timeoutMs} ms`, {
          cause,
        });
      throw cause;
    }
  }

  async #alike(parts: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<number, ToldPart>> {
    const { status, body } = await this.#connection.httpStream(
      NODE_PATHS.socket,
      `${AGENT_API}/inventory/alike?parts=${parts.join(',')}`,
      signal,
    );
    if (status !== 200) {
      body.destroy();
      throw new RetryableError('AgentFailed', `the agent answered ${status} to inventory`);
    }
    const told = new ToldParts();
    for await (const lines of linesOf(body, INVENTORY_LIMITS)) for (const line of lines) told.take(line);
    return told.finish();
  }

  /** TerminalError `StaleEpoch` when another control plane with a newer store owns the node. */
  async assign(update: Assignment, signal: AbortSignal, takesGzip = false): Promise<AssignmentAnswer> {
    const body = await assignmentBody(update, takesGzip);
    const answer = await this.#send({ method: 'POST', path: '/assignment', ...body }, signal, CALL_TIMEOUT_MS);
    if (answer.status === 200)
      return { outcome: 'taken', version: parsed(AssignmentAck, answer, 'assignment').version };
    const error = errorOf(answer);
    if (answer.status === 409 && error.code === 'VersionMismatch')
      return { outcome: 'mismatch', version: error.version ?? null };
    throw failed(answer, 'assignment');
  }

  /**
   * The status stream, some lines at a time, until it ends. Lines of kinds that this version does not know are left
   * out.
   */
  async *status(signal: AbortSignal): AsyncGenerator<readonly StatusLine[]> {
    const { status, body } = await this.#connection.httpStream(NODE_PATHS.socket, `${AGENT_API}/status`, signal);
    if (status !== 200) throw new RetryableError('AgentFailed', `the agent answered ${status} to status`);
    for await (const lines of linesOf(body, { line: MAX_LINE })) yield lines.flatMap((line) => statusLine(line));
  }

  async #call(method: 'GET' | 'POST', path: string, signal: AbortSignal, timeoutMs: number): Promise<HttpAnswer> {
    return succeeded(await this.#send({ method, path }, signal, timeoutMs), path.slice(1));
  }

  async #send(question: HttpQuestion, signal: AbortSignal, timeoutMs: number): Promise<HttpAnswer> {
    const { path } = question;
    using limit = this.#clock.deadline(timeoutMs, signal);
    try {
      return await this.#connection.http(NODE_PATHS.socket, { ...question, path: AGENT_API + path }, limit.signal);
    } catch (cause) {
      signal.throwIfAborted();
      if (limit.signal.aborted)
        throw new RetryableError('AgentUnreachable', `the agent did not answer ${path} within ${timeoutMs} ms`, {
          cause,
        });
      throw cause;
    }
  }
}

function succeeded(answer: HttpAnswer, what: string): HttpAnswer {
  if (answer.status !== 200) throw failed(answer, what);
  return answer;
}

function parsed<T>(schema: z.ZodType<T>, answer: HttpAnswer, what: string): T {
  try {
    return schema.parse(JSON.parse(answer.body.toString('utf8')));
  } catch (cause) {
    throw new RetryableError(
      'AgentFailed',
      `the agent's answer to ${what} cannot be read: ${(cause as Error).message.slice(0, 300)}`,
      { cause },
    );
  }
}

function statusLine(line: string): StatusLine[] {
  if (line === '') return [];
  try {
    return [StatusLine.parse(JSON.parse(line))];
  } catch {
    return [];
  }
}

function errorOf(answer: HttpAnswer): AgentError {
  try {
    return AgentError.parse(JSON.parse(answer.body.toString('utf8')));
  } catch {
    return { code: 'AgentFailed', message: `HTTP ${answer.status}: ${answer.body.toString('utf8', 0, 300)}` };
  }
}

function failed(answer: HttpAnswer, what: string): Error {
  const { code, message } = errorOf(answer);
  if (code === 'StaleEpoch')
    return new TerminalError(
      'StaleEpoch',
      `a control plane with a newer store owns this node: ${message}; stop this one, or let it recover`,
    );
  return new RetryableError('AgentFailed', `the agent refused ${what}: ${code}: ${message}`);
}
