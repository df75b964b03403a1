/** What every Leases promises, with the object store whose writes hang on it. Run in memory and on a real redis-server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Leases } from '../../../reconciler/ports/leases.ts';
import type { ObjectStore } from '../../../reconciler/ports/object-store.ts';
import { configMap } from '../object-store/objects.ts';
import { inPatience } from '../../support/patience.ts';

export interface LeasesFixture {
  /** One control plane's store and leases, over the fixture's one state. */
  connect(): Promise<{ readonly store: ObjectStore; readonly leases: Leases }>;
  /** Empties the state, as FLUSHALL does. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

interface Party {
  readonly store: ObjectStore;
  readonly leases: Leases;
  readonly member: string;
}

export function leasesSuite(name: string, start: () => Promise<LeasesFixture>): void {
  describe(`Leases: ${name}`, () => {
    const signal = inPatience(60_000);
    let fixture: LeasesFixture;
    let parties: { readonly store: ObjectStore; readonly leases: Leases }[] = [];

    const party = async (home: string): Promise<Party> => {
      const connected = await fixture.connect();
      parties.push(connected);
      const { member } = await connected.leases.join({ home, label: `the one of ${home}` }, signal);
      connected.store.writeAs(member);
      return { ...connected, member };
    };
    const on = (body: () => Promise<void>) => async (): Promise<void> => {
      try {
        await fixture.flush();
        await body();
      } finally {
        await Promise.all(parties.flatMap(({ store, leases }) => [store.close(), leases.close()]));
        parties = [];
      }
    };
    const renew = ({ leases, member }: Party, beat: number): ReturnType<Leases['renew']> =>
      leases.renew(member, { beat, ready: true, letGo: { upTo: 7, shards: [0, 12] } }, signal);

    before(async () => {
      fixture = await start();
    });
    after(async () => {
      await fixture?.close();
    });

    it(
      'gives a lease to one member at a time',
      on(async () => {
        const [a, b] = [await party('a'), await party('b')];
        assert.deepEqual(
          (await a.leases.acquire(a.member, ['one', 'two'], signal)).map((grant) => grant.name),
          ['one', 'two'],
        );
        assert.deepEqual(
          (await b.leases.acquire(b.member, ['two', 'three'], signal)).map((grant) => grant.name),
          ['three'],
        );
        await b.leases.release(b.member, ['one'], signal);
        assert.deepEqual(await b.leases.acquire(b.member, ['one'], signal), [], 'only its holder gives it up');
        await a.leases.release(a.member, ['one'], signal);
        assert.equal((await b.leases.acquire(b.member, ['one'], signal)).length, 1);
      }),
    );

    it(
      'counts tokens up, over all names and holders, together with the epochs',
      on(async () => {
        const [a, b] = [await party('a'), await party('b')];
        const tokens: number[] = [];
        const take = async ({ leases, member }: Party, names: readonly string[]): Promise<void> => {
          for (const { token } of await leases.acquire(member, names, signal)) tokens.push(token);
        };
        await take(a, ['one', 'two']);
        tokens.push(await a.store.nextEpoch(0, signal));
        await take(b, ['three']);
        await take(a, ['one']);
        await a.leases.leave(a.member, signal);
        await take(b, ['one']);
        assert.equal(tokens.length, 6);
        assert.deepEqual(
          tokens,
          [...new Set(tokens)].sort((x, y) => x - y),
        );
      }),
    );

    it(
      'tells the version that the store had when a lease was taken',
      on(async () => {
        const a = await party('a');
        const [written] = await a.store.write([{ op: 'create', object: configMap('c', {}) }], signal);
        const [grant] = await a.leases.acquire(a.member, ['one'], signal);
        assert.equal(grant?.resourceVersion, written?.ok && written.resourceVersion);
      }),
    );

    it(
      'shows everybody to everybody',
      on(async () => {
        const [a, b] = [await party('a'), await party('b')];
        await a.leases.acquire(a.member, ['one'], signal);
        await renew(a, 3);
        const view = await renew(b, 1);
        assert.deepEqual(
          view?.members.toSorted((x, y) => x.label.localeCompare(y.label)),
          [
            { id: a.member, label: 'the one of a', beat: 3, ready: true, letGo: { upTo: 7, shards: [0, 12] } },
            { id: b.member, label: 'the one of b', beat: 1, ready: true, letGo: { upTo: 7, shards: [0, 12] } },
          ],
        );
        assert.deepEqual([...(view?.holders ?? [])], [['one', a.member]]);
      }),
    );

    it(
      'expels a member only at the beat it was seen at; then others take its leases, and it writes nothing more',
      on(async () => {
        const [a, b] = [await party('a'), await party('b')];
        await a.leases.acquire(a.member, ['one'], signal);
        await renew(a, 4);
        assert.equal(await b.leases.expel(a.member, 3, signal), false);
        assert.equal((await a.store.write([{ op: 'create', object: configMap('mine', {}) }], signal))[0]?.ok, true);
        assert.equal(await b.leases.expel(a.member, 4, signal), true);
        assert.equal((await b.leases.acquire(b.member, ['one'], signal)).length, 1);
        assert.equal(await renew(a, 5), undefined);
        assert.deepEqual(await a.leases.acquire(a.member, ['one', 'other'], signal), []);
        await assert.rejects(a.store.write([{ op: 'create', object: configMap('late', {}) }], signal), {
          code: 'LeaseLost',
        });
        await assert.rejects(a.store.markReady(signal), { code: 'LeaseLost' });
        assert.equal((await b.store.list('ConfigMap', signal)).objects.length, 1);
        assert.equal((await b.store.write([{ op: 'create', object: configMap('theirs', {}) }], signal))[0]?.ok, true);
      }),
    );

    it(
      'takes the place of whoever ran in the same home before',
      on(async () => {
        const killed = await party('a');
        const other = await party('b');
        await killed.leases.acquire(killed.member, ['one'], signal);
        await other.leases.acquire(other.member, ['two'], signal);
        const next = await party('a');
        assert.notEqual(next.member, killed.member);
        assert.deepEqual(
          (await next.leases.acquire(next.member, ['one', 'two'], signal)).map((grant) => grant.name),
          ['one'],
        );
        await assert.rejects(killed.store.write([{ op: 'create', object: configMap('late', {}) }], signal), {
          code: 'LeaseLost',
        });
      }),
    );

    it(
      'hands everything over when a member leaves; leaving twice is no error',
      on(async () => {
        const [a, b] = [await party('a'), await party('b')];
        await a.leases.acquire(a.member, ['one', 'two'], signal);
        await a.leases.leave(a.member, signal);
        await a.leases.leave(a.member, signal);
        assert.equal((await b.leases.acquire(b.member, ['one', 'two'], signal)).length, 2);
        assert.deepEqual(
          (await renew(b, 1))?.members.map(({ id }) => id),
          [b.member],
        );
      }),
    );

    it(
      'is over with the store',
      on(async () => {
        const a = await party('a');
        await a.leases.acquire(a.member, ['one'], signal);
        await fixture.flush();
        await assert.rejects(renew(a, 1), { code: 'StoreLost' });
        const b = await party('a');
        assert.equal((await b.leases.acquire(b.member, ['one'], signal)).length, 1);
        await assert.rejects(a.leases.acquire(a.member, ['one'], signal), { code: 'StoreLost' });
      }),
    );
  });
}
