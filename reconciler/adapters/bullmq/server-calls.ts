/** Calls to the server of the queues, each with an end: one that hangs, or was cut off, is given up. */
import { errorText } from '../../../contracts/errors.ts';
import { RetryableError } from '../../core/errors.ts';
import type { MotherConnection } from './connection.ts';

/** A server that answers, but not this, is waited for so many times as long as a silent one. */
const MOST_PATIENCE = 12;

export class ServerCalls {
  readonly #client: MotherConnection;
  readonly #timeoutMs: number;
  #problem: string | undefined;

  constructor(client: MotherConnection, timeoutMs: number) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** Why the last call was not answered; undefined when it was. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** It did, to a call that did not go through here. */
  answered(): void {
    this.#problem = undefined;
  }

  /**
   * Runs an idempotent call. Throws RetryableError `QueueUnavailable` when the server does not answer in time; what was
   * asked for may be done all the same, or later.
   */
  async run(call: () => Promise<void>): Promise<void> {
    let done: boolean;
    try {
      let heard = this.#heard();
      const work = once(call);
      done = await within(this.#timeoutMs, work);
      // One that answers is not away, however long its line is: a connection made anew, and all asked for again, would
      // only lengthen that.
      for (let times = 1; !done && times < MOST_PATIENCE; times += 1) {
        // After a stall of this process the timer comes before the answer that lies in the socket.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        done = await within(0, work);
        if (done || heard === this.#heard()) break;
        heard = this.#heard();
        done = await within(this.#timeoutMs, work);
      }
    } catch (cause) {
      throw this.#unavailable(errorText(cause), cause);
    }
    // A server that hangs, or is cut off, while another took its place.
    if (!done && this.#client.status === 'ready')
      for (const connection of [this.#client, ...this.#client.twins])
        if (connection.status === 'ready') connection.disconnect(true);
    if (!done)
      throw this.#unavailable(`no answer within ${this.#timeoutMs / 1000} s; check that it runs and can be reached`);
    this.#problem = undefined;
  }

  /** Grows while the server says anything. */
  #heard(): number {
    return this.#client.stream?.bytesRead ?? 0;
  }

  #unavailable(why: string, cause?: unknown): RetryableError {
    this.#problem = `the queues in Redis: ${why}`;
    return new RetryableError('QueueUnavailable', this.#problem, { cause });
  }
}

/** Runs an idempotent call, and once more when the server had forgotten the scripts, which that attempt loads again. */
async function once(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error;
    await call();
  }
}

/** Whether `work` was done in time; rejects as it does. */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
