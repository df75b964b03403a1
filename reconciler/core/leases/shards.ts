/** Keys to shards. */

/** How many a store is divided into; the store's header says it, so that all its control planes agree. */
export const SHARDS = 16;

/** Name of the lease of a shard. */
export function shardLease(shard: number): string {
  return `shard-${shard}`;
}

/** A stable spread of keys (FNV-1a, 32 bits). */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

export function shardOf(key: string, shards = SHARDS): number {
  return hashOf(key) % shards;
}
