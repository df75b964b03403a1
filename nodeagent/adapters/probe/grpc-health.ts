/** The gRPC health check. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
import type { IncomingHttpHeaders } from 'node:http2';
import { GRPC_CODE, grpcFrame, takeGrpcMessages } from '../../core/wire/grpc-frame.ts';
import { decode, encode, int, text } from '../../core/wire/protobuf.ts';
import type { ProbeAnswer } from '../../ports/probe-runner.ts';

const HealthCheckRequest = { service: text(1) };
const HealthCheckResponse = { status: int(1) };
const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export function checkGrpcHealth(target: { readonly host: string; readonly port: number; readonly service: string }, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer> {
  const http2 = process.getBuiltinModule('node:http2');
  const address = `${target.host}:${target.port}`;
  return new Promise((resolve) => {
    const session = http2.connect(`http://${address}`);
    const finish = (outcome: ProbeAnswer['outcome'], message: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      session.destroy();
      resolve({ outcome, message });
    };
    const abort = (): void => finish('unknown', 'given up');
    const timer = setTimeout(() => finish('failure', `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s`), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    session.on('error', (cause: Error) => finish('failure', `error: failed to connect service "${address}": ${cause.message}`));
    const stream = session.request({ ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'kube-probe/1.31' });
    let received = Buffer.alloc(0);
    let code: string | undefined;
    stream.on('response', (headers) => { code = headers['grpc-status'] as string | undefined; });
    stream.on('trailers', (headers: IncomingHttpHeaders) => { code = headers['grpc-status'] as string | undefined; });
    stream.on('data', (chunk: Buffer) => { received = Buffer.concat([received, chunk]); });
    stream.on('error', (cause: Error) => finish('failure', `error: health rpc failed: ${cause.message}`));
    stream.on('end', () => {
      const [answer] = takeGrpcMessages(received).messages;
      if (Number(code) === GRPC_CODE.unimplemented) finish('failure', 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)');
      else if (code !== '0' || !answer) finish('failure', `error: health rpc failed with code ${code ?? 'none'}`);
      else {
        const { status } = decode(HealthCheckResponse, answer);
        finish(status === SERVING ? 'success' : 'failure', `service "${target.service}" status: ${STATUS_NAMES[status] ?? status}`);
      }
    });
    stream.end(grpcFrame(encode(HealthCheckRequest, { service: target.service })));
  });
}
