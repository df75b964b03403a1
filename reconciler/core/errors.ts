/**
 * The class of an error is the retry decision, and every code has one class (error-codes.ts). docs/errors.md says what
 * each means.
 */
import type { CodeFor, ErrorCode, Retry } from './error-codes.ts';

export type { ErrorCode };

export abstract class PlumbError extends Error {
  abstract readonly retry: Retry;
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** Something outside failed and may work again: retried with exponential back-off. */
export class RetryableError extends PlumbError {
  readonly retry = 'backoff';
  constructor(code: CodeFor<'backoff'>, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** Nothing is wrong, it is just not time yet: looked at again after `afterMs`. */
export class WaitingError extends PlumbError {
  readonly retry = 'after';
  readonly afterMs: number;
  constructor(code: CodeFor<'after'>, message: string, afterMs: number) {
    super(code, message);
    this.afterMs = afterMs;
  }
}

/** Trying again changes nothing until somebody changes the input. */
export class TerminalError extends PlumbError {
  readonly retry = 'never';
  constructor(code: CodeFor<'never'>, message: string, options?: { cause?: unknown }) {
    super(code, message, options);
  }
}

/** The error as the reason of a condition or an Event. */
export function reasonOf(error: unknown): string {
  return error instanceof PlumbError ? error.code : 'InternalError';
}
