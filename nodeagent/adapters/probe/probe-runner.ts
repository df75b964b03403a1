/** Probes over HTTP, TCP and gRPC, and by a command in the container. Source: Kubernetes documentation, "Types of probe". */
import type { IncomingMessage, RequestOptions } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { ProbeTarget } from '../../core/probe/target.ts';
import { RuntimeError, type ContainerRuntime } from '../../ports/container-runtime.ts';
import type { ProbeAnswer, ProbeRunner } from '../../ports/probe-runner.ts';
import { checkGrpcHealth } from './grpc-health.ts';

const http = process.getBuiltinModule('node:http');

const MOST_REDIRECTS = 10;
/** Kept of a command's output, for an event. */
const OUTPUT_SHOWN = 500;

export function probeRunner(runtime: Pick<ContainerRuntime, 'execSync'>): ProbeRunner {
  return {
    async run(target, timeoutSeconds, signal) {
      try {
        switch (target.kind) {
          case 'exec': return await execProbe(runtime, target, timeoutSeconds, signal);
          case 'tcp': return await tcpProbe(target, timeoutSeconds * 1000, signal);
          case 'http': return await httpProbe(target, timeoutSeconds * 1000, signal);
          case 'grpc': return await checkGrpcHealth(target, timeoutSeconds * 1000, signal);
        }
      } catch (cause) {
        return signal.aborted ? { outcome: 'unknown', message: 'given up' } : { outcome: 'failure', message: cause instanceof Error ? cause.message : String(cause) };
      }
    },
  };
}

async function execProbe(runtime: Pick<ContainerRuntime, 'execSync'>, target: Extract<ProbeTarget, { kind: 'exec' }>, timeoutSeconds: number, signal: AbortSignal): Promise<ProbeAnswer> {
  try {
    const done = await runtime.execSync(target.containerId, target.command, timeoutSeconds, signal);
    const output = `${done.stdout.toString('utf8')}${done.stderr.toString('utf8')}`.trim().slice(0, OUTPUT_SHOWN);
    return { outcome: done.exitCode === 0 ? 'success' : 'failure', message: output === '' ? `exit code ${done.exitCode}` : output };
  } catch (cause) {
    // A runtime that does not answer says nothing of the container.
    if (cause instanceof RuntimeError && (cause.failure === 'Unavailable' || cause.failure === 'NotFound' || cause.failure === 'Cancelled')) return { outcome: 'unknown', message: cause.message };
    if (cause instanceof RuntimeError && cause.failure === 'Timeout') return { outcome: 'failure', message: `command timed out after ${timeoutSeconds}s` };
    throw cause;
  }
}

function tcpProbe(target: { readonly host: string; readonly port: number }, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: target.host, port: target.port });
    const finish = (answer: ProbeAnswer): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(answer);
    };
    const abort = (): void => finish({ outcome: 'unknown', message: 'given up' });
    signal.addEventListener('abort', abort, { once: true });
    socket.setTimeout(timeoutMs, () => finish({ outcome: 'failure', message: `dial tcp ${target.host}:${target.port}: i/o timeout` }));
    socket.once('connect', () => finish({ outcome: 'success', message: '' }));
    socket.once('error', (cause) => finish({ outcome: 'failure', message: `dial tcp ${target.host}:${target.port}: ${cause.message}` }));
  });
}

type HttpTarget = Extract<ProbeTarget, { kind: 'http' }>;

async function httpProbe(target: HttpTarget, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, late]);
  let url = new URL(`${target.scheme}://${target.host}:${target.port}${target.path}`);
  try {
    for (let hops = 0; hops <= MOST_REDIRECTS; hops += 1) {
      const { status, location } = await get(url, target.headers, either);
      if (status >= 200 && status < 300) return { outcome: 'success', message: `HTTP ${status}` };
      if (status >= 400 || status < 200) return { outcome: 'failure', message: `HTTP probe failed with statuscode: ${status}` };
      const next = location === undefined ? undefined : new URL(location, url);
      // A redirect to another host is taken for an answer: it is not the container's word on its health.
      if (!next || next.hostname !== url.hostname) return { outcome: 'success', message: `HTTP ${status}` };
      url = next;
    }
    return { outcome: 'failure', message: `stopped after ${MOST_REDIRECTS} redirects` };
  } catch (cause) {
    if (signal.aborted) return { outcome: 'unknown', message: 'given up' };
    const why = late.aborted ? 'context deadline exceeded' : cause instanceof Error ? cause.message : String(cause);
    return { outcome: 'failure', message: `Get "${url.href}": ${why}` };
  }
}

async function get(url: URL, headers: HttpTarget['headers'], signal: AbortSignal): Promise<{ status: number; location: string | undefined }> {
  const fields: Record<string, string> = { 'User-Agent': 'kube-probe/1.31', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of headers) fields[name] = value;
  const options: RequestOptions = { method: 'GET', headers: fields, signal, agent: false };
  // A probe checks that something answers, not whose certificate it shows.
  const send = url.protocol === 'https:' ? (await import('node:https')).request(url, { ...options, rejectUnauthorized: false }) : http.request(url, options);
  return new Promise((resolve, reject) => {
    send.once('response', (response: IncomingMessage) => {
      response.destroy();
      resolve({ status: response.statusCode ?? 0, location: response.headers.location });
    });
    // Closing an answer early may still raise an error: nobody waits for it then.
    send.on('error', reject);
    send.end();
  });
}
