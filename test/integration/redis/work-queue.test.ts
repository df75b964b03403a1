/** What only a real server shows: what lies in Redis, other processes, lost connections. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Queue } from 'bullmq';
import { BullWorkQueue } from '../../../reconciler/adapters/bullmq/work-queue.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { Counter, gate, holdFirst } from '../../contract/work-queue/waiting.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { polled } from '../../support/patience.ts';
import { inTime } from '../../support/in-time.ts';

const QUEUE = 'controllers.a';

const queueOn = (redis: TestRedis, callTimeoutMs = 5000): BullWorkQueue =>
  new BullWorkQueue({ connection: redis.connection, cluster: 'test', log: SILENT_LOG, callTimeoutMs });

const onRedis =
  (body: (redis: TestRedis, queue: BullWorkQueue) => Promise<void>, callTimeoutMs?: number) =>
  async (): Promise<void> => {
    const redis = await startTestRedis();
    const queue = queueOn(redis, callTimeoutMs);
    try {
      await body(redis, queue);
    } finally {
      await queue.close();
      await redis.close();
    }
  };

/** Within it a server that is well answers, on a busy machine too. */
const STALL_TIMEOUT_MS = 1000;

/** Ids of the connections that speak to the queues, without the one that asks. */
async function connections(redis: TestRedis): Promise<readonly string[]> {
  const own = String(await redis.client.client('ID'));
  return (await clients(redis)).map(idOf).filter((id) => id !== own);
}

/** Ids of the connections on which somebody waits for a key. */
async function waiting(redis: TestRedis): Promise<readonly string[]> {
  return (await clients(redis)).filter((line) => / flags=\w*b\w* .* cmd=bzpopmin /.test(line)).map(idOf);
}

async function clients(redis: TestRedis): Promise<readonly string[]> {
  return String(await redis.client.client('LIST'))
    .trim()
    .split('\n');
}

function idOf(line: string): string {
  return /id=(\d+)/.exec(line)?.[1] ?? '';
}

describe('BullWorkQueue on a real server', () => {
  it(
    'leaves nothing that grows',
    onRedis(async (redis, queue) => {
      const runs = new Counter();
      const failed = new Counter();
      queue.onFailure(({ key }) => {
        failed.hit(key);
      });
      queue.work(QUEUE, 16, async (key) => {
        runs.hit('all');
        if (key.endsWith('7') && runs.count(key) === 0) {
          runs.hit(key);
          throw new Error('once');
        }
        return {};
      });
      await queue.addMany(
        QUEUE,
        Array.from({ length: 2000 }, (_, n) => `k-${n}`),
      );
      await runs.reach('all', 2200);
      await queue.close();
      const keys = await redis.client.keys('*');
      assert.ok(keys.length < 12, keys.join(' '));
      for (const key of keys) assert.match(key, /^\{plumb:test\}:queue:/);
      const events = await redis.client.xlen('{plumb:test}:queue:controllers.a:events');
      assert.ok(events < 400, `${events} queue events`);
    }),
  );

  it(
    'does not take a stall of its own process for a server that is away',
    onRedis(async (redis, queue) => {
      await queue.add(QUEUE, 'first');
      const [before] = await connections(redis);
      const adding = queue.addMany(QUEUE, ['a', 'b']);
      // Longer than a call may take: when it is over, the answer waits to be read.
      for (const end = performance.now() + 1.5 * STALL_TIMEOUT_MS; performance.now() < end;);
      await adding;
      assert.equal(queue.problem, undefined);
      assert.deepEqual(await connections(redis), [before]);
    }, STALL_TIMEOUT_MS),
  );

  it(
    'loses no key and runs none twice at once where control planes work it in turns',
    onRedis(async (redis, queue) => {
      const other = queueOn(redis);
      try {
        const running = new Set<string>();
        let doubled = 0;
        const runs = new Counter();
        const handler = async (key: string): Promise<object> => {
          if (running.has(key)) doubled += 1;
          running.add(key);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          running.delete(key);
          runs.hit(key);
          return {};
        };
        for (let round = 0; round < 10; round += 1) {
          const worker = (round % 2 === 0 ? queue : other).work(QUEUE, 4, handler);
          for (let push = 0; push < 5; push += 1)
            await Promise.all([queue, other].map((q) => q.addMany(QUEUE, ['a', 'b', 'c'])));
          await worker.close();
        }
        const last = runs.count('a');
        await other.add(QUEUE, 'a');
        queue.work(QUEUE, 4, handler);
        await runs.reach('a', last + 1);
        assert.equal(doubled, 0);
      } finally {
        await other.close();
      }
    }),
  );

  it(
    'runs at once what another process left running, whether it is dead or only stands still',
    onRedis(async (redis, queue) => {
      const before = queueOn(redis);
      const open = gate();
      const runs = new Counter();
      try {
        before.work(QUEUE, 2, async (key) => {
          runs.hit(`before ${key}`);
          await open.passed;
          return {};
        });
        await queue.addMany(QUEUE, ['a', 'b']);
        await Promise.all([runs.reach('before a', 1), runs.reach('before b', 1)]);
        // Changed since: it waits for the pass that runs.
        await queue.add(QUEUE, 'a');
        queue.work(QUEUE, 2, async (key) => {
          runs.hit(key);
          return {};
        });
        await Promise.all([runs.reach('a', 2), runs.reach('b', 1)]);
      } finally {
        const closing = before.close();
        open.pass();
        await closing;
      }
      await queue.addMany(QUEUE, ['a', 'b']);
      await Promise.all([runs.reach('a', 3), runs.reach('b', 2)]);
      await queue.close();
      assert.equal(await redis.client.llen('{plumb:test}:queue:controllers.a:active'), 0);
    }),
  );

  it(
    'is woken for each key, though another process stands still while it waits for one',
    onRedis(async (redis, queue) => {
      const asleep = redis.client.duplicate();
      let word: Promise<unknown> | undefined;
      try {
        const id = String(await asleep.client('ID'));
        word = asleep.bzpopmin('{plumb:test}:queue:controllers.a:marker', 0);
        const within = { timeoutMs: 10_000 };
        const waits = async (isOne: (id: string) => boolean): Promise<true | undefined> =>
          (await waiting(redis)).some(isOne) || undefined;
        await polled('the other one does not wait', () => waits((one) => one === id), within);
        const runs = new Counter();
        queue.work(QUEUE, 1, async (key) => {
          runs.hit(key);
          return {};
        });
        await polled('this one does not wait', () => waits((one) => one !== id), within);
        await queue.add(QUEUE, 'a');
        await polled('nobody looks at the key', () => runs.count('a') === 1 || undefined, within);
        assert.notEqual(await word, null);
      } finally {
        asleep.disconnect();
        await word?.catch(() => undefined);
      }
    }),
  );

  it(
    'begins no pass once its end has begun, and leaves the key to the next',
    onRedis(async (redis, queue) => {
      const runs = new Counter();
      let late = 0;
      for (let round = 1; round <= 20; round += 1) {
        let isEnding = false;
        const worker = queue.work(QUEUE, 1, async (key) => {
          if (isEnding) late += 1;
          runs.hit(key);
          return {};
        });
        await polled('the worker does not wait', async () => (await waiting(redis)).length > 0 || undefined, {
          timeoutMs: 10_000,
        });
        // It is told of the key, and asks for the job when it hears of its own end.
        await queue.add(QUEUE, `k-${round}`);
        isEnding = true;
        await worker.close();
      }
      queue.work(QUEUE, 1, async (key) => {
        runs.hit(key);
        return {};
      });
      for (let round = 1; round <= 20; round += 1) await runs.reach(`k-${round}`, 1);
      assert.equal(late, 0);
    }),
  );

  it(
    'hands over the later passes of a process that ended',
    onRedis(async (redis, queue) => {
      const before = queueOn(redis);
      await before.addAfter(QUEUE, 'deadline', 200);
      await before.close();
      const runs = new Counter();
      queue.work(QUEUE, 1, async (key) => {
        runs.hit(key);
        return {};
      });
      await runs.reach('deadline', 1);
      assert.equal(await redis.client.zcard('{plumb:test}:queue:controllers.a:later'), 0);
    }),
  );

  it(
    'leaves the later passes of a queue that it works no more to whoever does',
    onRedis(async (redis, queue) => {
      const given = queue.work(QUEUE, 1, async () => ({}));
      await given.close();
      const runs = new Counter();
      queue.work('controllers.b', 1, async (key) => {
        runs.hit(key);
        return {};
      });
      // Both lost their process; they are looked at together, the first first.
      for (const name of [QUEUE, 'controllers.b'])
        await redis.client.zadd(`{plumb:test}:queue:${name}:later`, 1, 'overdue');
      await runs.reach('overdue', 1);
      assert.equal(await redis.client.zcard(`{plumb:test}:queue:${QUEUE}:later`), 1);
      assert.equal((await waiting(redis)).length, 0);
    }),
  );

  it(
    'works on after cut connections and forgotten scripts',
    onRedis(async (redis, queue) => {
      const runs = new Counter();
      queue.work(QUEUE, 2, async (key) => {
        runs.hit(key);
        return {};
      });
      await queue.add(QUEUE, 'a');
      await runs.reach('a', 1);
      await redis.client.script('FLUSH');
      await queue.addMany(QUEUE, ['b', 'c']);
      await runs.reach('c', 1);
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await queue.addMany(QUEUE, ['d', 'e']);
      await runs.reach('d', 1);
      await runs.reach('e', 1);
    }),
  );

  it(
    'asks again, on a new connection, for what the server has forgotten',
    onRedis(async (redis, queue) => {
      const { runs, pass } = await holdFirst(queue, QUEUE, 'first');
      await queue.addMany(QUEUE, ['a', 'b', 'first']);
      await queue.addAfter(QUEUE, 'later', 3_600_000);
      // What a replica that lagged does not have.
      await redis.client.flushall();
      await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await polled(
        'what waits for later is not kept again',
        async () => (await redis.client.zcard('{plumb:test}:queue:controllers.a:later')) === 1 || undefined,
        { timeoutMs: 10_000 },
      );
      pass();
      await runs.reach('a', 1);
      await runs.reach('b', 1);
      await runs.reach('first', 2);
    }),
  );

  it(
    'drops jobs that carry no key of ours',
    onRedis(async (redis, queue) => {
      const seen: unknown[] = [];
      const runs = new Counter();
      queue.work(QUEUE, 1, async (key) => {
        seen.push(key);
        runs.hit(key);
        return {};
      });
      const stranger = new Queue(QUEUE, { connection: redis.client, prefix: '{plumb:test}:queue' });
      try {
        for (const data of [undefined, null, 'text', {}, { key: 7 }, { key: '' }, { key: 'x'.repeat(10_000) }])
          await stranger.add('pass', data, { removeOnComplete: true });
        await stranger.add('pass', { key: 'last' }, { removeOnComplete: true });
        await runs.reach('last', 1);
        assert.deepEqual(seen, ['last']);
      } finally {
        await stranger.close();
      }
    }),
  );

  it(
    'says QueueUnavailable when the server hangs, and the retry is not forgotten',
    onRedis(async (redis, queue) => {
      const runs = new Counter();
      const open = gate();
      queue.work(QUEUE, 1, async (key) => {
        runs.hit(key);
        if (runs.count(key) === 1) {
          await open.passed;
          throw new Error('the node is away');
        }
        return {};
      });
      await queue.add(QUEUE, 'k');
      await runs.reach('k', 1);
      process.kill(redis.pid, 'SIGSTOP');
      try {
        await assert.rejects(queue.add(QUEUE, 'x'), { name: 'RetryableError', code: 'QueueUnavailable' });
        open.pass();
      } finally {
        process.kill(redis.pid, 'SIGCONT');
      }
      await runs.reach('k', 2);
    }, 2000),
  );

  it('closes while the server is away', async () => {
    const redis = await startTestRedis();
    const queue = queueOn(redis);
    try {
      const runs = new Counter();
      queue.work(QUEUE, 2, async (key) => {
        runs.hit(key);
        return {};
      });
      await queue.add(QUEUE, 'a');
      await runs.reach('a', 1);
    } finally {
      await redis.close();
      await inTime('the queue is closed', 15_000, queue.close());
    }
  });
});
