/** What a program that was started speaks through. Free of schemas: a node agent uses it. */

/**
 * False where this process has no file descriptor left (EMFILE, ENFILE): Node then makes none of the pipes, whatever the
 * types say, and tells the error in the next turn, which ends the process where nobody listens. Source: Node.js
 * lib/internal/child_process.js.
 */
export function hasPipes(child: { readonly stdout?: unknown }): boolean {
  return child.stdout !== undefined && child.stdout !== null;
}
