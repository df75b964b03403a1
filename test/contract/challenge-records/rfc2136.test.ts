/** Updates of a real server, by the real nsupdate. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DnsRecords } from '../../../reconciler/adapters/dns01/records.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import type { DnsProvider } from '../../../reconciler/core/certificates/dns01.ts';
import { startTestKnot, type TestKnot } from '../../support/knot.ts';
import { challengeRecordsSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const clock = new SystemClock();
const signal = inPatience(600_000);

function providerAt({ port, keyName: name, secret }: TestKnot, more: object = {}): DnsProvider {
  const tsig = { name, algorithm: 'hmac-sha256', secret, ...more } as const;
  return { is: 'rfc2136', host: '127.0.0.1', port, overTcp: false, tsig };
}

challengeRecordsSuite('a server that takes updates', async () => {
  const knot = await startTestKnot();
  return {
    records: new DnsRecords({ clock }),
    provider: providerAt(knot),
    texts: (name) => knot.texts(name),
    close: () => knot.close(),
  };
});

describe('a server that does not take an update', () => {
  let knot: TestKnot;
  const record = { name: '_acme-challenge.example.com', value: 'x' };
  const records = new DnsRecords({ clock });
  before(async () => {
    knot = await startTestKnot();
  });
  after(() => knot?.close());
  const failsWith = (provider: DnsProvider, message: RegExp, what = record): Promise<void> =>
    assert.rejects(records.add(provider, what, signal), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'DnsProviderFailed');
      assert.match(error.message, message);
      assert.ok(!error.message.includes(knot.secret), error.message);
      return true;
    });

  it('tells that the key is wrong', async () => {
    await failsWith(providerAt(knot, { secret: Buffer.from('another').toString('base64') }), /BADSIG|NOTAUTH/);
    await failsWith(providerAt(knot, { name: 'nobody.example.com' }), /BADKEY|NOTAUTH/);
    const { tsig: _none, ...unsigned } = { tsig: undefined, ...providerAt(knot) };
    await failsWith(unsigned, /REFUSED|NOTAUTH/);
  });

  it('tells that the zone is not its own', async () => {
    await failsWith(providerAt(knot), /the update was not made/, { name: '_acme-challenge.example.org', value: 'x' });
  });

  it('is given no line of its own by a name or a text', async () => {
    const line = 'x.example.com\nupdate delete example.com. NS\nsend\n';
    await failsWith(providerAt(knot), /is no name of a record/, { name: line, value: 'x' });
    await failsWith(providerAt(knot), /is no name of a record/, { ...record, value: 'x"\nsend' });
  });

  it('takes one over TCP', async () => {
    const overTcp = { ...providerAt(knot), overTcp: true } as DnsProvider;
    await records.add(overTcp, { name: '_acme-challenge.tcp.example.com', value: 'y' }, signal);
    assert.deepEqual(await knot.texts('_acme-challenge.tcp.example.com'), ['y']);
  });

  it('tells that nobody is there', async () => {
    await failsWith({ ...providerAt(knot), port: 1, overTcp: true } as DnsProvider, /could not reach any name server/);
    const why = await records.missing({ ...providerAt(knot), port: 1 } as DnsProvider, record, signal);
    assert.match(why ?? '', /DNS server 127\.0\.0\.1 does not answer/);
  });
});
