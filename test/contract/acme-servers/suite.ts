/** What every AcmeServers does. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { keyAuthorization } from '../../../reconciler/core/certificates/jws.ts';
import { certificateRequest } from '../../../reconciler/core/certificates/x509.ts';
import type { AcmeAccount, AcmeOrder, AcmePlace, AcmeServers } from '../../../reconciler/ports/acme-server.ts';
import { inPatience } from '../../support/patience.ts';

export interface AcmeWorld {
  readonly servers: AcmeServers;
  readonly place: AcmePlace;
  /** Has the answer found at all names from now on. */
  show(token: string, answer: string): void;
  close(): Promise<void>;
}

const signal = inPatience(600_000);

export function acmeServersSuite(name: string, make: () => Promise<AcmeWorld>): void {
  describe(`AcmeServers: ${name}`, () => {
    let world: AcmeWorld;
    let account: AcmeAccount;
    before(async () => {
      world = await make();
      account = await registered(world, newKey());
    });
    after(() => world?.close());

    it('register a key once', async () => {
      assert.equal((await registered(world, account.key)).uri, account.uri);
      assert.notEqual((await registered(world, newKey())).uri, account.uri);
    });

    for (const type of ['ec', 'rsa'] as const)
      it(`issue for names that are shown, to a key of type ${type}`, async () => {
        const { servers } = world;
        const key = type === 'ec' ? newKey() : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
        // Names of its own: what was shown for one order may be believed for the next (pebble: now and then even if told not to).
        const dnsNames = [`a-${type}.example.com`, `b-${type}.example.com`];
        const order = await servers.newOrder(account, { dnsNames }, signal);
        assert.equal(order.status, 'pending');
        assert.equal(order.authorizations.length, 2);
        const found: string[] = [];
        for (const url of order.authorizations) found.push(await shown(world, account, url));
        assert.deepEqual(found.sort(), dnsNames);
        const ready = await until(() => servers.order(account, order.url, signal), 'ready');
        const content = { dnsNames, ipAddresses: [], uris: [], emailAddresses: [], isCA: false, usages: [] };
        await servers.finalize(account, ready, certificateRequest(content, key), signal);
        const done = await until(() => servers.order(account, order.url, signal), 'valid');
        const chain = await servers.certificate(account, done.certificate ?? '', undefined, signal);
        const certificate = new X509Certificate(chain);
        assert.ok(certificate.checkPrivateKey(key));
        assert.deepEqual(
          certificate.subjectAltName?.split(', ').sort(),
          dnsNames.map((name) => `DNS:${name}`),
        );
        assert.ok((chain.match(/BEGIN CERTIFICATE/g) ?? []).length >= 2);
      });

    it('tell why a name is not valid', async () => {
      const { servers } = world;
      const order = await servers.newOrder(account, { dnsNames: ['c.example.com'] }, signal);
      const [url = ''] = order.authorizations;
      const { challenges } = await servers.authorization(account, url, signal);
      const offered = challenges.find(({ type }) => type === 'http-01');
      await servers.challenge(account, offered?.url ?? '', signal);
      await until(() => servers.order(account, order.url, signal), 'invalid');
      const { status, challenges: looked } = await servers.authorization(account, url, signal);
      assert.equal(status, 'invalid');
      assert.match(looked.find(({ type }) => type === 'http-01')?.problem ?? '', /unauthorized/);
    });

    it('refuse what cannot be', async () => {
      const { servers } = world;
      const stranger: AcmeAccount = { ...account, key: newKey(), uri: `${account.uri}999` };
      await assert.rejects(servers.newOrder(stranger, { dnsNames: ['a.example.com'] }, signal), {
        code: 'AcmeRefused',
        type: 'urn:ietf:params:acme:error:accountDoesNotExist',
      });
      const order = await servers.newOrder(account, { dnsNames: ['d.example.com'] }, signal);
      await assert.rejects(servers.finalize(account, order, Buffer.from('3000', 'hex'), signal), {
        code: 'AcmeRefused',
      });
    });
  });
}

function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

async function registered({ servers, place }: AcmeWorld, key: KeyObject): Promise<AcmeAccount> {
  const uri = await servers.register({ ...place, key, email: 'admin@example.com' }, signal);
  return { ...place, key, uri };
}

/** Shows what one authorization asks for, and has it looked at. Answers its name. */
async function shown(world: AcmeWorld, account: AcmeAccount, url: string): Promise<string> {
  const { dnsName, challenges, status } = await world.servers.authorization(account, url, signal);
  assert.equal(status, 'pending');
  const offered = challenges.find(({ type }) => type === 'http-01');
  assert.ok(offered);
  world.show(offered.token, keyAuthorization(offered.token, account.key));
  await world.servers.challenge(account, offered.url, signal);
  return dnsName;
}

async function until(look: () => Promise<AcmeOrder>, status: AcmeOrder['status']): Promise<AcmeOrder> {
  for (;;) {
    const order = await look();
    if (order.status === status) return order;
    assert.ok(['pending', 'processing', 'ready'].includes(order.status), `${order.status}: ${order.problem ?? ''}`);
    await delay(50, undefined, { signal });
  }
}
