/**
 * The class of an error is the retry decision. Every code is listed in docs/errors.md; a test holds the two together.
 */
export abstract class PlumbError extends Error {
  abstract readonly retry: 'backoff' | 'after' | 'never';
  readonly code: string;
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** Something outside failed and may work again: retried with exponential back-off. */
export class RetryableError extends PlumbError {
  readonly retry = 'backoff';
}

/** Nothing is wrong, it is just not time yet: looked at again after `afterMs`. */
export class WaitingError extends PlumbError {
  readonly retry = 'after';
  readonly afterMs: number;
  constructor(code: string, message: string, afterMs: number) {
    super(code, message);
    this.afterMs = afterMs;
  }
}

/** Trying again changes nothing until somebody changes the input. */
export class TerminalError extends PlumbError {
  readonly retry = 'never';
}
