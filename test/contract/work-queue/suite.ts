/** What every WorkQueue promises. Run on the memory adapter and on BullMQ with a real redis-server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RetryableError, TerminalError, WaitingError } from '../../../reconciler/core/errors.ts';
import type { QueueFailure, QueueName, WorkQueue } from '../../../reconciler/ports/work-queue.ts';
import { Counter, gate, holdFirst } from './waiting.ts';

const QUEUE: QueueName = 'controllers.a';

export interface QueueFixture {
  connect(): WorkQueue;
  /** Empties the state, as FLUSHALL does. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function workQueueSuite(name: string, start: () => Promise<QueueFixture>): void {
  describe(`WorkQueue: ${name}`, () => {
    let fixture: QueueFixture;
    before(async () => {
      fixture = await start();
    });
    after(async () => {
      await fixture?.close();
    });

    const on = (body: (queue: WorkQueue) => Promise<void>) => async (): Promise<void> => {
      await fixture.flush();
      const queue = fixture.connect();
      try {
        await body(queue);
      } finally {
        await queue.close();
      }
    };

    it(
      'runs what was added before the worker came, and what comes later',
      on(async (queue) => {
        const runs = new Counter();
        await queue.addMany(QUEUE, ['pods/default/a', 'pods/default/b', 'pods/default/a']);
        queue.work(QUEUE, 4, async (key) => {
          runs.hit(key);
          return {};
        });
        await runs.reach('pods/default/a', 1);
        await runs.reach('pods/default/b', 1);
        await queue.add(QUEUE, 'pods/default/a');
        await runs.reach('pods/default/a', 2);
      }),
    );

    it(
      'keeps queues apart',
      on(async (queue) => {
        const runs = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(`controllers ${key}`);
          return {};
        });
        queue.work('nodes.0', 1, async (key) => {
          runs.hit(`nodes ${key}`);
          return {};
        });
        await queue.add('nodes.0', 'n');
        await runs.reach('nodes n', 1);
        assert.equal(runs.count('controllers n'), 0);
      }),
    );

    it(
      'runs exactly one more pass for 50 adds while one runs, never two at once',
      on(async (queue) => {
        const held = await holdFirst(queue, QUEUE, 'k', 8);
        const { runs } = held;
        await Promise.all(Array.from({ length: 50 }, () => queue.add(QUEUE, 'k')));
        held.pass();
        await runs.reach('k', 2);
        // Another key goes the whole way after them: nothing of k is left in front of it.
        await queue.add(QUEUE, 'end');
        await runs.reach('end', 1);
        assert.equal(runs.count('k'), 2);
        assert.equal(held.mostOfAKey(), 1);
      }),
    );

    it(
      'works several keys at once, up to the concurrency',
      on(async (queue) => {
        const open = gate();
        const runs = new Counter();
        let now = 0;
        let most = 0;
        queue.work(QUEUE, 3, async (key) => {
          now += 1;
          most = Math.max(most, now);
          runs.hit('any');
          await open.passed;
          now -= 1;
          return { ...(key === 'never' && { requeueAfterMs: 1 }) };
        });
        await queue.addMany(QUEUE, ['a', 'b', 'c', 'd', 'e']);
        await runs.reach('any', 3);
        open.pass();
        await runs.reach('any', 5);
        assert.equal(most, 3);
      }),
    );

    it(
      'puts what changed before what is only looked at again, and makes one pass of both',
      on(async (queue) => {
        const { runs, order, pass } = await holdFirst(queue, QUEUE, 'first');
        const again = Array.from({ length: 30 }, (_, index) => `again-${index}`);
        await queue.addMany(QUEUE, again, 'resync');
        await queue.add(QUEUE, 'changed');
        await queue.add(QUEUE, 'again-29');
        pass();
        await Promise.all(again.map((key) => runs.reach(key, 1)));
        await queue.add(QUEUE, 'end');
        await runs.reach('end', 1);
        // A few of the others may stand in the line already.
        assert.ok(order.indexOf('changed') <= 5, `changed came ${order.indexOf('changed')}th`);
        assert.ok(order.indexOf('again-29') <= 6, `again-29 came ${order.indexOf('again-29')}th`);
        assert.equal(order.length, 33, 'each had one pass');
      }),
    );

    it(
      'asks again, at a resync, for what the state has lost without a word',
      on(async (queue) => {
        const { runs, pass } = await holdFirst(queue, QUEUE, 'first');
        const asked = ['a', 'b', 'c'];
        await queue.addMany(QUEUE, asked);
        await fixture.flush();
        await queue.addMany(QUEUE, [...asked, 'never asked'], 'resync');
        pass();
        await Promise.all([...asked, 'never asked'].map((key) => runs.reach(key, 1)));
      }),
    );

    it(
      'counts nothing of a queue that it does not work',
      on(async (queue) => {
        const counted = (): unknown => {
          const stats = queue.stats().get(QUEUE);
          return stats && [stats.adds, stats.depth, stats.running];
        };
        await queue.addMany(QUEUE, ['a', 'b']);
        assert.deepEqual(counted(), [0, 0, 0]);
        const { runs, pass } = await holdFirst(queue, QUEUE, 'first');
        pass();
        await runs.reach('first', 1);
        await runs.reach('a', 1);
        await runs.reach('b', 1);
        await queue.add(QUEUE, 'end');
        await runs.reach('end', 1);
        assert.equal(queue.stats().get(QUEUE)?.adds, 2);
        assert.equal(queue.stats().get(QUEUE)?.depth, 0);
      }),
    );

    it(
      'counts what it does',
      on(async (queue) => {
        const open = gate();
        const runs = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          if (key === 'slow') await open.passed;
          if (key === 'bad' && runs.count(key) === 1) throw new RetryableError('GitUnreachable', 'once');
          return {};
        });
        await queue.add(QUEUE, 'slow');
        await runs.reach('slow', 1);
        await queue.addMany(QUEUE, ['bad', 'good']);
        const busy = queue.stats().get(QUEUE);
        assert.ok(busy);
        assert.deepEqual([busy.adds, busy.running, busy.depth, busy.work.count], [3, 1, 2, 0]);
        open.pass();
        await runs.reach('bad', 2);
        await queue.add(QUEUE, 'end');
        await runs.reach('end', 1);
        const done = queue.stats().get(QUEUE);
        assert.ok(done);
        assert.deepEqual([done.retries, done.depth], [1, 0]);
        assert.ok(done.work.count >= 4 && done.latency.count >= 4);
        assert.ok(done.work.sumMs > 0);
        assert.equal(done.work.buckets.at(-1), done.work.count);
      }),
    );

    it(
      'starts a pass at its add',
      on(async (queue) => {
        const latencies: number[] = [];
        const runs = new Counter();
        let began = 0;
        queue.work(QUEUE, 4, async (key) => {
          latencies.push(performance.now() - began);
          runs.hit(key);
          return {};
        });
        for (let n = 0; n < 40; n += 1) {
          began = performance.now();
          await queue.add(QUEUE, `k-${n}`);
          await runs.reach(`k-${n}`, 1);
        }
        latencies.sort((a, b) => a - b);
        // Who would look once a second takes half of one.
        assert.ok((latencies[20] ?? 0) < 250, `median ${latencies[20]} ms`);
      }),
    );

    it(
      'looks again after requeueAfterMs, not earlier',
      on(async (queue) => {
        const runs = new Counter();
        const at: number[] = [];
        queue.work(QUEUE, 1, async (key) => {
          at.push(performance.now());
          runs.hit(key);
          return runs.count(key) === 1 ? { requeueAfterMs: 120 } : {};
        });
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 2);
        const waited = (at[1] ?? 0) - (at[0] ?? 0);
        assert.ok(waited >= 115, `after ${waited} ms`);
      }),
    );

    it(
      'lets an immediate add overtake a delayed one, and the earlier of two delays win',
      on(async (queue) => {
        const runs = new Counter();
        const at: number[] = [];
        queue.work(QUEUE, 1, async (key) => {
          at.push(performance.now());
          runs.hit(key);
          return {};
        });
        const began = performance.now();
        await queue.addAfter(QUEUE, 'k', 60_000);
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 1);
        await queue.addAfter(QUEUE, 'k', 150);
        await queue.addAfter(QUEUE, 'k', 30_000);
        await runs.reach('k', 2);
        assert.ok((at[1] ?? 0) - began < 25_000);
      }),
    );

    it(
      'waits as long as it is told, also longer than a timer of Node.js can',
      on(async (queue) => {
        const runs = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          return key === 'asks for it' ? { requeueAfterMs: 2 ** 31 } : {};
        });
        await queue.addAfter(QUEUE, 'far', 2 ** 31);
        await queue.addAfter(QUEUE, 'farther', 2_147_483_647_000);
        await queue.add(QUEUE, 'asks for it');
        await runs.reach('asks for it', 1);
        await queue.addAfter(QUEUE, 'soon', 20);
        await runs.reach('soon', 1);
        assert.deepEqual(
          ['far', 'farther', 'asks for it'].map((key) => runs.count(key)),
          [0, 0, 1],
        );
        await queue.add(QUEUE, 'far');
        await runs.reach('far', 1);
      }),
    );

    it(
      'runs again with growing back-off what fails, and tells each failure',
      on(async (queue) => {
        const runs = new Counter();
        const failures: QueueFailure[] = [];
        queue.onFailure((failure) => {
          failures.push(failure);
        });
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          if (runs.count(key) <= 3) throw new RetryableError('GitUnreachable', 'not yet');
          return {};
        });
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 4);
        assert.deepEqual(
          failures.map((f) => [f.queue, f.key, f.attempt]),
          [
            [QUEUE, 'k', 1],
            [QUEUE, 'k', 2],
            [QUEUE, 'k', 3],
          ],
        );
        for (const [index, { retryInMs }] of failures.entries()) {
          const full = 50 * 2 ** index;
          assert.ok(
            retryInMs !== undefined && retryInMs > full / 2 && retryInMs <= full,
            `retry ${index + 1} in ${retryInMs} ms`,
          );
        }
      }),
    );

    it(
      'does not swallow an add while a failed key backs off',
      on(async (queue) => {
        const runs = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          if (runs.count(key) === 1) throw new WaitingError('MachineUnknown', 'come back in a minute', 60_000);
          return {};
        });
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 1);
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 2);
      }),
    );

    it(
      'leaves a terminal error alone, until the key is added again',
      on(async (queue) => {
        const runs = new Counter();
        const failed = new Counter();
        const failures: QueueFailure[] = [];
        queue.onFailure((failure) => {
          failures.push(failure);
          failed.hit(failure.key);
        });
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          if (key === 'bad') throw new TerminalError('TreeInvalid', 'never');
          return {};
        });
        await queue.add(QUEUE, 'bad');
        await failed.reach('bad', 1);
        assert.equal(failures[0]?.retryInMs, undefined);
        await queue.addAfter(QUEUE, 'later', 200);
        await runs.reach('later', 1);
        assert.equal(runs.count('bad'), 1);
        await queue.add(QUEUE, 'bad');
        await runs.reach('bad', 2);
      }),
    );

    it(
      'close waits for the running pass, aborts it after the grace, and keeps the unfinished key',
      on(async (queue) => {
        const runs = new Counter();
        let finished = false;
        const worker = queue.work(QUEUE, 1, async (key, signal) => {
          runs.hit(key);
          await new Promise<void>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('aborted'));
            });
          }).finally(() => {
            finished = true;
          });
          return {};
        });
        const failures: QueueFailure[] = [];
        queue.onFailure((failure) => {
          failures.push(failure);
        });
        await queue.add(QUEUE, 'k');
        await runs.reach('k', 1);
        await worker.close(20);
        assert.equal(finished, true);
        assert.deepEqual(failures, [], 'being stopped is no failure');
        const after = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          after.hit(key);
          return {};
        });
        await after.reach('k', 1);
      }),
    );

    it(
      'goes on after the state was emptied, also in the middle of a pass',
      on(async (queue) => {
        const held = await holdFirst(queue, QUEUE, 'k', 4);
        const { runs } = held;
        await fixture.flush();
        await queue.add(QUEUE, 'k');
        await queue.addMany(QUEUE, ['k', 'k']);
        held.pass();
        await runs.reach('k', 2);
        assert.equal(held.mostOfAKey(), 1, 'one pass of a key at a time all the same');
        await queue.addAfter(QUEUE, 'later', 10);
        await runs.reach('later', 1);
      }),
    );
  });
}
