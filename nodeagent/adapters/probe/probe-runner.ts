/**
 * Probes over HTTP, TCP and gRPC, and by a command in the container. Source: Kubernetes documentation, "Types of
 * probe".
 */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import type { ProbeTarget } from '../../core/probe/target.ts';
import type { Clock } from '../../ports/clock.ts';
import { RuntimeError, type ContainerRuntime } from '../../ports/container-runtime.ts';
import type { ProbeAnswer, ProbeRunner } from '../../ports/probe-runner.ts';
import type { Asking } from './asking.ts';
import { checkGrpcHealth } from './grpc-health.ts';

const http = process.getBuiltinModule('node:http');

/** As Go's HTTP client, which kubelet uses: these statuses only, and ten requests in all. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const MOST_REQUESTS = 10;
/** Kept of a command's output, for an event. */
const OUTPUT_SHOWN = 500;

export function probeRunner(runtime: Pick<ContainerRuntime, 'execSync'>, clock: Pick<Clock, 'deadline'>): ProbeRunner {
  return {
    async run(target, timeoutSeconds, caller) {
      try {
        caller.throwIfAborted();
        if (target.kind === 'exec') return await execProbe(runtime, target, timeoutSeconds, caller);
        const timeoutMs = timeoutSeconds * 1000;
        using deadline = clock.deadline(timeoutMs, caller);
        const asking = { timeoutMs, deadline: deadline.signal, caller };
        switch (target.kind) {
          case 'tcp':
            return await tcpProbe(target, asking);
          case 'http':
            return await httpProbe(target, asking);
          case 'grpc':
            return await checkGrpcHealth(target, asking);
        }
      } catch (cause) {
        return caller.aborted ? GIVEN_UP : { outcome: 'failure', message: errorText(cause) };
      }
    },
  };
}

const GIVEN_UP: ProbeAnswer = { outcome: 'unknown', message: 'given up' };

async function execProbe(
  runtime: Pick<ContainerRuntime, 'execSync'>,
  target: Extract<ProbeTarget, { kind: 'exec' }>,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  try {
    const done = await runtime.execSync(target.containerId, target.command, timeoutSeconds, signal);
    const output = `${done.stdout.toString('utf8')}${done.stderr.toString('utf8')}`.trim().slice(0, OUTPUT_SHOWN);
    return {
      outcome: done.exitCode === 0 ? 'success' : 'failure',
      message: output === '' ? `exit code ${done.exitCode}` : output,
    };
  } catch (cause) {
    // A runtime that does not answer says nothing of the container.
    if (
      cause instanceof RuntimeError &&
      (cause.failure === 'Unavailable' || cause.failure === 'NotFound' || cause.failure === 'Cancelled')
    )
      return { outcome: 'unknown', message: cause.message };
    if (cause instanceof RuntimeError && cause.failure === 'Timeout')
      return { outcome: 'failure', message: `command timed out after ${timeoutSeconds}s` };
    throw cause;
  }
}

function tcpProbe(
  target: { readonly host: string; readonly port: number },
  { deadline, caller }: Asking,
): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: target.host, port: target.port });
    const finish = (answer: ProbeAnswer): void => {
      deadline.removeEventListener('abort', over);
      socket.destroy();
      resolve(answer);
    };
    const over = (): void =>
      finish(
        caller.aborted
          ? GIVEN_UP
          : { outcome: 'failure', message: `dial tcp ${target.host}:${target.port}: i/o timeout` },
      );
    deadline.addEventListener('abort', over, { once: true });
    socket.once('connect', () => finish({ outcome: 'success', message: '' }));
    socket.once('error', (cause) =>
      finish({ outcome: 'failure', message: `dial tcp ${target.host}:${target.port}: ${cause.message}` }),
    );
  });
}

type HttpTarget = Extract<ProbeTarget, { kind: 'http' }>;

/**
 * By the status alone: no byte of a body is waited for. Source of redirects: Kubernetes pkg/probe/http,
 * RedirectChecker.
 */
async function httpProbe(target: HttpTarget, { deadline, caller }: Asking): Promise<ProbeAnswer> {
  let url = new URL(`${target.scheme}://${target.host}:${target.port}${target.path}`);
  try {
    for (let requests = 0; requests < MOST_REQUESTS; requests += 1) {
      const { status, location } = await get(url, target.headers, deadline);
      if (status >= 400 || status < 200)
        return { outcome: 'failure', message: `HTTP probe failed with statuscode: ${status}` };
      const next = location === undefined || !REDIRECTS.includes(status) ? undefined : new URL(location, url);
      // A redirect to another host is taken for an answer: it is not the container's word on its health.
      if (!next || next.hostname !== url.hostname) return { outcome: 'success', message: `HTTP ${status}` };
      url = next;
    }
    return { outcome: 'failure', message: `Get "${url.href}": stopped after ${MOST_REQUESTS} redirects` };
  } catch (cause) {
    if (caller.aborted) return GIVEN_UP;
    const why = deadline.aborted ? 'context deadline exceeded' : errorText(cause);
    return { outcome: 'failure', message: `Get "${url.href}": ${why}` };
  }
}

async function get(
  url: URL,
  headers: HttpTarget['headers'],
  signal: AbortSignal,
): Promise<{ status: number; location: string | undefined }> {
  const fields: Record<string, string> = { 'User-Agent': 'kube-probe/1.31', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of headers) fields[name] = value;
  const options: RequestOptions = { method: 'GET', headers: fields, signal, agent: false };
  // A probe checks that something answers, not whose certificate it shows.
  const send =
    url.protocol === 'https:'
      ? (await import('node:https')).request(url, { ...options, rejectUnauthorized: false })
      : http.request(url, options);
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage): void => {
      response.destroy();
      send.destroy();
      resolve({ status: response.statusCode ?? 0, location: response.headers.location });
    };
    send.once('response', answered);
    // "101 Switching Protocols" is an answer too. Without this listener neither an answer nor an error would be heard
    // of, ever.
    send.once('upgrade', answered);
    // Closing an answer early may still raise an error: nobody waits for it then.
    send.on('error', reject);
    send.end();
  });
}
