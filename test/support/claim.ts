/** Names that one process of the machine may use at a time, such as a lab's. */
import { createServer } from 'node:net';

/**
 * Holds `name` until the function that it gives is called, or until this process has ended in any way: an abstract Unix
 * socket, of which the kernel leaves nothing behind (unix(7)). Throws while another process holds it.
 */
export async function claim(name: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`another test run of this machine uses ${name}; wait for its end`)
          : error,
      );
    });
    server.listen(`\0plumbline-test/${name}`, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
