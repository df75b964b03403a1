/** What a Redis holds, as text that can be read and reviewed, and put back. */
import type { Redis } from 'ioredis';

/** By Redis key. Expiry is left out: what expires soon is put back as what does not. */
export type RedisText = Readonly<Record<string, RedisValue>>;
type RedisValue =
  | { readonly string: string }
  | { readonly hash: Readonly<Record<string, string>> }
  | { readonly list: readonly string[] }
  | { readonly set: readonly string[] }
  | { readonly zset: readonly (readonly [member: string, score: string])[] }
  | { readonly stream: readonly (readonly [id: string, fields: readonly string[]])[] };

/** `client` speaks RESP2 (`replyMapping: 'legacy'`). A key that goes or expires between two commands is left out. */
export async function redisText(client: Redis): Promise<RedisText> {
  const keys = (await client.keys('*')).sort();
  const values = await Promise.all(keys.map((key) => valueOf(client, key)));
  return Object.fromEntries(keys.flatMap((key, at) => (values[at] === undefined ? [] : [[key, values[at]] as const])));
}

/** In place of all that is there. */
export async function restoreRedisText(client: Redis, text: RedisText): Promise<void> {
  await client.flushall();
  for (const [key, value] of Object.entries(text)) {
    if ('string' in value) await client.set(key, value.string);
    else if ('hash' in value) await client.hset(key, { ...value.hash });
    else if ('list' in value) await client.rpush(key, ...value.list);
    else if ('set' in value) await client.sadd(key, ...value.set);
    else if ('zset' in value) for (const [member, score] of value.zset) await client.zadd(key, Number(score), member);
    else for (const [id, fields] of value.stream) await client.call('XADD', key, id, ...fields);
  }
}

async function valueOf(client: Redis, key: string): Promise<RedisValue | undefined> {
  const type = await client.type(key);
  switch (type) {
    case 'string':
      return { string: (await client.get(key)) ?? '' };
    case 'hash':
      return { hash: sorted(await client.hgetall(key)) };
    case 'list':
      return { list: await client.lrange(key, 0, -1) };
    case 'set':
      return { set: (await client.smembers(key)).sort() };
    case 'zset':
      return { zset: pairs(await client.zrange(key, '0', '-1', 'WITHSCORES')) };
    case 'stream':
      return { stream: await client.xrange(key, '-', '+') };
    case 'none':
      return undefined;
    default:
      throw new TypeError(`${key} is a ${type}`);
  }
}

function sorted(hash: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(hash).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((member, at) => (at % 2 === 0 ? [[member, flat[at + 1] ?? '']] : []));
}
