import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { HttpAcmeServers } from '../../../reconciler/adapters/acme/servers.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { testAuthority, type TestAuthority } from '../../support/git/certificates.ts';
import { startTestPebble } from '../../support/pebble.ts';
import { acmeServersSuite } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

const clock = new SystemClock();
const signal = inPatience(600_000);
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

acmeServersSuite('pebble', async () => {
  const shown = new Map<string, string>();
  const web = createServer((request, response) => {
    const answer = shown.get(request.url?.replace('/.well-known/acme-challenge/', '') ?? '');
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const pebble = await startTestPebble({ address: '127.0.0.1', httpPort: (web.address() as AddressInfo).port });
  return {
    servers: new HttpAcmeServers({ clock }),
    place: { server: pebble.url, ca: pebble.ca },
    show: (token, answer) => shown.set(token, answer),
    close: async () => {
      web.closeAllConnections();
      web.close();
      await pebble.close();
    },
  };
});

describe('a server that is no good ACME server', () => {
  let authority: TestAuthority;
  let server: Server;
  let answer: (path: string) => { status: number; headers?: Record<string, string>; body: string };
  before(async () => {
    authority = testAuthority();
    server = createTlsServer(authority.issue('IP:127.0.0.1'), (request, response) => {
      const { status, headers, body } = answer(request.url ?? '');
      response.writeHead(status, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    authority.remove();
  });
  const base = (): string => `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const register = (ca: string | undefined = authority.cert): Promise<string> =>
    new HttpAcmeServers({ clock }).register({ server: `${base()}/dir`, ...(ca !== undefined && { ca }), key }, signal);
  const directory = (scheme = 'https'): string =>
    JSON.stringify(
      Object.fromEntries(
        ['newNonce', 'newAccount', 'newOrder'].map((name) => [name, `${base().replace('https', scheme)}/${name}`]),
      ),
    );

  it('is not believed where its certificate is not one of the authority', async () => {
    answer = () => ({ status: 200, body: directory() });
    const other = testAuthority();
    try {
      await assert.rejects(register(other.cert), { code: 'AcmeUnavailable' });
    } finally {
      other.remove();
    }
  });

  const bad: readonly (readonly [string, typeof answer, RegExp])[] = [
    ['text', () => ({ status: 200, body: '<html>' }), /not one of an ACME server/],
    ['a redirect', () => ({ status: 302, headers: { location: 'https://192.0.2.1/' }, body: '' }), /answers 302/],
    ['without end', () => ({ status: 200, body: ' '.repeat(600_000) }), /longer than 524288 bytes/],
    ['with a place that is not https', () => ({ status: 200, body: directory('http') }), /a place that is not https/],
    ['without a nonce', () => ({ status: 200, body: directory() }), /gives no nonce/],
  ];
  for (const [what, says, told] of bad)
    it(`is told of: an answer ${what}`, async () => {
      answer = says;
      await assert.rejects(register(), (error: Error & { code?: string }) => {
        assert.match(error.code ?? '', /^Acme(Unavailable|Refused)$/);
        assert.match(error.message, told);
        return true;
      });
    });

  it('that gave no answer is not asked again at once, by nobody', async () => {
    let count = 0;
    answer = () => {
      count += 1;
      return { status: 200, body: '<html>' };
    };
    const servers = new HttpAcmeServers({ clock });
    const ask = (): Promise<string> => servers.register({ server: `${base()}/dir`, ca: authority.cert, key }, signal);
    await assert.rejects(ask(), /not one of an ACME server/);
    await assert.rejects(ask(), { code: 'AcmeUnavailable', message: /gave no answer a moment ago/ });
    assert.equal(count, 1);
  });

  it('that is not believed by one issuer is asked by others', async () => {
    let count = 0;
    answer = () => {
      count += 1;
      return { status: 200, body: '<html>' };
    };
    const servers = new HttpAcmeServers({ clock });
    const other = testAuthority();
    try {
      for (const ca of [other.cert, authority.cert])
        await assert.rejects(servers.register({ server: `${base()}/dir`, ca, key }, signal), {
          code: 'AcmeUnavailable',
        });
      assert.equal(count, 1);
    } finally {
      other.remove();
    }
  });

  it('is asked again when it says, where too much was asked', async () => {
    answer = (path) =>
      path === '/dir'
        ? { status: 200, body: directory() }
        : path === '/newNonce'
          ? { status: 200, headers: { 'replay-nonce': 'n1' }, body: '' }
          : {
              status: 429,
              headers: { 'retry-after': '120' },
              body: JSON.stringify({
                type: 'urn:ietf:params:acme:error:rateLimited',
                detail: 'too many\nregistrations',
              }),
            };
    await assert.rejects(register(), {
      code: 'AcmeUnavailable',
      afterMs: 120_000,
      message: /rateLimited: too many registrations$/,
    });
  });
});
