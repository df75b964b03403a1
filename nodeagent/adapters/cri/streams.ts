/**
 * Streams into a container: the runtime's streaming server, spoken to as kubectl does over SPDY/3.1. Sources:
 * Kubernetes, staging/src/k8s.io/apimachinery/pkg/util/remotecommand and portforward constants.
 */
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { dataFrames, openStreamFrame, pingFrame, takeSpdyFrames } from '../../core/wire/spdy.ts';
import { RuntimeError, type ContainerStreams } from '../../ports/container-runtime.ts';

const http = process.getBuiltinModule('node:http');

const CONNECT_MS = 30_000;

interface Exit {
  readonly exitCode: number;
  readonly message?: string;
}

/** One stream of a session: what it is called here, and the headers that open it. */
interface Opening {
  readonly name: 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize' | 'data';
  readonly headers: Readonly<Record<string, string>>;
}

/** Opens the session of a command, or of a container's main process, at a one-time address that the runtime gave. */
export async function openCommandStreams(
  url: string,
  options: { readonly tty: boolean; readonly stdin: boolean },
  signal: AbortSignal,
): Promise<ContainerStreams> {
  const names = [
    'error',
    ...(options.stdin ? (['stdin'] as const) : []),
    'stdout',
    options.tty ? 'resize' : 'stderr',
  ] as const;
  const openings = names.map((name): Opening => ({ name, headers: { streamtype: name } }));
  return openStreams(url, 'v4.channel.k8s.io', openings, readVerdict, signal);
}

/** Opens a connection to a port of a pod: `stdin` is what it is sent, `stdout` what it answers. */
export async function openPortStreams(url: string, port: number, signal: AbortSignal): Promise<ContainerStreams> {
  const headers = { port: String(port), requestid: '0' };
  const openings: readonly Opening[] = [
    { name: 'error', headers: { streamtype: 'error', ...headers } },
    { name: 'data', headers: { streamtype: 'data', ...headers } },
  ];
  const verdict = (text: string): Exit => (text === '' ? { exitCode: 0 } : { exitCode: 1, message: text });
  return openStreams(url, 'portforward.k8s.io', openings, verdict, signal);
}

async function openStreams(
  url: string,
  protocol: string,
  openings: readonly Opening[],
  readVerdict: (text: string) => Exit,
  signal: AbortSignal,
): Promise<ContainerStreams> {
  const { socket, head } = await upgrade(url, protocol, signal);
  const idOf = (wanted: Opening['name']): number | undefined => {
    const at = openings.findIndex(({ name }) => name === wanted);
    return at < 0 ? undefined : at * 2 + 1;
  };
  openings.forEach(({ headers }, index) => socket.write(openStreamFrame(index * 2 + 1, headers, index === 0)));
  const [resizeId, stderrId, inputId] = [idOf('resize'), idOf('stderr'), idOf('stdin') ?? idOf('data')];

  const resume = (): void => {
    socket.resume();
  };
  const stdout = new Readable({ read: resume });
  const stderr = stderrId === undefined ? undefined : new Readable({ read: resume });
  const stdin = inputId === undefined ? undefined : stdinOf(socket, inputId);
  const verdict: Buffer[] = [];

  const exit = new Promise<Exit>((resolve, reject) => {
    let buffered: Buffer = head;
    let open = openings.filter(({ name }) => endsThere(name)).length;
    let settled = false;
    const settle = (): void => {
      settled = true;
      stdout.push(null);
      stderr?.push(null);
      socket.end();
      resolve(readVerdict(Buffer.concat(verdict).toString('utf8')));
    };
    const finish = (name: Opening['name']): void => {
      if (name === 'stdout' || name === 'data') stdout.push(null);
      if (name === 'stderr') stderr?.push(null);
      open -= 1;
      if (open === 0 && !settled) settle();
      // A stream that ended while it was full never asks for more.
      else resume();
    };
    const receive = (chunk: Buffer): void => {
      const taken = takeSpdyFrames(buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]));
      buffered = taken.rest;
      for (const event of taken.events) {
        if (event.type === 'ping') socket.write(pingFrame(event.payload));
        if (event.type !== 'data') continue;
        const name = openings[(event.streamId - 1) / 2]?.name;
        if (name === undefined) continue;
        if (name === 'error') verdict.push(event.data);
        const to = name === 'stdout' || name === 'data' ? stdout : name === 'stderr' ? stderr : undefined;
        const wantsMore = to?.push(event.data) ?? true;
        if (!wantsMore && event.data.length > 0) socket.pause();
        if (event.last && endsThere(name)) finish(name);
      }
    };
    const broken = (cause?: Error): void => {
      if (settled) return;
      // The server closes the connection behind its last word without closing every stream.
      if (verdict.length > 0) return settle();
      settled = true;
      stdout.push(null);
      stderr?.push(null);
      reject(new RuntimeError('Unavailable', 'the connection to the container broke off', { cause }));
    };
    socket.on('data', receive);
    socket.on('error', broken);
    socket.on('close', () => broken());
    receive(Buffer.alloc(0));
  });
  // A caller that closes the session without waiting for its end has no use for the rejection.
  exit.catch(() => undefined);

  return {
    stdin,
    stdout,
    stderr,
    exit,
    resize(width, height) {
      if (resizeId !== undefined)
        socket.write(dataFrames(resizeId, Buffer.from(`${JSON.stringify({ Width: width, Height: height })}\n`), false));
    },
    close() {
      socket.destroy();
      // What nobody takes any more would keep them from their end.
      stdout.destroy();
      stderr?.destroy();
    },
  };
}

function stdinOf(socket: Socket, streamId: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      socket.write(dataFrames(streamId, chunk, false), () => done());
    },
    final(done) {
      socket.write(dataFrames(streamId, Buffer.alloc(0), true), () => done());
    },
  });
}

/** Whether the runtime is who says the last of it. */
function endsThere(name: Opening['name']): boolean {
  return name !== 'stdin' && name !== 'resize';
}

/** The error stream's last word: a Kubernetes Status. */
function readVerdict(text: string): Exit {
  if (text === '') return { exitCode: 0 };
  try {
    const status = JSON.parse(text) as {
      status?: string;
      message?: string;
      details?: { causes?: { reason?: string; message?: string }[] };
    };
    if (status.status === 'Success') return { exitCode: 0 };
    const code = status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
    if (code !== undefined) return { exitCode: Number(code) };
    return { exitCode: 1, message: status.message ?? text };
  } catch {
    return { exitCode: 1, message: text };
  }
}

function upgrade(
  url: string,
  protocol: string,
  signal: AbortSignal,
): Promise<{ readonly socket: Socket; readonly head: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: 'POST',
      signal,
      timeout: CONNECT_MS,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol },
    });
    const fail = (message: string, cause?: unknown): void => {
      request.destroy();
      reject(new RuntimeError('Unavailable', message, { cause }));
    };
    request.on('upgrade', (_response, socket, head) => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      resolve({ socket, head });
    });
    request.on('response', (response) =>
      fail(`the runtime's streaming server refused the session: HTTP ${response.statusCode}`),
    );
    request.on('timeout', () => fail("the runtime's streaming server does not answer"));
    request.on('error', (cause) => fail(`the runtime's streaming server cannot be reached: ${cause.message}`, cause));
    request.end();
  });
}
