/** Upgraded requests: streams into a container, in frames (contracts/agent/exec-frames.ts). */
import type { Duplex, Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { errorText } from '../../../contracts/errors.ts';
import type { ExecResult } from '../../../contracts/agent/index.ts';
import { execFrame, execFrameReader } from '../../../contracts/agent/exec-frames.ts';
import { EXEC_CHANNEL, EXEC_UPGRADE } from '../../../contracts/agent/places.ts';
import type { ContainerStreams } from '../../ports/container-runtime.ts';

/** Answers 101 and joins the socket to the streams, which are open. Resolves when they, or the socket, are over. */
export async function serveStreams(
  socket: Duplex,
  head: Buffer,
  streams: ContainerStreams,
  closing: AbortSignal,
): Promise<void> {
  const close = (): void => {
    streams.close();
  };
  try {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${EXEC_UPGRADE}\r\n\r\n`);
    // Nobody ends one direction alone: input has a frame that ends it. Of a client that is gone this may be all that is
    // heard.
    socket.on('end', close);
    socket.on('close', close);
    socket.on('error', close);
    closing.addEventListener('abort', close, { once: true });
    // It may have gone while the runtime was asked: then nobody will say so any more.
    if (socket.destroyed || closing.aborted) close();
    receive(socket, head, streams);
    await Promise.all([
      send(socket, EXEC_CHANNEL.stdout, streams.stdout),
      streams.stderr && send(socket, EXEC_CHANNEL.stderr, streams.stderr),
    ]);
    const result: ExecResult = await streams.exit.catch((cause: unknown) => ({
      exitCode: 255,
      message: errorText(cause),
    }));
    socket.write(execFrame(EXEC_CHANNEL.result, Buffer.from(JSON.stringify(result))));
  } finally {
    // The agent's own signal outlives every session.
    closing.removeEventListener('abort', close);
    streams.close();
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

function receive(socket: Duplex, head: Buffer, streams: ContainerStreams): void {
  const read = execFrameReader((channel, payload) => {
    if (channel === EXEC_CHANNEL.resize) {
      const { width, height } = JSON.parse(payload.toString('utf8')) as { width: number; height: number };
      streams.resize(width, height);
    }
    if (channel !== EXEC_CHANNEL.stdin || !streams.stdin?.writable) return;
    if (payload.length === 0) streams.stdin.end();
    else if (!streams.stdin.write(payload) && !socket.isPaused()) {
      socket.pause();
      streams.stdin.once('drain', () => socket.resume());
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
