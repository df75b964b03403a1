/** The beginning of what comes through a named pipe; the rest is read and let go. */
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

/** As much of a command's output as kubelet keeps. Source: Kubernetes pkg/probe/exec/exec.go. */
export const KEPT_BYTES = 10 * 1024;
/** A command that writes more than this is read at a walk: what nobody looks at must not keep us from our work. */
const AT_FULL_SPEED_BYTES = 1024 * 1024;
const PAUSE_MS = 1;

export interface Capture {
  /** The first {@link KEPT_BYTES}. */
  kept(): Buffer;
  /** Resolves when all writers have closed it; rejects with the signal's reason. */
  ended(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Opens a pipe that exists already; it need not have a writer yet. */
export function capture(path: string): Capture {
  // Not blocking: the open of a pipe without a writer would not return.
  const socket = new Socket({
    fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const parts: Buffer[] = [];
  let kept = 0;
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (kept < KEPT_BYTES) {
      // A copy: a piece would keep the whole chunk.
      const part = Buffer.from(chunk.subarray(0, KEPT_BYTES - kept));
      parts.push(part);
      kept += part.length;
    }
    if (read <= AT_FULL_SPEED_BYTES) return;
    socket.pause();
    setTimeout(() => socket.resume(), PAUSE_MS);
  });
  const over = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('error', () => resolve());
    socket.once('close', () => resolve());
  });
  return {
    kept: () => Buffer.concat(parts),
    async ended(signal) {
      signal.throwIfAborted();
      let abort = (): void => undefined;
      const aborted = new Promise<never>((_resolve, reject) => {
        abort = () => reject(signal.reason as Error);
        signal.addEventListener('abort', abort, { once: true });
      });
      try {
        await Promise.race([over, aborted]);
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    close() {
      socket.destroy();
    },
  };
}
