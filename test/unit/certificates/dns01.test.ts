/** What is put where for DNS-01. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterIssuerManifest, type AcmeDns01 } from '../../../contracts/objects/index.ts';
import { providerOf, recordOf, recordText } from '../../../reconciler/core/certificates/dns01.ts';

function parsed(dns01: object): AcmeDns01 {
  const manifest = ClusterIssuerManifest.parse({
    apiVersion: 'cert-manager.io/v1',
    kind: 'ClusterIssuer',
    metadata: { name: 'a' },
    spec: { acme: { server: 'https://a.example.com', privateKeySecretRef: { name: 'a' }, solvers: [{ dns01 }] } },
  });
  const found = manifest.spec.acme?.solvers[0]?.dns01;
  assert.ok(found);
  return found;
}

const secrets = (text: string) => (): string => text;

describe('the record of a challenge', () => {
  it('is the digest of the key authorization, at its own name', () => {
    // As `openssl dgst -sha256` has it.
    const value = recordText('evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI');
    assert.equal(value, 'lCM7cZyQXcVHK2nnW3jjAhNT3Fvm18UN-kWZZknKoYM');
    assert.deepEqual(recordOf({ dnsName: 'example.com', key: value }), { name: '_acme-challenge.example.com', value });
  });
});

describe('the provider of a solver', () => {
  const tsig = { tsigKeyName: 'k', tsigSecretSecretRef: { name: 's', key: 'x' } };
  const servers: readonly (readonly [string, string, number])[] = [
    ['192.0.2.1', '192.0.2.1', 53],
    ['192.0.2.1:5353', '192.0.2.1', 5353],
    ['[2001:db8::1]:5353', '2001:db8::1', 5353],
    ['[2001:db8::1]', '2001:db8::1', 53],
    ['ns.example.com', 'ns.example.com', 53],
  ];
  for (const [nameserver, host, port] of servers)
    it(`is the server ${nameserver}`, () => {
      const found = providerOf(
        parsed({ rfc2136: { nameserver, ...tsig, tsigAlgorithm: 'HMACSHA256' } }),
        secrets('YQ==\n'),
      );
      const key = { name: 'k', algorithm: 'hmac-sha256', secret: 'YQ==' };
      assert.deepEqual(found, { is: 'rfc2136', host, port, overTcp: false, tsig: key });
    });

  it("has cert-manager's defaults", () => {
    const found = providerOf(parsed({ rfc2136: { nameserver: 'ns', ...tsig } }), secrets('YQ=='));
    assert.ok(typeof found !== 'string' && found.is === 'rfc2136');
    assert.equal(found.tsig?.algorithm, 'hmac-md5');
  });

  it('is told of where its Secret does not have what it needs', () => {
    const token = parsed({ cloudflare: { apiTokenSecretRef: { name: 's', key: 'x' } } });
    assert.equal(
      providerOf(token, () => undefined),
      'Secret s has no x',
    );
    assert.equal(providerOf(token, secrets('two words')), 'x of Secret s is not what it has to be');
    assert.equal(providerOf(token, secrets('a\r\nx-other: b')), 'x of Secret s is not what it has to be');
    const server = parsed({ rfc2136: { nameserver: 'ns', ...tsig } });
    assert.equal(providerOf(server, secrets('YQ==\nserver 192.0.2.9')), 'x of Secret s is not what it has to be');
  });

  const bad: readonly (readonly [object, RegExp])[] = [
    [{}, /one of rfc2136 and cloudflare/],
    [{ rfc2136: { nameserver: 'a b' } }, /must be a name or an address/],
    [{ rfc2136: { nameserver: 'ns\nupdate' } }, /must be a name or an address/],
    [{ rfc2136: { nameserver: '-v' } }, /must be a name or an address/],
    [{ rfc2136: { nameserver: 'ns', tsigKeyName: 'k' } }, /both tsigKeyName and tsigSecretSecretRef/],
    [{ cloudflare: { apiKeySecretRef: { name: 's', key: 'x' } } }, /apiKeySecretRef with email/],
    [{ cloudflare: {} }, /apiTokenSecretRef/],
  ];
  for (const [dns01, message] of bad)
    it(`is refused: ${JSON.stringify(dns01)}`, () => {
      assert.throws(() => parsed(dns01), message);
    });
});
