/** Queues of earlier versions, which nobody works any more. */
import type { Redis } from 'ioredis';

/** One for all controllers, and one for all nodes. */
const RETIRED = ['controllers', 'nodes'];
/** Keys looked at in one step of Redis. */
const SCAN_COUNT = 1000;

/**
 * Removes what is left of them, jobs included: a key that they asked for is asked for again in the queues of now, since
 * who begins to work one begins with everything. The key space is searched only where one of them is found.
 */
export async function removeRetiredQueues(client: Redis, prefix: string): Promise<void> {
  for (const name of RETIRED) {
    const meta = `${prefix}:${name}:meta`;
    if ((await client.exists(meta)) === 0) continue;
    let cursor = '0';
    do {
      const [next, keys] = await client.scan(cursor, 'MATCH', `${prefix}:${name}:*`, 'COUNT', SCAN_COUNT);
      // The meta key last: where this is cut short, the next start finds it.
      const others = keys.filter((key) => key !== meta);
      if (others.length > 0) await client.unlink(...others);
      cursor = next;
    } while (cursor !== '0');
    await client.unlink(meta);
  }
}
