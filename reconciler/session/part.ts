/** What has a start and an end: parts of the process, and parts of a session. */
import { errorText } from '../../contracts/errors.ts';
import type { Log } from '../ports/log.ts';

/** One part. What `start` gives is for those that start after it. */
export interface Part<T = void> {
  /** For the log. */
  readonly name: string;
  /** Done when those that start after it may rely on it. A rejection ends the start of the whole. */
  start(signal: AbortSignal): T | Promise<T>;
  /** Called once, whatever became of the start; undefined is given where it failed or was never tried. */
  close(started: T | undefined): unknown;
}

/** Parts that were started, one after another. */
export class Parts {
  readonly #starting: AbortSignal;
  readonly #log: Log;
  readonly #closers: { readonly name: string; readonly close: () => unknown }[] = [];
  #closed: Promise<void> | undefined;

  /** The signal ends the start, and what has started then goes on until {@link close}. */
  constructor(starting: AbortSignal, log: Log) {
    this.#starting = starting;
    this.#log = log;
  }

  /** Rejects as the part's start does, or with the signal's reason; {@link close} then ends the part as the others. */
  async start<T>(part: Part<T>): Promise<T> {
    const own: { started?: T } = {};
    this.#closers.unshift({ name: part.name, close: () => part.close(own.started) });
    this.#starting.throwIfAborted();
    return (own.started = await part.start(this.#starting));
  }

  /** The last one first. Never rejects: a part that does not end well is logged. Safe to repeat. */
  async close(): Promise<void> {
    await (this.#closed ??= this.#closeAll());
  }

  async #closeAll(): Promise<void> {
    for (const { name, close } of this.#closers) {
      try {
        await close();
      } catch (error) {
        this.#log.error('a part did not end well', { part: name, error: errorText(error) });
      }
    }
  }
}
