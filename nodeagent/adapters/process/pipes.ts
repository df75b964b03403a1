/** What a started program speaks through. */
import type { ChildProcess } from 'node:child_process';

/**
 * False where this process has no file descriptor left (EMFILE, ENFILE): Node then makes none of the pipes, whatever the
 * types say, and tells the error in the next turn. Source: Node.js lib/internal/child_process.js.
 */
export function hasPipes(child: ChildProcess): boolean {
  return (child.stdout as unknown) !== undefined && child.stdout !== null;
}
