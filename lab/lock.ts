/** One change to a lab at a time. */
import { createServer } from 'node:net';
import { LabRefusal } from './errors.ts';

/**
 * Holds the lab `name` for this process until `release`, which the kernel does too when the process dies in any way:
 * the lock is an abstract Unix socket, of which nothing stays behind. Throws {@link LabRefusal} while another process
 * holds it.
 */
async function lockLab(name: string): Promise<{ release(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new LabRefusal(`Another command is changing the lab '${name}' right now; try again when it is done.`)
          : error,
      );
    });
    server.listen(`\0plumbline-lab/${name}`, resolve);
  });
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
