/** One change to a lab at a time. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LabRefusal } from './errors.ts';

/** A process that was killed has its sockets closed one after the other: a moment later than it is seen to have ended. */
const PATIENCE_MS = 1000;
const AGAIN_MS = 20;

/**
 * Holds the lab `name` for this process until `release`, which the kernel does too when the process dies in any way:
 * the lock is an abstract Unix socket, of which nothing stays behind. Throws {@link LabRefusal} while another process
 * holds it.
 */
async function lockLab(name: string): Promise<{ release(): Promise<void> }> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const lock = await tryLock(name);
    if (lock) return lock;
    if (performance.now() >= end)
      throw new LabRefusal(`Another command is changing the lab '${name}' right now; try again when it is done.`);
    await delay(AGAIN_MS);
  }
}

/** Undefined where another process holds it. */
async function tryLock(name: string): Promise<{ release(): Promise<void> } | undefined> {
  const server = createServer((socket) => socket.destroy());
  const isOurs = await new Promise<boolean>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(`\0plumbline-lab/${name}`, () => resolve(true));
  });
  if (!isOurs) return undefined;
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Runs `work` while holding the lab. */
export async function whileLocked<T>(name: string, work: () => Promise<T>): Promise<T> {
  const lock = await lockLab(name);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
