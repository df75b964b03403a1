/**
 * Holds this control plane's share of the shards, and has the work of each begin and end here. Level-triggered: who
 * takes a shard begins with everything of it, after its cache has seen all that the former holder wrote.
 */
import { shardLease } from '../../core/leases/shards.ts';
import { sharesOf } from '../../core/leases/shares.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Member } from '../../ports/leases.ts';
import type { Log } from '../../ports/log.ts';
import type { HeldLease, Membership } from './membership.ts';

/** Something that works for the shards that are held here. */
export interface ShardWork {
  /** The shard is this control plane's. `token`: its fence, for whoever is spoken to outside the store. */
  take(shard: number, token: number): void;
  /** It is so no longer; resolves when nothing runs for it here any more. No error for one that was not taken. */
  leave(shard: number): Promise<void>;
}

export interface ShardKeeperOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly log: Log;
  /** Resolves when the cache shows everything up to this version. */
  readonly reached: (resourceVersion: string, signal: AbortSignal) => Promise<void>;
  /** Resolves when the store has answered every write that was sent before. */
  readonly settled: (signal: AbortSignal) => Promise<void>;
}

const TRY_AGAIN_MS = 250;

export class ShardKeeper {
  readonly #options: ShardKeeperOptions;
  readonly #works: ShardWork[] = [];
  readonly #stopping = new AbortController();
  /** Shards whose work runs here. */
  readonly #running = new Map<number, HeldLease>();
  readonly #ending = new Map<number, Promise<void>>();
  #unsubscribe: (() => void) | undefined;
  #settling: Promise<void> | undefined;
  #again = false;

  constructor(options: ShardKeeperOptions) {
    this.#options = options;
  }

  /**
   * Its work begins at once for the shards that run already. When a shard is given up, all its work ends at the same
   * time.
   */
  add(work: ShardWork): void {
    this.#works.unshift(work);
    for (const [shard, { token }] of this.#running) work.take(shard, token);
  }

  /** Takes this control plane's share, and follows it from then on. Call once, when the cache is synced. */
  start(): void {
    const { membership } = this.#options;
    this.#unsubscribe = membership.onLook(() => {
      this.#settle();
    });
    membership.takesShards();
  }

  /** Who holds the shard, as far as it was seen; undefined while nobody does. */
  holderOf(shard: number): Member | undefined {
    const { members, holders } = this.#options.membership.view;
    const id = holders.get(shardLease(shard));
    return members.find((member) => member.id === id);
  }

  /** Ends all work. The leases are given up with the membership. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error('the shards are being left'));
    this.#unsubscribe?.();
    await this.#settling;
    await Promise.all([...this.#running.keys()].map((shard) => this.#leave(shard)));
    await Promise.all(this.#ending.values());
    using limit = this.#options.clock.deadline(TRY_AGAIN_MS);
    await this.#options.settled(limit.signal).catch(() => undefined);
  }

  /** Looks at the shares, once more for whatever came meanwhile. */
  #settle(): void {
    this.#again = true;
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
      // What came when it was just over.
      if (this.#again && !this.#stopping.signal.aborted) this.#settle();
    });
  }

  async #settleAll(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      try {
        await this.#settleOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.debug('shards could not be taken or given up yet', { error: String(error) });
        await clock.sleep(TRY_AGAIN_MS, signal).catch(() => undefined);
      }
    }
  }

  async #settleOnce(signal: AbortSignal): Promise<void> {
    const { membership, log } = this.#options;
    const { id, shards, view } = membership;
    const holders = new Map<number, string>();
    for (let shard = 0; shard < shards; shard += 1) {
      const holder = view.holders.get(shardLease(shard));
      // What one that is no member is said to hold is free.
      if (holder !== undefined && view.members.some((member) => member.id === holder)) holders.set(shard, holder);
    }
    const ready = view.members.filter((member) => member.ready).map((member) => member.id);
    const { take, giveUp } = sharesOf(id, ready, holders, shards);
    if (giveUp.length > 0) {
      await Promise.all(giveUp.map((shard) => this.#leave(shard)));
      await this.#options.settled(signal);
      await membership.release(giveUp.map(shardLease), signal);
      log.info('shards given up for another control plane', { shards: giveUp });
    }
    // Also those that are ours in the table and not here: the lease was lost for a while, and nobody took it. And not
    // those that run here and are free in the table: it was read before they were taken.
    const ours = [...holders].filter(([shard, holder]) => holder === id && !giveUp.includes(shard));
    const missing = [...take, ...ours.map(([shard]) => shard)].filter((shard) => !this.#running.has(shard));
    if (missing.length > 0) await this.#take(missing, signal);
    if (giveUp.length > 0 || missing.length > 0) membership.lookSoon();
  }

  async #take(shards: readonly number[], signal: AbortSignal): Promise<void> {
    const { membership, reached, log } = this.#options;
    await Promise.all(shards.flatMap((shard) => this.#ending.get(shard) ?? []));
    const leases = await membership.acquire(shards.map(shardLease), signal);
    const newest = leases.map(({ resourceVersion }) => resourceVersion).sort((a, b) => Number(b) - Number(a))[0];
    if (newest === undefined) return;
    await reached(newest, signal);
    const taken: number[] = [];
    for (const shard of shards) {
      const lease = leases.find(({ name }) => name === shardLease(shard));
      if (!lease || lease.lost.aborted) continue;
      this.#running.set(shard, lease);
      lease.lost.addEventListener(
        'abort',
        () => {
          if (this.#running.get(shard) === lease) void this.#leave(shard);
        },
        { once: true },
      );
      for (const work of this.#works.toReversed()) work.take(shard, lease.token);
      taken.push(shard);
    }
    log.info('shards taken', { shards: taken });
  }

  /** Resolves when nothing runs for it any more, also where its end had begun before. Never rejects. */
  async #leave(shard: number): Promise<void> {
    const { log } = this.#options;
    if (!this.#running.delete(shard)) return this.#ending.get(shard);
    const ending = Promise.all(this.#works.map((work) => work.leave(shard)))
      .catch((error: unknown) => {
        log.warn('work for a shard did not end well', { shard, error: String(error) });
      })
      .then(() => {
        this.#ending.delete(shard);
      });
    this.#ending.set(shard, ending);
    await ending;
  }
}
