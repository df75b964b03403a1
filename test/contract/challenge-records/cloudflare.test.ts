/** The API over TLS, as Cloudflare documents it; whether the records are there is asked of a real DNS server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { DnsRecords } from '../../../reconciler/adapters/dns01/records.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import type { DnsProvider } from '../../../reconciler/core/certificates/dns01.ts';
import { testAuthority } from '../../support/git/certificates.ts';
import { startTestKnot } from '../../support/knot.ts';
import { challengeRecordsSuite, type RecordsWorld } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const clock = new SystemClock();
const signal = inPatience(600_000);
const TOKEN = 'planted-token';
const ZONE = '023e105f4ecef8ad9ca31a8372d0c353';
const WITH_TOKEN: DnsProvider = { is: 'cloudflare', credential: { token: TOKEN } };

interface Fake extends RecordsWorld {
  /** Answers instead of the API, while it is set. */
  instead: string | undefined;
}

/** Its zone is that of a knot, which it updates. */
async function fake(): Promise<Fake> {
  const knot = await startTestKnot();
  const authority = testAuthority();
  const back = new DnsRecords({ clock });
  const tsig = { name: knot.keyName, algorithm: 'hmac-sha256', secret: knot.secret } as const;
  const zone: DnsProvider = { is: 'rfc2136', host: '127.0.0.1', port: knot.port, overTcp: false, tsig };
  const kept = new Map<string, { readonly name: string; readonly content: string }>();
  const answer = async (method: string, url: URL, body: string): Promise<unknown> => {
    const records = `/zones/${ZONE}/dns_records`;
    const name = url.searchParams.get('name');
    if (method === 'GET' && url.pathname === '/zones')
      return name === 'example.com' ? [{ id: ZONE, name, name_servers: ['127.0.0.1'], status: 'active' }] : [];
    if (method === 'GET' && url.pathname === records)
      return [...kept].filter(([, one]) => one.name === name).map(([id, one]) => ({ id, type: 'TXT', ...one }));
    if (method === 'POST' && url.pathname === records) {
      const made = JSON.parse(body) as { type: string; name: string; content: string };
      assert.equal(made.type, 'TXT');
      const id = `r${kept.size}`;
      kept.set(id, { name: made.name, content: made.content });
      await back.add(zone, { name: made.name, value: made.content.slice(1, -1) }, signal);
      return { id };
    }
    const id = url.pathname.slice(records.length + 1);
    const found = kept.get(id);
    assert.ok(method === 'DELETE' && found, `${method} ${url.pathname}`);
    kept.delete(id);
    await back.remove(zone, { name: found.name, value: found.content.slice(1, -1) }, signal);
    return { id };
  };
  const server = createServer(authority.issue('IP:127.0.0.1'), (request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { authorization, 'x-auth-key': key, 'x-auth-email': email } = request.headers;
      const isLetIn = authorization === `Bearer ${TOKEN}` || (key === TOKEN && email === 'a@example.com');
      if (world.instead !== undefined) return response.end(world.instead);
      if (!isLetIn)
        return response
          .writeHead(403)
          .end(
            JSON.stringify({ success: false, errors: [{ code: 9109, message: 'Invalid access token' }], result: null }),
          );
      const result = await answer(request.method ?? '', new URL(request.url ?? '', 'https://x'), body);
      return response.end(JSON.stringify({ success: true, errors: [], messages: [], result }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const world: Fake = {
    instead: undefined,
    records: new DnsRecords({
      clock,
      cloudflare: { url: `https://127.0.0.1:${port}`, ca: authority.cert },
      dnsPort: knot.port,
    }),
    provider: WITH_TOKEN,
    texts: (name) => knot.texts(name),
    close: async () => {
      server.closeAllConnections();
      server.close();
      authority.remove();
      await knot.close();
    },
  };
  return world;
}

challengeRecordsSuite('Cloudflare', fake);

describe('Cloudflare', () => {
  let world: Fake;
  before(async () => {
    world = await fake();
  });
  after(() => world?.close());
  const record = { name: '_acme-challenge.example.com', value: 'x' };
  const fails = (provider: DnsProvider, message: RegExp, what = record): Promise<void> =>
    assert.rejects(world.records.add(provider, what, signal), { code: 'DnsProviderFailed', message });

  it('lets in by a key with its address', async () => {
    await world.records.add({ is: 'cloudflare', credential: { email: 'a@example.com', key: TOKEN } }, record, signal);
    assert.deepEqual(await world.texts(record.name), ['x']);
  });

  it('says in its words what it does not take', async () => {
    await fails(
      { is: 'cloudflare', credential: { token: 'other' } },
      /Cloudflare: .*403: Invalid access token \(9109\)/,
    );
    await fails(WITH_TOKEN, /no zone of _acme-challenge\.example\.org/, {
      ...record,
      name: '_acme-challenge.example.org',
    });
  });

  for (const [what, text] of [
    ['text', '<html>'],
    ['an object of another form', '{"result": []}'],
    ['a zone that leads elsewhere', '{"success": true, "result": [{"id": "../x", "name": "example.com"}]}'],
    ['no end', ' '.repeat(600_000)],
  ] as const)
    it(`is not believed: ${what}`, async () => {
      world.instead = text;
      await fails(WITH_TOKEN, /^Cloudflare: /);
      world.instead = undefined;
    });
});
