/** What comes of asking an ACME server. */
import { RetryableError, TerminalError } from '../errors.ts';

/** It does not take what was asked: asking again the same way changes nothing. */
export class AcmeRefusal extends TerminalError {
  /** `urn:ietf:params:acme:error:...`; '' where it says none. */
  readonly type: string;

  constructor(message: string, type: string) {
    super('AcmeRefused', message);
    this.type = type;
  }
}

/** It does not answer, or not now. */
export class AcmeUnavailable extends RetryableError {
  /** Milliseconds after which it wants to be asked again, where it says so. */
  readonly afterMs: number | undefined;

  constructor(
    message: string,
    { cause, afterMs }: { readonly cause?: unknown; readonly afterMs?: number | undefined },
  ) {
    super('AcmeUnavailable', message, { cause });
    this.afterMs = afterMs;
  }
}
