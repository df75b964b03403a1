/** Which shards a member takes and gives up, so that all members come to hold about the same number. */

export interface Shares {
  readonly take: readonly number[];
  readonly giveUp: readonly number[];
}

/**
 * `members`: ids of those that take shards. Nobody holds more than its share of `shards`, rounded up: who does, gives up
 * its highest ones; what nobody holds is taken up to that bound. Members choose from different places on, so that
 * two that look at the same moment seldom want the same one. Where only one of them is left, it takes all.
 */
export function sharesOf(
  me: string,
  members: readonly string[],
  holders: ReadonlyMap<number, string>,
  shards: number,
): Shares {
  const place = members.toSorted((a, b) => (a < b ? -1 : 1)).indexOf(me);
  if (place < 0) return { take: [], giveUp: [] };
  const bound = Math.ceil(shards / members.length);
  const all = Array.from({ length: shards }, (_, shard) => shard);
  const held = all.filter((shard) => holders.get(shard) === me);
  if (held.length >= bound) return { take: [], giveUp: held.slice(bound) };
  const from = Math.floor((shards * place) / members.length);
  const free = [...all.slice(from), ...all.slice(0, from)].filter((shard) => !holders.has(shard));
  return { take: free.slice(0, bound - held.length), giveUp: [] };
}
