import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryLeases } from '../../../reconciler/adapters/memory/leases.ts';
import { MemoryObjectStore, MemoryState } from '../../../reconciler/adapters/memory/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import { Membership } from '../../../reconciler/controllers/runtime/membership.ts';
import { ShardKeeper } from '../../../reconciler/controllers/runtime/shard-keeper.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import type { Leases } from '../../../reconciler/ports/leases.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { configMap } from '../../contract/object-store/objects.ts';

const BEAT_MS = 50;
const clock = new SystemClock();
const signal = AbortSignal.timeout(30_000);

/** Leases whose way to the store can be cut. */
class Cuttable {
  isCut = false;
  refused = 0;
  readonly leases: Leases;

  constructor(real: Leases) {
    this.leases = new Proxy(real, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          if (this.isCut) {
            this.refused += 1;
            throw new RetryableError('StoreUnavailable', 'cut');
          }
          return Reflect.apply(method, target, args) as unknown;
        };
      },
    });
  }
}

/** One control plane that only keeps shards. */
class Party {
  readonly store: MemoryObjectStore;
  readonly way: Cuttable;
  readonly membership: Membership;
  readonly cache: StoreCache;
  readonly keeper: ShardKeeper;
  /** Shards that it works, with their tokens. */
  readonly works = new Map<number, number>();
  /** What every take had in the cache. */
  readonly seen: string[][] = [];
  readonly #stop = new AbortController();
  #following: Promise<unknown> | undefined;

  constructor(state: MemoryState, home: string) {
    this.store = new MemoryObjectStore({ clock, ids: new CryptoIds(), state });
    this.cache = new StoreCache({ store: this.store, clock, log: SILENT_LOG });
    this.way = new Cuttable(new MemoryLeases(state, clock));
    this.membership = new Membership({
      leases: this.way.leases,
      clock,
      log: SILENT_LOG,
      home,
      label: home,
      beatMs: BEAT_MS,
    });
    this.keeper = new ShardKeeper({
      membership: this.membership,
      clock,
      log: SILENT_LOG,
      reached: (version, s) => this.cache.reached(version, s),
      settled: async () => undefined,
    });
    this.keeper.add({
      take: (shard, token) => {
        assert.equal(this.works.has(shard), false, 'a shard begins once');
        this.works.set(shard, token);
        this.seen.push(this.cache.list('ConfigMap').map(({ metadata }) => metadata.name));
      },
      leave: async (shard) => {
        this.works.delete(shard);
      },
    });
  }

  async start(): Promise<void> {
    await this.store.open(signal);
    await this.membership.join(signal);
    this.store.writeAs(this.membership.id);
    this.#following = this.cache.run(this.#stop.signal);
    await this.cache.waitSynced(signal);
    this.keeper.start();
  }

  async close(): Promise<void> {
    await this.keeper.close();
    await this.membership.leave();
    this.#stop.abort();
    await this.#following;
  }

  /** As SIGKILL does it: nothing is given up. */
  async kill(): Promise<void> {
    this.way.isCut = true;
    await this.close();
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = clock.monotonic() + 15_000;
  while (!holds()) {
    assert.ok(clock.monotonic() < end, `within 15 s: ${what}`);
    await clock.sleep(5);
  }
}

async function withParties(
  count: number,
  body: (parties: Party[], state: MemoryState) => Promise<void>,
): Promise<void> {
  const state = new MemoryState();
  await new MemoryObjectStore({ clock, ids: new CryptoIds(), state }).open(signal);
  const parties = Array.from({ length: count }, (_, index) => new Party(state, `home-${index}`));
  try {
    await body(parties, state);
  } finally {
    await Promise.all(parties.map((party) => party.close()));
  }
}

describe('shards among control planes', () => {
  it('one alone has all; with a second each has half, and never both the same', () =>
    withParties(2, async ([a, b]) => {
      assert.ok(a && b);
      await a.start();
      await until('all are held', () => a.works.size === 16);
      await b.start();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      assert.deepEqual(
        [...a.works.keys()].filter((shard) => b.works.has(shard)),
        [],
      );
      await until('the first sees what the second holds', () =>
        [...b.works.keys()].every((shard) => a.keeper.holderOf(shard)?.label === 'home-1'),
      );
    }));

  it('one that is killed is taken over from, with higher tokens, and writes nothing more', () =>
    withParties(2, async ([a, b]) => {
      assert.ok(a && b);
      await a.start();
      await b.start();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      const before = Math.max(...a.works.values(), ...b.works.values());
      const theirs = [...b.works.keys()];
      b.way.isCut = true;
      await until('all are held by the other', () => a.works.size === 16);
      for (const shard of theirs) assert.ok((a.works.get(shard) ?? 0) > before);
      assert.equal(b.works.size, 0, 'it had stopped before');
      await assert.rejects(b.store.write([{ op: 'create', object: configMap('late', {}) }]), { code: 'LeaseLost' });
      b.way.isCut = false;
      assert.equal(((await b.membership.over) as RetryableError).code, 'LeaseLost');
    }));

  it('one that stops hands over what it has', () =>
    withParties(2, async ([a, b]) => {
      assert.ok(a && b);
      await a.start();
      await b.start();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      await b.close();
      await until('all are held by the other', () => a.works.size === 16);
    }));

  it('whoever takes a shard has seen what its former holder wrote', () =>
    withParties(2, async ([a, b]) => {
      assert.ok(a && b);
      await a.start();
      await until('all are held', () => a.works.size === 16);
      await a.store.write([{ op: 'create', object: configMap('written', {}) }]);
      await b.start();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      assert.ok(b.seen.every((names) => names.includes('written')));
    }));

  it('while the store is away one alone keeps what it has', () =>
    withParties(1, async ([a]) => {
      assert.ok(a);
      await a.start();
      await until('all are held', () => a.works.size === 16);
      const tokens = [...a.works];
      a.way.isCut = true;
      await until('it tried more often than others would have waited', () => a.way.refused > 10);
      a.way.isCut = false;
      const { beat } = a.membership.view.members[0] ?? { beat: 0 };
      await until('it beats again', () => (a.membership.view.members[0]?.beat ?? 0) > beat);
      assert.deepEqual([...a.works], tokens);
    }));

  it('the same home begins anew at once, though it was killed', () =>
    withParties(1, async ([a], state) => {
      assert.ok(a);
      await a.start();
      await until('all are held', () => a.works.size === 16);
      await a.kill();
      const next = new Party(state, 'home-0');
      await next.start();
      await until('all are held again', () => next.works.size === 16);
      await next.close();
    }));
});
