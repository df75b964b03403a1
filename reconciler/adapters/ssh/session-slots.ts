/** Counts the sessions of one connection, so that sshd's `MaxSessions` (10 unless configured) is never met. */
import { onAbort } from '../../../contracts/signals.ts';
import { RetryableError } from '../../core/errors.ts';

export interface SessionLimits {
  /** Sessions in use at the same time. */
  readonly total: number;
  /** Of these, how many may be held without an end in sight (followed logs over a bridge). */
  readonly streams: number;
}

export class SessionSlots {
  readonly #limits: SessionLimits;
  readonly #waiting: (() => void)[] = [];
  #used = 0;
  #streams = 0;

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  /** Waits for a free slot; the returned function frees it, once. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#used >= this.#limits.total) await this.#turn(signal);
    else this.#used += 1;
    return once(() => this.#release());
  }

  /** A slot for a stream. Does not queue behind streams that may never end: throws RetryableError `TooManyStreams`. */
  async takeForStream(signal: AbortSignal): Promise<() => void> {
    if (this.#streams >= this.#limits.streams) {
      throw new RetryableError(
        'TooManyStreams',
        `${this.#streams} streams are open on this machine's connection already; close a followed log or an exec session and try again`,
      );
    }
    this.#streams += 1;
    try {
      const free = await this.take(signal);
      return once(() => {
        this.#streams -= 1;
        free();
      });
    } catch (error) {
      this.#streams -= 1;
      throw error;
    }
  }

  /** A freed slot is handed to the first waiter, so `#used` stays as it is. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#used -= 1;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        letGo();
        resolve();
      };
      const letGo = onAbort(signal, () => {
        letGo();
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal.reason as Error);
      });
      this.#waiting.push(turn);
    });
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
