/** Running a program of this machine. Never through a shell. */

export interface CommandResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly signal: AbortSignal;
  /** Text for its standard input; empty when absent. */
  readonly input?: string;
}

/**
 * Runs `argv` to its end. Any exit code is a result. Rejects when the program is not there (an Error whose `code` is
 * `ENOENT`), when it ran for longer than the adapter allows, or when the signal aborted; the process is gone then.
 */
export type RunCommand = (argv: readonly string[], options: CommandOptions) => Promise<CommandResult>;

/** Whether it rejected because the machine does not have the program. */
export function isMissingProgram(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
