/**
 * Passes that are wanted later. They are kept beside BullMQ, not as its delayed jobs: a delayed job holds its key's
 * de-duplication, so that an immediate `add` would wait for it. A timer of this process fires each one; a sorted set
 * keeps it for the case that this process ends first, and whoever works the queue then sweeps what is overdue.
 */
import type { Redis } from 'ioredis';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';

/** Entries this long overdue have lost the process whose timer should have fired them. */
const ORPHANED_AFTER_MS = 1000;
const SWEEP_EVERY_MS = 2000;
const SWEEP_BATCH = 500;
const DELIVER_AGAIN_MS = 250;

/** Scores are milliseconds of the server's own clock. KEYS: set. ARGV: delay, member. The earlier time wins. */
const PUT = `
local now = redis.call('TIME')
local due = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
return redis.call('ZADD', KEYS[1], 'LT', string.format('%.0f', due), ARGV[2])
`;

/** KEYS: sets. ARGV: how long overdue, limit. Returns the members of each. */
const OVERDUE = `
local now = redis.call('TIME')
local before = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) - tonumber(ARGV[1]))
local overdue = {}
for i = 1, #KEYS do overdue[i] = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', before, 'LIMIT', 0, ARGV[2]) end
return overdue
`;

/** KEYS: set. ARGV: slack, members. Removes those that are due, or will be within the slack. */
const DONE = `
local now = redis.call('TIME')
local limit = now[1] * 1000 + math.floor(now[2] / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due and tonumber(due) <= limit then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return 1
`;

export class DelayedKeys {
  readonly #client: Redis;
  readonly #set: string;
  readonly #deliver: (keys: readonly string[]) => Promise<void>;
  readonly #timers = new Map<string, { readonly due: number; readonly timer: NodeJS.Timeout }>();
  readonly #due = new Set<string>();
  #delivering: Promise<void> | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  /** `deliver` makes the keys' passes wait in the queue; a key may be delivered twice. */
  constructor(client: Redis, set: string, deliver: (keys: readonly string[]) => Promise<void>) {
    this.#client = client;
    this.#set = set;
    this.#deliver = deliver;
  }

  /** The timer is set whatever happens; rejects when the entry could not be kept for others. */
  async put(key: string, delayMs: number): Promise<void> {
    const due = performance.now() + delayMs;
    const pending = this.#timers.get(key);
    if (this.#closed || (pending && pending.due <= due)) return;
    clearTimeout(pending?.timer);
    this.#arm(key, due);
    await this.#keep(key, delayMs);
  }

  /** Keeps for others again what this process waits for: the server may have lost it. */
  async restore(): Promise<void> {
    const now = performance.now();
    await Promise.all([...this.#timers].map(([key, { due }]) => this.#keep(key, Math.max(0, due - now))));
  }

  get set(): string {
    return this.#set;
  }

  /** Delivers entries whose process ended. */
  async takeOver(keys: readonly string[]): Promise<void> {
    await this.#deliver(keys);
    await this.#client.eval(DONE, 1, this.#set, 0, ...keys);
  }

  /** Ends the timers; the entries stay in Redis for the next process. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    clearTimeout(this.#again);
    await this.#delivering;
  }

  async #keep(key: string, delayMs: number): Promise<void> {
    await this.#client.eval(PUT, 1, this.#set, Math.ceil(delayMs), key);
  }

  /** A wait that is longer than a timer's is several timers. */
  #arm(key: string, due: number): void {
    const left = due - performance.now();
    const rings = (): void => {
      if (due > performance.now()) this.#arm(key, due);
      else this.#fire(key);
    };
    this.#timers.set(key, { due, timer: setTimeout(rings, Math.min(left, LONGEST_TIMER_MS)) });
  }

  #fire(key: string): void {
    this.#timers.delete(key);
    this.#due.add(key);
    this.#delivering ??= this.#deliverDue();
  }

  async #deliverDue(): Promise<void> {
    // Timers of one moment fire one after the other: take them together.
    await Promise.resolve();
    while (this.#due.size > 0) {
      const keys = [...this.#due];
      try {
        await this.#deliver(keys);
        for (const key of keys) this.#due.delete(key);
        await this.#client.eval(DONE, 1, this.#set, ORPHANED_AFTER_MS, ...keys);
      } catch {
        // Redis is away, and says so elsewhere; the keys are not forgotten.
        if (!this.#closed && this.#due.size > 0)
          this.#again = setTimeout(() => {
            for (const key of keys) this.#fire(key);
          }, DELIVER_AGAIN_MS);
        break;
      }
    }
    // In the same turn as the last look at #due: a key that fires now begins another delivery.
    this.#delivering = undefined;
  }
}

/** Looks for entries of processes that ended: for all queues that are worked here at once. */
export class Sweeper {
  readonly #client: Redis;
  readonly #swept = new Set<DelayedKeys>();
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: Redis) {
    this.#client = client;
  }

  /** From now on, until it is left out again; the first time soon. */
  add(delayed: DelayedKeys): void {
    if (this.#closed || this.#swept.has(delayed)) return;
    this.#swept.add(delayed);
    if (!this.#sweeping) this.#sweepIn(0);
  }

  /** Nobody works the queue here any more: whoever does sweeps it. */
  leaveOut(delayed: DelayedKeys): void {
    this.#swept.delete(delayed);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  #sweepIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const swept = this.#swept.size;
      this.#sweeping = this.#sweep([...this.#swept])
        .catch(() => undefined)
        .finally(() => {
          this.#sweeping = undefined;
          if (!this.#closed) this.#sweepIn(this.#swept.size > swept ? 0 : SWEEP_EVERY_MS);
        });
    }, ms);
  }

  async #sweep(all: readonly DelayedKeys[]): Promise<void> {
    if (all.length === 0) return;
    const sets = all.map(({ set }) => set);
    const overdue = (await this.#client.eval(
      OVERDUE,
      sets.length,
      ...sets,
      ORPHANED_AFTER_MS,
      SWEEP_BATCH,
    )) as string[][];
    for (const [index, delayed] of all.entries()) {
      const keys = overdue[index] ?? [];
      if (keys.length > 0 && this.#swept.has(delayed)) await delayed.takeOver(keys);
    }
  }
}
