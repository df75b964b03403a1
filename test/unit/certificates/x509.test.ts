import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { elements, integer, namedBits, oid, sequence } from '../../../reconciler/core/certificates/der.ts';
import { certificateRequest, makeCertificate } from '../../../reconciler/core/certificates/x509.ts';

const NAMES = { dnsNames: [], ipAddresses: [], uris: [], emailAddresses: [] };
const YEAR_MS = 365 * 24 * 3_600_000;
const from = new Date('2026-01-01T00:00:00Z');
const until = new Date(from.getTime() + YEAR_MS);
const times = { notBefore: from, notAfter: until };

const KEYS: readonly (readonly [string, () => KeyObject])[] = [
  ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
  ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey],
  ['Ed25519', () => generateKeyPairSync('ed25519').privateKey],
];

describe('certificates', () => {
  for (const [name, make] of KEYS)
    it(`a CA with a key of ${name} signs, and what it signs is of it`, () => {
      const [caKey, key] = [make(), make()];
      const root = { ...NAMES, commonName: 'Größe CA', subject: { organizations: ['A', 'B'], countries: ['DE'] } };
      const ca = new X509Certificate(
        makeCertificate({ ...root, isCA: true, usages: [] }, caKey, { serial: randomBytes(16), ...times }),
      );
      assert.ok(ca.ca && ca.verify(ca.publicKey) && ca.checkPrivateKey(caKey));
      const content = {
        dnsNames: ['a.example.com', '*.b.example.com'],
        ipAddresses: ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.2', '::'],
        uris: ['spiffe://a/b'],
        emailAddresses: ['a@example.com'],
        isCA: false,
        usages: ['digital signature', 'server auth', 'client auth'] as const,
      };
      const later = { notBefore: from, notAfter: new Date(until.getTime() + YEAR_MS) };
      const leaf = new X509Certificate(
        makeCertificate(content, key, { serial: randomBytes(16), ...later, ca: { certificate: ca, key: caKey } }),
      );
      assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && leaf.checkPrivateKey(key) && !leaf.ca);
      assert.equal(leaf.issuer, 'C=DE\nO=A\nO=B\nCN=Größe CA');
      assert.deepEqual(leaf.subjectAltName?.split(', '), [
        'DNS:a.example.com',
        'DNS:*.b.example.com',
        'email:a@example.com',
        'URI:spiffe://a/b',
        'IP Address:192.0.2.1',
        'IP Address:2001:DB8:0:0:0:0:0:1',
        'IP Address:0:0:0:0:0:FFFF:C000:202',
        'IP Address:0:0:0:0:0:0:0:0',
      ]);
      assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
      // It does not outlive its CA.
      assert.equal(leaf.validTo, ca.validTo);
    });

  it('times are those that were asked for, also beyond 2050', () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    const far = { notBefore: new Date('2049-12-31T23:59:59Z'), notAfter: new Date('2050-01-01T00:00:00Z') };
    const made = new X509Certificate(
      makeCertificate({ ...NAMES, commonName: 'a', isCA: false, usages: [] }, key, { serial: randomBytes(16), ...far }),
    );
    assert.deepEqual([new Date(made.validFrom), new Date(made.validTo)], [far.notBefore, far.notAfter]);
  });

  it('a serial is positive and of 16 bytes, whatever is drawn', () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    for (const byte of [0, 0x7f, 0x80, 0xff]) {
      const serial = Buffer.alloc(16, byte);
      const made = makeCertificate({ ...NAMES, commonName: 'a', isCA: false, usages: [] }, key, { serial, ...times });
      assert.match(new X509Certificate(made).serialNumber, /^[4-7][0-9A-F]{31}$/);
    }
  });

  it('a request has the key and the names', () => {
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const der = certificateRequest({ ...NAMES, dnsNames: ['a.example.com'], isCA: false, usages: [] }, key);
    assert.ok(der.includes(Buffer.from('a.example.com')));
    assert.equal(elements(elements(der)[0]?.content ?? der).length, 3);
  });
});

describe('DER', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 5 }), (parts) => {
        const numbers = parts.map((bytes) => integer(bytes));
        const [whole, ...more] = elements(sequence(...numbers));
        assert.equal(more.length, 0);
        assert.deepEqual(
          elements(whole?.content ?? Buffer.alloc(0)).map((one) => one.whole),
          numbers,
        );
      }),
    );
  });

  it('what is none ends in a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          elements(Buffer.from(bytes));
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
  });

  it('has the shortest form', () => {
    const hex = (bytes: Buffer): string => bytes.toString('hex');
    assert.equal(hex(integer(Buffer.from([0, 0]))), '020100');
    assert.equal(hex(integer(Buffer.from([0, 0x80]))), '02020080');
    assert.equal(hex(oid('1.2.840.113549.1.1.11')), '06092a864886f70d01010b');
    assert.equal(hex(namedBits([0, 2])), '030205a0');
    assert.equal(hex(namedBits([8])), '0303070080');
  });
});
