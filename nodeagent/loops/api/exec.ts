/** `GET /v1/exec`, upgraded: a command in a container, its streams in frames. */
import type { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { errorText } from '../../../contracts/errors.ts';
import type { ExecResult } from '../../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { EXEC_CHANNEL, EXEC_UPGRADE } from '../../../contracts/agent/places.ts';
import type { ObservedPod } from '../../core/pod/observed.ts';
import type { ContainerRuntime, ExecSession } from '../../ports/container-runtime.ts';
import type { AssignmentStore } from '../assignment-store.ts';
import { ApiError } from './answers.ts';
import { namedContainer } from './containers.ts';

export interface ExecRequestDeps {
  readonly assignment: AssignmentStore;
  readonly runtime: ContainerRuntime;
  readonly observed: (uid: string) => ObservedPod | undefined;
}

/** Throws {@link ApiError} before anything was written to the socket. Resolves when the session is over. */
export async function serveExec(
  socket: Duplex,
  head: Buffer,
  query: URLSearchParams,
  deps: ExecRequestDeps,
  closing: AbortSignal,
): Promise<void> {
  const named = namedContainer(query, deps.assignment, deps.observed);
  const container = named.found.find((one) => one.state === 'running');
  if (!container)
    throw new ApiError(
      400,
      'ContainerNotRunning',
      `container ${named.container} in pod ${named.pod.metadata.name} is not running`,
    );
  const command = query.getAll('command');
  if (command.length === 0) throw new ApiError(400, 'BadRequest', 'no command is given');
  const session = await deps.runtime.exec(
    container.id,
    { command, tty: query.get('tty') === 'true', stdin: query.get('stdin') === 'true' },
    closing,
  );
  const close = (): void => {
    session.close();
  };
  try {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${EXEC_UPGRADE}\r\n\r\n`);
    socket.on('close', close);
    socket.on('error', close);
    closing.addEventListener('abort', close, { once: true });
    // It may have gone while the runtime was asked: then nobody will say so any more.
    if (socket.destroyed || closing.aborted) close();
    receive(socket, head, session);
    await Promise.all([
      send(socket, EXEC_CHANNEL.stdout, session.stdout),
      session.stderr && send(socket, EXEC_CHANNEL.stderr, session.stderr),
    ]);
    const result: ExecResult = await session.exit.catch((cause: unknown) => ({
      exitCode: 255,
      message: errorText(cause),
    }));
    socket.write(execFrame(EXEC_CHANNEL.result, Buffer.from(JSON.stringify(result))));
  } finally {
    // The agent's own signal outlives every session.
    closing.removeEventListener('abort', close);
    session.close();
    socket.end();
  }
}

async function send(socket: Duplex, channel: number, from: Readable): Promise<void> {
  from.on('data', (chunk: Buffer) => {
    if (socket.destroyed || socket.write(execFrame(channel, chunk))) return;
    from.pause();
    socket.once('drain', () => from.resume());
  });
  await finished(from).catch(() => undefined);
}

function receive(socket: Duplex, head: Buffer, session: ExecSession): void {
  const read = execFrameReader((channel, payload) => {
    if (channel === EXEC_CHANNEL.resize) {
      const { width, height } = JSON.parse(payload.toString('utf8')) as { width: number; height: number };
      session.resize(width, height);
    }
    if (channel !== EXEC_CHANNEL.stdin || !session.stdin?.writable) return;
    if (payload.length === 0) session.stdin.end();
    else if (!session.stdin.write(payload) && !socket.isPaused()) {
      socket.pause();
      session.stdin.once('drain', () => socket.resume());
    }
  });
  const take = (chunk: Buffer): void => {
    try {
      read(chunk);
    } catch {
      socket.destroy();
    }
  };
  take(head);
  socket.on('data', take);
}
