import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unlessAborted } from '../../../contracts/signals.ts';
import { MemoryLeases } from '../../../reconciler/adapters/memory/leases.ts';
import { MemoryObjectStore, MemoryState } from '../../../reconciler/adapters/memory/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { StoreCache } from '../../../reconciler/controllers/runtime/cache.ts';
import { Membership } from '../../../reconciler/controllers/runtime/membership.ts';
import { ShardKeeper } from '../../../reconciler/controllers/runtime/shard-keeper.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import type { GitSource } from '../../../reconciler/ports/git-source.ts';
import type { Leases } from '../../../reconciler/ports/leases.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { takeTurn, type TurnOptions } from '../../../reconciler/session/rebuild.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { gate } from '../../contract/work-queue/waiting.ts';
import { inPatience } from '../../support/patience.ts';

const BEAT_MS = 50;
const clock = new SystemClock();
/** What a turn needs that is only waited for. */
const restOfTurn = { clock, log: SILENT_LOG, progress: () => undefined } as unknown as TurnOptions;
const signal = inPatience(30_000);

/** Leases whose way to the store can be cut. */
class Cuttable {
  isCut = false;
  /** What is asked like this meets a table that somebody else wrote into. */
  damaged: keyof Leases | undefined;
  /** What is asked waits for this before it goes to the store. */
  before: (name: keyof Leases) => Promise<void> = async () => undefined;
  /** And before its answer comes. */
  after: (name: keyof Leases) => Promise<void> = async () => undefined;
  refused = 0;
  readonly leases: Leases;

  constructor(real: Leases) {
    this.leases = new Proxy(real, {
      get: (target, name: keyof Leases) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]): Promise<unknown> => {
          if (this.isCut) {
            this.refused += 1;
            throw new RetryableError('StoreUnavailable', 'cut');
          }
          if (this.damaged === name) throw new RetryableError('StoreTampered', 'damaged');
          await this.before(name);
          const answer: unknown = await Reflect.apply(method, target, args);
          await this.after(name);
          return answer;
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
  /** Shards whose work ends: not before this resolves. */
  readonly ending = new Set<number>();
  mayEnd: Promise<void> = Promise.resolve();
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
        if (!this.works.delete(shard)) return;
        this.ending.add(shard);
        await this.mayEnd;
        this.ending.delete(shard);
      },
    });
  }

  /** Takes no shards yet. */
  async join(): Promise<void> {
    await this.store.open(signal);
    await this.membership.join(signal);
    this.store.writeAs(this.membership.id);
    this.#following = this.cache.run(this.#stop.signal);
    await this.cache.waitSynced(signal);
  }

  async start(): Promise<void> {
    await this.join();
    this.keeper.start();
  }

  /** Holds all shards then. */
  async startAlone(): Promise<void> {
    await this.start();
    await until('all are held', () => this.works.size === 16);
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

const looksOf = ({ membership }: Party): number =>
  membership.view.members.find(({ id }) => id === membership.id)?.beat ?? 0;

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
      await a.startAlone();
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
      await a.startAlone();
      await a.store.write([{ op: 'create', object: configMap('written', {}) }]);
      await b.start();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      assert.ok(b.seen.every((names) => names.includes('written')));
    }));

  it('while the store is away one alone keeps what it has', () =>
    withParties(1, async ([a]) => {
      assert.ok(a);
      await a.startAlone();
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
      await a.startAlone();
      await a.kill();
      const next = new Party(state, 'home-0');
      await next.start();
      await until('all are held again', () => next.works.size === 16);
      await next.close();
    }));

  it('one that lost a lease for a while gives it up only when its work has ended', () =>
    withParties(2, async ([a, b]) => {
      assert.ok(a && b);
      const end = gate();
      a.mayEnd = end.passed;
      await a.startAlone();
      await b.join();
      await until('they see each other', () => a.membership.others.length === 1);
      a.way.isCut = b.way.isCut = true;
      await until('all are lost', () => a.ending.size === 16);
      a.way.isCut = b.way.isCut = false;
      b.keeper.start();
      await until('the other takes shards', () => a.membership.others[0]?.ready === true);
      const seen = looksOf(a);
      await until('that was seen, and more than once', () => looksOf(a) > seen + 3);
      const early = [...b.works.keys()];
      end.pass();
      await until('each has half', () => a.works.size === 8 && b.works.size === 8);
      assert.deepEqual(early, [], 'work for these ran in both');
    }));

  for (const [what, holder] of [
    ['nobody', (): undefined => undefined],
    ['another', (other: Party): string => other.membership.id],
  ] as const)
    it(`one whose lease the store lost, and gave to ${what}, ends its work`, () =>
      withParties(2, async ([a, b], state) => {
        assert.ok(a && b);
        const end = gate();
        a.mayEnd = end.passed;
        await a.startAlone();
        await b.join();
        const before = a.works.get(5) ?? 0;
        const to = holder(b);
        if (to === undefined) state.holders.delete('shard-5');
        else state.holders.set('shard-5', to);
        await until('it is left', () => a.ending.has(5));
        assert.equal(a.works.size, 15);
        end.pass();
        if (to !== undefined) await b.membership.release(['shard-5'], signal);
        await until('it is taken anew', () => (a.works.get(5) ?? 0) > before);
      }));

  it('one that is expelled while it waits for its turn does not wait on', () =>
    withParties(2, async ([a, b], state) => {
      assert.ok(a && b);
      await a.join();
      await b.join();
      assert.equal((await a.membership.acquire(['opening'], signal)).length, 1);
      const turn = takeTurn({ ...restOfTurn, store: b.store, membership: b.membership }, signal);
      state.members.delete(b.membership.id);
      await assert.rejects(turn, { code: 'LeaseLost' });
      await a.membership.release(['opening'], signal);
    }));

  it('one that rebuilds, and loses its turn, does not go on', () =>
    withParties(1, async ([a], state) => {
      assert.ok(a);
      await a.join();
      const head = gate();
      const git = {
        head: async (ended: AbortSignal) => {
          head.pass();
          await unlessAborted(ended, new Promise(() => undefined));
        },
      } as unknown as GitSource;
      const turn = takeTurn({ ...restOfTurn, git, store: a.store, membership: a.membership }, signal);
      await head.passed;
      state.holders.delete('opening');
      await assert.rejects(turn, { code: 'LeaseLost' });
    }));

  for (const ask of ['acquire', 'release'] as const)
    it(`is over for one that hears from ${ask} alone that the store is tampered with`, () =>
      withParties(1, async ([a]) => {
        assert.ok(a);
        await a.join();
        const [lease] = await a.membership.acquire(['one'], signal);
        a.way.damaged = ask;
        await assert.rejects(a.membership[ask](['two'], signal), { code: 'StoreTampered' });
        assert.equal(((await a.membership.over) as RetryableError).code, 'StoreTampered');
        assert.equal(lease?.lost.aborted, true);
        a.way.damaged = undefined;
        await assert.rejects(a.membership[ask](['one'], signal), { code: 'StoreTampered' });
      }));

  it('one that is expelled before it hears what it was granted does not have it', () =>
    withParties(1, async ([a], state) => {
      assert.ok(a);
      await a.join();
      const answer = gate();
      a.way.after = (name) => (name === 'acquire' ? answer.passed : Promise.resolve());
      const asked = a.membership.acquire(['one'], signal);
      state.members.delete(a.membership.id);
      await a.membership.over;
      answer.pass();
      await assert.rejects(asked, { code: 'LeaseLost' });
    }));

  it('what was taken since the table was read is not taken anew', () =>
    withParties(1, async ([a]) => {
      assert.ok(a);
      await a.join();
      let acquires = 0;
      a.way.before = async (name) => {
        if (name !== 'acquire') return;
        acquires += 1;
        const seen = looksOf(a);
        a.membership.lookSoon();
        await until('the table is read once more', () => looksOf(a) > seen);
      };
      a.keeper.start();
      await until('all are held', () => a.works.size === 16);
      const [tokens, seen] = [[...a.works], looksOf(a)];
      await until('it has looked again', () => looksOf(a) > seen + 2);
      assert.deepEqual([...a.works], tokens);
      assert.equal(acquires, 1);
    }));
});
