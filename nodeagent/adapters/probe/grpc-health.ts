/** The gRPC health check. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
import { connect } from 'node:net';
import { errorText } from '../../../contracts/errors.ts';
import { GRPC_CODE, grpcFrame, GrpcMessages } from '../../core/wire/grpc-frame.ts';
import { Http2Client, type Http2Event } from '../../core/wire/http2-client.ts';
import { decode, encode, int, text } from '../../core/wire/protobuf.ts';
import type { ProbeAnswer } from '../../ports/probe-runner.ts';
import type { Asking } from './asking.ts';

const HealthCheckRequest = { service: text(1) };
const HealthCheckResponse = { status: int(1) };
const SERVING = 1;
/** All that a server may send us for one answer, in frames of any kind: a real one needs some hundred bytes. */
const ANSWER_BYTES = 64 * 1024;
const MESSAGE_BYTES = 4096;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export function checkGrpcHealth(
  target: { readonly host: string; readonly port: number; readonly service: string },
  { timeoutMs, deadline, caller }: Asking,
): Promise<ProbeAnswer> {
  const address = `${target.host}:${target.port}`;
  return new Promise((resolve) => {
    const http2 = new Http2Client();
    http2.request(
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/grpc.health.v1.Health/Check'],
        [':authority', address],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
        ['user-agent', 'kube-probe/1.31'],
      ],
      grpcFrame(encode(HealthCheckRequest, { service: target.service })),
    );
    const socket = connect({ host: target.host, port: target.port });
    const finish = (outcome: ProbeAnswer['outcome'], message: string): void => {
      deadline.removeEventListener('abort', over);
      socket.destroy();
      resolve({ outcome, message });
    };
    const over = (): void =>
      caller.aborted
        ? finish('unknown', 'given up')
        : finish('failure', `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s`);
    deadline.addEventListener('abort', over, { once: true });
    const answer: Answer = { reader: new GrpcMessages(MESSAGE_BYTES), message: undefined, code: undefined };
    let received = 0;
    socket.on('connect', () => socket.write(http2.takeOutput()));
    socket.on('data', (chunk) => {
      try {
        received += chunk.length;
        if (received > ANSWER_BYTES) throw new RangeError(`an answer of more than ${ANSWER_BYTES} bytes`);
        for (const event of http2.receive(chunk))
          if (take(answer, event)) return finish(...verdict(answer, target.service));
        socket.write(http2.takeOutput());
      } catch (cause) {
        finish('failure', `error: health rpc failed: ${errorText(cause)}`);
      }
    });
    socket.on('error', (cause) => finish('failure', `error: failed to connect service "${address}": ${cause.message}`));
    socket.on('close', () => finish('failure', 'error: health rpc failed: the connection was closed'));
  });
}

interface Answer {
  readonly reader: GrpcMessages;
  message: Buffer | undefined;
  code: string | undefined;
}

/** Tells whether the answer is whole. */
function take(answer: Answer, event: Http2Event): boolean {
  if (event.type === 'headers')
    answer.code = event.headers.find(([name]) => name === 'grpc-status')?.[1] ?? answer.code;
  if (event.type === 'data') answer.message ??= answer.reader.push(event.data)[0];
  return event.type === 'reset' || event.type === 'goaway' || event.last;
}

function verdict({ code, message }: Answer, service: string): [ProbeAnswer['outcome'], string] {
  if (Number(code) === GRPC_CODE.unimplemented)
    return ['failure', 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'];
  if (code !== '0' || !message) return ['failure', `error: health rpc failed with code ${code ?? 'none'}`];
  const { status } = decode(HealthCheckResponse, message);
  return [status === SERVING ? 'success' : 'failure', `service "${service}" status: ${STATUS_NAMES[status] ?? status}`];
}
