/**
 * What another process left running. BullMQ finds such a job when its lock has run out and two checks have passed, 15 to
 * 20 s later, and until then every request for its key waits. Here a queue has one holder: whoever begins to work it
 * knows that nobody else runs anything of it, or may no longer.
 */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';

/**
 * Has BullMQ's next check take every job that runs for one whose process is gone. One that still runs it cannot renew
 * its lock, and its word that the job is done counts for nothing. And wakes who waits for a job: one that stands still,
 * or whose host is gone, would otherwise be the one that Redis tells of the next, until its wait is over. KEYS: running,
 * suspected, when checked last, what a waiting worker is woken with. ARGV: what keys of jobs begin with.
 */
const TAKE_OVER = `
for _, job in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', ARGV[1] .. job .. ':lock')
  redis.call('SADD', KEYS[2], job)
end
redis.call('DEL', KEYS[3])
return redis.call('ZADD', KEYS[4], 0, '0')
`;

/** Call before the worker runs: it checks, and looks for jobs, as soon as it does. */
export async function takeOverRunning(client: Redis, queue: Queue): Promise<void> {
  const keys = ['active', 'stalled', 'stalled-check', 'marker'].map((name) => queue.toKey(name));
  await client.eval(TAKE_OVER, keys.length, ...keys, queue.toKey(''));
}
