/** A program of this machine that tells of things as they happen, for as long as it runs. Never through a shell. */

export interface FollowOptions {
  readonly signal: AbortSignal;
  /**
   * Hears each line of standard output, without its end; one that is longer than some ten kilobytes is cut. `enough`
   * ends the program.
   */
  readonly onLine: (line: string) => 'more' | 'enough';
}

/**
 * Runs `argv` until it ends by itself or was enough, and resolves with what it last said on standard error. Rejects
 * with the signal's reason once the signal aborted and the process is gone, or when the program is not there (an Error
 * whose `code` is `ENOENT`).
 */
export type FollowCommand = (
  argv: readonly string[],
  options: FollowOptions,
) => Promise<{ readonly code: number | null; readonly stderr: string }>;
