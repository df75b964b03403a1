/** The agent protocol (contracts/agent) as calls over one connection. */
import type { z } from 'zod';
import {
  AGENT_API, AgentError, AgentInfo, AssignmentAck, Inventory, NODE_PATHS, StatusLine, type AssignmentUpdate,
} from '../../../contracts/agent/index.ts';
import { RetryableError, TerminalError } from '../../core/errors.ts';
import type { HttpAnswer, NodeConnection } from '../../ports/node-transport.ts';

/** `mismatch`: the agent is at another version than the update starts from. */
export type AssignmentAnswer =
  | { readonly outcome: 'taken'; readonly version: string }
  | { readonly outcome: 'mismatch'; readonly version: string | null };

/** An agent that takes longer for a short call is stuck. */
const CALL_TIMEOUT_MS = 15_000;
/** A line of the status stream: a pod with many containers stays far below. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

/** Every call throws RetryableError `AgentUnreachable` when the agent does not answer, `AgentFailed` when it answers with an error. */
export class AgentClient {
  readonly #connection: NodeConnection;

  constructor(connection: NodeConnection) {
    this.#connection = connection;
  }

  async info(signal: AbortSignal, timeoutMs = CALL_TIMEOUT_MS): Promise<AgentInfo> {
    return parsed(AgentInfo, await this.#call('GET', '/info', undefined, signal, timeoutMs), 'info');
  }

  async inventory(signal: AbortSignal, timeoutMs = CALL_TIMEOUT_MS): Promise<Inventory> {
    return parsed(Inventory, await this.#call('GET', '/inventory', undefined, signal, timeoutMs), 'inventory');
  }

  /** TerminalError `StaleEpoch` when another control plane with a newer store owns the node. */
  async assign(update: AssignmentUpdate, signal: AbortSignal): Promise<AssignmentAnswer> {
    const answer = await this.#send('POST', '/assignment', JSON.stringify(update), signal, CALL_TIMEOUT_MS);
    if (answer.status === 200) return { outcome: 'taken', version: parsed(AssignmentAck, answer, 'assignment').version };
    const error = errorOf(answer);
    if (answer.status === 409 && error.code === 'VersionMismatch') return { outcome: 'mismatch', version: error.version ?? null };
    throw failed(answer, 'assignment');
  }

  /** The status stream, some lines at a time, until it ends. Lines of kinds that this version does not know are left out. */
  async *status(signal: AbortSignal): AsyncGenerator<readonly StatusLine[]> {
    const { status, body } = await this.#connection.httpStream(NODE_PATHS.socket, `${AGENT_API}/status`, signal);
    if (status !== 200) throw new RetryableError('AgentFailed', `the agent answered ${status} to status`);
    let rest = '';
    body.setEncoding('utf8');
    try {
      for await (const chunk of body as AsyncIterable<string>) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > MAX_LINE_BYTES) throw new RetryableError('AgentFailed', 'the agent sends a status line without an end');
        yield lines.flatMap((line) => statusLine(line));
      }
    } finally {
      body.destroy();
    }
  }

  async #call(method: 'GET' | 'POST', path: string, body: string | undefined, signal: AbortSignal, timeoutMs: number): Promise<HttpAnswer> {
    const answer = await this.#send(method, path, body, signal, timeoutMs);
    if (answer.status !== 200) throw failed(answer, path.slice(1));
    return answer;
  }

  async #send(method: 'GET' | 'POST', path: string, body: string | undefined, signal: AbortSignal, timeoutMs: number): Promise<HttpAnswer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await this.#connection.http(NODE_PATHS.socket, { method, path: AGENT_API + path, ...(body !== undefined && { body }) }, AbortSignal.any([signal, timeout]));
    } catch (cause) {
      signal.throwIfAborted();
      if (timeout.aborted) throw new RetryableError('AgentUnreachable', `the agent did not answer ${path} within ${timeoutMs} ms`, { cause });
      throw cause;
    }
  }
}

function parsed<T>(schema: z.ZodType<T>, answer: HttpAnswer, what: string): T {
  try {
    return schema.parse(JSON.parse(answer.body.toString('utf8')));
  } catch (cause) {
    throw new RetryableError('AgentFailed', `the agent's answer to ${what} cannot be read: ${(cause as Error).message.slice(0, 300)}`, { cause });
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
  if (code === 'StaleEpoch') return new TerminalError('StaleEpoch', `a control plane with a newer store owns this node: ${message}; stop this one, or let it recover`);
  return new RetryableError('AgentFailed', `the agent refused ${what}: ${code}: ${message}`);
}
