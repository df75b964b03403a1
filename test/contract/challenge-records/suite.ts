/** What every ChallengeRecords does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DnsProvider } from '../../../reconciler/core/certificates/dns01.ts';
import type { ChallengeRecords } from '../../../reconciler/ports/challenge-records.ts';
import { inPatience } from '../../support/patience.ts';

export interface RecordsWorld {
  readonly records: ChallengeRecords;
  /** Serves example.com. */
  readonly provider: DnsProvider;
  /** The texts of a name, in the order of the alphabet. */
  readonly texts: (name: string) => Promise<readonly string[]>;
  close(): Promise<void>;
}

const signal = inPatience(600_000);

export function challengeRecordsSuite(name: string, make: () => Promise<RecordsWorld>): void {
  describe(`ChallengeRecords: ${name}`, () => {
    let world: RecordsWorld;
    before(async () => {
      world = await make();
    });
    after(() => world?.close());

    it('adds a record, which is there then', async () => {
      const { records, provider, texts } = world;
      const record = { name: '_acme-challenge.a.example.com', value: 'one_-1' };
      assert.match((await records.missing(provider, record, signal)) ?? '', /_acme-challenge\.a\.example\.com/);
      await records.add(provider, record, signal);
      await records.add(provider, record, signal);
      assert.equal(await records.missing(provider, record, signal), undefined);
      assert.deepEqual(await texts(record.name), ['one_-1']);
    });

    it('has several texts at one name, and takes away one', async () => {
      const { records, provider, texts } = world;
      const at = '_acme-challenge.b.example.com';
      for (const value of ['one', 'two']) await records.add(provider, { name: at, value }, signal);
      assert.deepEqual(await texts(at), ['one', 'two']);
      await records.remove(provider, { name: at, value: 'one' }, signal);
      await records.remove(provider, { name: at, value: 'one' }, signal);
      assert.deepEqual(await texts(at), ['two']);
      assert.notEqual(await records.missing(provider, { name: at, value: 'one' }, signal), undefined);
      assert.equal(await records.missing(provider, { name: at, value: 'two' }, signal), undefined);
    });

    it('ends with the signal', async () => {
      const { records, provider } = world;
      const reason = new Error('enough');
      const record = { name: '_acme-challenge.c.example.com', value: 'x' };
      await assert.rejects(records.add(provider, record, AbortSignal.abort(reason)), reason);
      assert.deepEqual(await world.texts(record.name), []);
    });
  });
}
