/** How a command says no: one sentence of what is wrong and where, one of what to do, and an exit code. */
import { errorText } from '../contracts/errors.ts';

export class CliFailure extends Error {
  /** 1: the check or the cluster says no. 2: wrong usage, or a machine that cannot do this. */
  readonly exitCode: 1 | 2;
  readonly advice: string | undefined;
  constructor(exitCode: 1 | 2, message: string, advice?: string) {
    super(message);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** The exit code that an error asks for; 1 where it does not. */
export function exitCodeOf(error: unknown): number {
  const wanted = (error as { exitCode?: unknown } | undefined)?.exitCode;
  return typeof wanted === 'number' ? wanted : 1;
}

/** What to print for an error, without a stack: `error: ...`, then what to do. */
export function describeFailure(error: unknown): string {
  const message = errorText(error);
  const code = (error as { code?: unknown }).code;
  const named = typeof code === 'string' && /^[A-Z][a-z]\w+$/.test(code) && !message.includes(code) ? ` (${code})` : '';
  const advice = error instanceof CliFailure && error.advice !== undefined ? `\n  ${error.advice}` : '';
  return `error: ${message}${named}${advice}`;
}
