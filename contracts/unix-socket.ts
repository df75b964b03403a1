/** Whether a program listens at a Unix socket. Both sides ask before they listen themselves. Free of schemas. */
import { createConnection } from 'node:net';

/** What connect(2) says where there is no socket, or one that nobody listens on: what a crash leaves. */
const UNANSWERED: readonly (string | undefined)[] = ['ENOENT', 'ECONNREFUSED'];

/**
 * False where nobody listens at `path`: a file that is there may be taken away. True also where the listener takes no
 * more connections at the moment (EAGAIN). Rejects where it cannot be told, as with a folder that may not be entered.
 */
export function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const attempt = createConnection(path);
    attempt.once('connect', () => {
      attempt.destroy();
      resolve(true);
    });
    attempt.once('error', (error: NodeJS.ErrnoException) => {
      if (UNANSWERED.includes(error.code)) resolve(false);
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}
