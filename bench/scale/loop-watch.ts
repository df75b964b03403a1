/**
 * What holds an event loop up: how late its timers are, and how long its thread works between two of them. The first is
 * what others wait, and on a busy machine most of it may be theirs; the second is our own doing.
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Rounds in which the thread worked for longer than {@link LONG_MS}, and the longest. */
  readonly longRounds: number;
  readonly longestMs: number;
}

/** When a round began and ended that was long, in microseconds of the monotonic clock, as in a CPU profile. */
export type LongRound = readonly [from: number, to: number];

export const LONG_MS = 50;
const RESOLUTION_MS = 5;

export class LoopWatch {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly rounds: LongRound[] = [];
  #longRounds = 0;
  #longestMs = 0;

  constructor() {
    this.#delay.enable();
    let [at, worked] = [process.hrtime.bigint(), workedMs()];
    setInterval(() => {
      const [nowAt, now] = [process.hrtime.bigint(), workedMs()];
      if (now - worked > LONG_MS) {
        this.#longRounds += 1;
        this.rounds.push([Number(at / 1000n), Number(nowAt / 1000n)]);
      }
      this.#longestMs = Math.max(this.#longestMs, now - worked);
      [at, worked] = [nowAt, now];
    }, RESOLUTION_MS).unref();
  }

  /** Since the last call. */
  take(): LoopDelay {
    const told = {
      p99Ms: this.#delay.percentile(99) / 1e6 - RESOLUTION_MS,
      maxMs: this.#delay.max / 1e6 - RESOLUTION_MS,
      longRounds: this.#longRounds,
      longestMs: this.#longestMs,
    };
    this.#delay.reset();
    this.#longRounds = 0;
    this.#longestMs = 0;
    return told;
  }
}

/** Time of the main thread on a processor. Source: the kernel's sched-stats.rst, /proc/PID/schedstat. */
function workedMs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}
