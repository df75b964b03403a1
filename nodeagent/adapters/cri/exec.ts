/**
 * A command in a container with its streams: the runtime's streaming server, spoken to as kubectl does
 * (v4.channel.k8s.io over SPDY/3.1).
 */
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { dataFrames, openStreamFrame, pingFrame, takeSpdyFrames } from '../../core/wire/spdy.ts';
import { RuntimeError, type ExecSession } from '../../ports/container-runtime.ts';

const http = process.getBuiltinModule('node:http');

const CONNECT_MS = 30_000;

interface Exit {
  readonly exitCode: number;
  readonly message?: string;
}

/** Opens the session at a one-time address that the runtime gave. */
export async function openExec(
  url: string,
  options: { readonly tty: boolean; readonly stdin: boolean },
  signal: AbortSignal,
): Promise<ExecSession> {
  const { socket, head } = await upgrade(url, signal);
  const names = ['error', ...(options.stdin ? ['stdin'] : []), 'stdout', ...(options.tty ? ['resize'] : ['stderr'])];
  const ids = new Map(names.map((name, index) => [name, index * 2 + 1]));
  const id = (name: string): number => ids.get(name) ?? 0;
  names.forEach((name, index) => socket.write(openStreamFrame(id(name), { streamtype: name }, index === 0)));

  const resume = (): void => {
    socket.resume();
  };
  const stdout = new Readable({ read: resume });
  const stderr = options.tty ? undefined : new Readable({ read: resume });
  const stdin = options.stdin ? stdinOf(socket, id('stdin')) : undefined;
  const verdict: Buffer[] = [];

  const exit = new Promise<Exit>((resolve, reject) => {
    let buffered: Buffer = head;
    let open = options.tty ? 2 : 3;
    let settled = false;
    const settle = (): void => {
      settled = true;
      stdout.push(null);
      stderr?.push(null);
      socket.end();
      resolve(readVerdict(Buffer.concat(verdict).toString('utf8')));
    };
    const finish = (name: string): void => {
      if (name === 'stdout') stdout.push(null);
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
        const name = names[(event.streamId - 1) / 2] ?? '';
        if (name === 'error') verdict.push(event.data);
        const wantsMore =
          name === 'stdout' ? stdout.push(event.data) : name === 'stderr' ? (stderr?.push(event.data) ?? true) : true;
        if (!wantsMore && event.data.length > 0) socket.pause();
        if (event.last && name !== 'stdin' && name !== 'resize') finish(name);
      }
    };
    const broken = (cause?: Error): void => {
      if (settled) return;
      // The server closes the connection behind its last word without closing every stream.
      if (verdict.length > 0) return settle();
      settled = true;
      stdout.push(null);
      stderr?.push(null);
      reject(new RuntimeError('Unavailable', 'the connection to the command broke off', { cause }));
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
      if (options.tty)
        socket.write(
          dataFrames(id('resize'), Buffer.from(`${JSON.stringify({ Width: width, Height: height })}\n`), false),
        );
    },
    close() {
      socket.destroy();
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

function upgrade(url: string, signal: AbortSignal): Promise<{ readonly socket: Socket; readonly head: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: 'POST',
      signal,
      timeout: CONNECT_MS,
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' },
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
      fail(`the runtime's streaming server refused the command: HTTP ${response.statusCode}`),
    );
    request.on('timeout', () => fail("the runtime's streaming server does not answer"));
    request.on('error', (cause) => fail(`the runtime's streaming server cannot be reached: ${cause.message}`, cause));
    request.end();
  });
}
