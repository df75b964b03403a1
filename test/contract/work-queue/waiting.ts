/** Waiting for things to happen, without guessing how long they take. */
import type { QueueName, WorkQueue } from '../../../reconciler/ports/work-queue.ts';
import { whenOver } from '../../support/patience.ts';

/** Counts by name; `reach` resolves when a count is there, or rejects after 20 s of a machine with time. */
export class Counter {
  readonly #counts = new Map<string, number>();
  readonly #waiters = new Set<() => void>();

  hit(name: string): void {
    this.#counts.set(name, this.count(name) + 1);
    for (const waiter of [...this.#waiters]) waiter();
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  reach(name: string, wanted: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = whenOver(20_000, () => {
        this.#waiters.delete(look);
        reject(new Error(`${name} came to ${this.count(name)} of ${wanted} within 20 s`));
      });
      const look = (): void => {
        if (this.count(name) < wanted) return;
        forget();
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }
}

export function gate(): { readonly passed: Promise<void>; pass(): void } {
  let pass = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return {
    passed,
    pass: () => {
      pass();
    },
  };
}

export interface HeldWork {
  /** Passes by key. */
  readonly runs: Counter;
  /** Keys, as their passes began. */
  readonly order: readonly string[];
  /** How many passes of one key ran at once, at most. */
  readonly mostOfAKey: () => number;
  /** Lets the first pass end. */
  readonly pass: () => void;
}

/** Works a queue, whose first pass is the one of a key added here, has begun, and stands until it is let go. */
export async function holdFirst(queue: WorkQueue, name: QueueName, key: string, concurrency = 1): Promise<HeldWork> {
  const open = gate();
  const runs = new Counter();
  const order: string[] = [];
  const running = new Map<string, number>();
  let most = 0;
  queue.work(name, concurrency, async (one) => {
    const now = (running.get(one) ?? 0) + 1;
    running.set(one, now);
    most = Math.max(most, now);
    order.push(one);
    runs.hit(one);
    if (one === key && runs.count(one) === 1) await open.passed;
    running.set(one, (running.get(one) ?? 0) - 1);
    return {};
  });
  await queue.add(name, key);
  await runs.reach(key, 1);
  return {
    runs,
    order,
    mostOfAKey: () => most,
    pass: () => {
      open.pass();
    },
  };
}
