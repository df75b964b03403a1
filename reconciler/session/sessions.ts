/** One session after another: when the store is lost the session ends, and the next one rebuilds all state. */
import { asError, errorText } from '../../contracts/errors.ts';
import { joinSignals } from '../../contracts/signals.ts';
import { PlumbError } from '../core/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

/** Everything that works on one incarnation of the store. */
export interface Session {
  /** Resolves when the session cannot go on, with the reason; undefined after {@link close}. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  /** Safe to repeat, and never rejects. */
  close(): Promise<void>;
}

export interface SessionsOptions {
  /** `beforeApi` makes the API's socket free; it is called once everything else of the session runs. */
  readonly open: (signal: AbortSignal, beforeApi: () => Promise<void>) => Promise<Session>;
  /** Answers whoever asks the API while there is no session, with what `why` says at that time. */
  readonly answerMeanwhile: (why: () => string) => Promise<{ close(): Promise<void> }>;
  readonly clock: Clock;
  readonly log: Log;
  readonly progress: (line: string) => void;
}

const RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/** How a session ended that another one follows, in words. */
interface Ending {
  readonly why: string;
  readonly next: string;
  /** Said when the next one is open. */
  readonly done: string;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #stop = new AbortController();
  /** Resolves with the reason when there can be no session any more. */
  readonly failed: Promise<Error>;
  #fail: (error: Error) => void = () => undefined;
  #current: Session | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
  }

  /** Opens the first session; the next ones follow by themselves. */
  async start(signal: AbortSignal): Promise<void> {
    const { open, progress } = this.#options;
    const free = async (): Promise<void> => undefined;
    using starting = joinSignals(this.#stop.signal, signal);
    const first = await open(starting.signal, free).catch((error: unknown) => {
      const reason = asError(error);
      if (!isStoreLost(reason) && !isLeaseLost(reason)) throw error;
      progress(`${reason.message}: ${nextOf(reason)}`);
      return open(starting.signal, free);
    });
    this.#current = first;
    this.#running = this.#follow().catch((error: unknown) => {
      this.#fail(asError(error));
    });
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane is stopping'));
    await this.#current?.close();
    await this.#running;
  }

  async #follow(): Promise<void> {
    while (this.#current) await this.#followOne();
  }

  /**
   * To the end of the present session and on to the next one, if there is one. The session that ended is not held while
   * the next one is opened, nor after: all that it knew would be.
   */
  async #followOne(): Promise<void> {
    const { log, progress } = this.#options;
    const end = await this.#toItsEnd();
    if (!end) return;
    progress(`${end.why}: ${end.next}`);
    log.warn('the session ended; a new one goes on', { error: end.why });
    this.#current = await this.#reopen();
    if (this.#current) progress(end.done);
  }

  /**
   * Resolves when nothing of the present session runs any more. Why it ended is told in words: the error holds, by way of
   * its stack's frames, the objects whose methods threw it. Rejects with it where another session would end likewise;
   * undefined when all is being closed.
   */
  async #toItsEnd(): Promise<Ending | undefined> {
    const session = this.#current;
    // Closed while this one was opening.
    if (this.#stop.signal.aborted) await session?.close();
    const reason = await session?.ended;
    await session?.close();
    this.#current = undefined;
    if (this.#stop.signal.aborted) return undefined;
    if (!reason) throw new Error('the session ended without a reason');
    if (!isStoreLost(reason) && !isLeaseLost(reason)) throw reason;
    return {
      why: reason.message,
      next: nextOf(reason),
      done: isStoreLost(reason) ? 'rebuilt: everything goes on' : 'joined again',
    };
  }

  /**
   * Tries until a session is open, or undefined when closed before. Git, the machines and Redis may each be away for as
   * long as they like: whoever asks the API meanwhile is told what is waited for.
   */
  async #reopen(): Promise<Session | undefined> {
    const { open, answerMeanwhile, clock, log, progress } = this.#options;
    let why = 'the state is being rebuilt from Git and the nodes';
    const meanwhile = await answerMeanwhile(() => why);
    try {
      for (let pause = RETRY_MS; !this.#stop.signal.aborted; pause = Math.min(2 * pause, LONGEST_RETRY_MS)) {
        try {
          return await open(this.#stop.signal, () => meanwhile.close());
        } catch (error) {
          if (this.#stop.signal.aborted) break;
          const reason = `the state could not be rebuilt yet: ${errorText(error)}`;
          if (reason !== why) progress(`${reason}; trying on`);
          why = reason;
          log.warn('the state could not be rebuilt yet', { error: errorText(error) });
          await clock.sleep(pause, this.#stop.signal).catch(() => undefined);
        }
      }
      return undefined;
    } finally {
      await meanwhile.close();
    }
  }
}

function isStoreLost(error: Error | undefined): boolean {
  return error instanceof PlumbError && (error.code === 'StoreLost' || error.code === 'StoreTampered');
}

function isLeaseLost(error: Error): boolean {
  return error instanceof PlumbError && error.code === 'LeaseLost';
}

function nextOf(reason: Error): string {
  return isStoreLost(reason) ? 'rebuilding all state from Git and the nodes' : 'joining again';
}
