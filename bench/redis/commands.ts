/** What a Redis was asked to do, by its own count. */
import type { Redis } from 'ioredis';

export type Calls = ReadonlyMap<string, number>;

/**
 * Calls by command since the server began. Source: Redis' `INFO commandstats`; what a script calls is counted as well as
 * the script.
 */
export async function callsOf(redis: Redis): Promise<Calls> {
  const stats = await redis.info('commandstats');
  return new Map(
    [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, command = '', calls]) => [command, Number(calls)]),
  );
}

/** Jobs that each queue was given since it was made; those of the nodes together. BullMQ counts them in `QUEUE:id`. */
export async function jobsOf(redis: Redis): Promise<Calls> {
  const jobs = new Map<string, number>();
  for (const key of await redis.keys('*:queue:*:id')) {
    const queue = (key.split(':').at(-2) ?? '').replace(/^nodes[.].*/, 'nodes');
    jobs.set(queue, (jobs.get(queue) ?? 0) + Number(await redis.get(key)));
  }
  return jobs;
}

/** The most called first; commands with which a connection begins and this program counts are left out. */
export function callsBetween(before: Calls, after: Calls): Calls {
  const more = [...after].map(([command, calls]) => [command, calls - (before.get(command) ?? 0)] as const);
  return new Map(
    more
      .filter(([command, calls]) => calls > 0 && !/^(info|hello|client)\b/.test(command))
      .sort(([, a], [, b]) => b - a),
  );
}

/**
 * Of these, those that a client sent, and so waited for: scripts and what only clients use here. The others are called
 * by scripts.
 */
const FROM_CLIENTS = /^(evalsha|eval|xread|bzpopmin|script|ping|scan|unlink)\b/;

export function roundTrips(calls: Calls): number {
  return sum([...calls].filter(([command]) => FROM_CLIENTS.test(command)).map(([, count]) => count));
}

export function total(calls: Calls): number {
  return sum([...calls.values()]);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
