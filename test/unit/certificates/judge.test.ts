import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { CertificateManifest, type Certificate, type Secret } from '../../../contracts/objects/index.ts';
import { admitOrder, pauseAfter, type Ordered } from '../../../reconciler/core/certificates/attempts.ts';
import { contentOf, judge, renewalTime } from '../../../reconciler/core/certificates/judge.ts';
import { keptText, secretFrom } from '../../../reconciler/core/certificates/kept.ts';
import { keyText } from '../../../reconciler/core/certificates/private-keys.ts';
import { issuedSecret } from '../../../reconciler/core/certificates/secrets.ts';
import { solverFor } from '../../../reconciler/core/certificates/solvers.ts';
import { makeCertificate, pem } from '../../../reconciler/core/certificates/x509.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const start = new Date('2026-01-01T00:00:00Z');
const at = (ms: number): Date => new Date(start.getTime() + ms);

function certificate(spec: object = {}): Certificate {
  return CertificateManifest.parse({
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      secretName: 'tls',
      issuerRef: { name: 'ca' },
      dnsNames: ['web.example.com'],
      privateKey: { algorithm: 'ECDSA' },
      ...spec,
    },
  });
}

function issued(of: Certificate, days = 90): Secret {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const der = makeCertificate(contentOf(of.spec), key, {
    serial: randomBytes(16),
    notBefore: start,
    notAfter: at(days * DAY_MS),
  });
  return issuedSecret(of, { chain: pem('CERTIFICATE', der), key: keyText(key, of.spec.privateKey) }, undefined);
}

describe('the Secret of a Certificate', () => {
  const web = certificate();
  const secret = issued(web);
  const renamed = { ...secret, metadata: { ...secret.metadata, annotations: { ...secret.metadata.annotations } } };
  renamed.metadata.annotations['cert-manager.io/certificate-name'] = 'other';
  const cases: readonly (readonly [string, Certificate, Secret | undefined, number, string])[] = [
    ['is not there', web, undefined, 0, 'DoesNotExist'],
    ['has no key', web, { ...secret, data: { ...secret.data, 'tls.key': '' } }, 0, 'MissingData'],
    ['has no certificate', web, { ...secret, data: { 'tls.key': secret.data['tls.key'] ?? '' } }, 0, 'MissingData'],
    [
      'has another key',
      web,
      { ...secret, data: { ...secret.data, 'tls.key': issued(web).data['tls.key'] ?? '' } },
      0,
      'InvalidKeyPair',
    ],
    ['has no PEM', web, { ...secret, data: { 'tls.crt': 'YQ==', 'tls.key': 'YQ==' } }, 0, 'InvalidKeyPair'],
    ['is of another Certificate', web, renamed, 0, 'IncorrectCertificate'],
    ['has a key of another kind', certificate({ privateKey: {} }), secret, 0, 'SecretMismatch'],
    [
      'has a key of another size',
      certificate({ privateKey: { algorithm: 'ECDSA', size: 384 } }),
      secret,
      0,
      'SecretMismatch',
    ],
    ['is of another issuer', certificate({ issuerRef: { name: 'b' } }), secret, 0, 'IncorrectIssuer'],
    ['has other names', certificate({ dnsNames: ['b.example.com'] }), secret, 0, 'RequestChanged'],
    ['has another life', certificate({ duration: '24h' }), secret, 0, 'RequestChanged'],
    ['has expired', web, secret, 91 * DAY_MS, 'Expired'],
    ['is to be renewed', web, secret, 60 * DAY_MS, 'Renewing'],
    ['is to be renewed as it asks', certificate({ renewBefore: '1440h' }), secret, 30 * DAY_MS, 'Renewing'],
  ];
  for (const [what, of, its, ms, reason] of cases)
    it(`${what}: ${reason}`, () => {
      const verdict = judge(of, its, at(ms));
      assert.equal(verdict.is === 'unfit' && verdict.reason, reason);
    });

  it('is good until two thirds of its life', () => {
    const verdict = judge(web, secret, at(50 * DAY_MS));
    assert.equal(verdict.is, 'issued');
  });

  it('is the same after the vault', () => {
    assert.deepEqual(secretFrom(keptText(secret), 'default', 'tls'), secret);
    for (const text of ['', '[]', '{"labels":1}', '{"labels":{},"annotations":{},"type":"a","data":{"a":1}}'])
      assert.equal(secretFrom(text, 'default', 'tls'), undefined);
  });

  it('says nothing of what is in it', () => {
    const verdict = judge(web, { ...secret, data: { 'tls.crt': 'c2VjcmV0', 'tls.key': 'c2VjcmV0' } }, start);
    assert.doesNotMatch(JSON.stringify(verdict), /c2VjcmV0|:.*secret:/);
  });
});

describe('renewal', () => {
  const day = (text: object, days = 90): number =>
    (renewalTime(start, at(days * DAY_MS), text, 'default/web').getTime() - start.getTime()) / DAY_MS;
  it('is up to a twentieth earlier, and a day at most', () => {
    assert.ok(day({}) > 59 - 1e-6 && day({}) <= 60, String(day({})));
    assert.ok(day({ renewBefore: '720h' }) > 59 && day({ renewBefore: '720h' }) <= 60);
    assert.ok(day({ renewBeforePercentage: 10 }) > 80 && day({ renewBeforePercentage: 10 }) <= 81);
  });
  it('does not follow what is longer than the certificate lasts', () => {
    assert.ok(day({ renewBefore: '720h' }, 6) > 3.7 && day({ renewBefore: '720h' }, 6) <= 4);
  });
  it('spreads what was issued together', () => {
    const times = new Set(
      Array.from({ length: 50 }, (_, i) => renewalTime(start, at(90 * DAY_MS), {}, `default/${i}`).getTime()),
    );
    assert.ok(times.size > 45);
  });
});

describe('orders', () => {
  const now = start.getTime();
  const asked = (names: string, ...ages: readonly number[]): readonly Ordered[] =>
    ages.map((age) => ({ at: now - age, names })).toSorted((a, b) => a.at - b.at);
  it('for the same names are five in a week, renewals apart', () => {
    const five = asked('a', 1, 2, 3, 4, 6 * DAY_MS);
    const admitted = admitOrder(five, { names: 'a', isRenewal: false }, now);
    assert.deepEqual(admitted.may === false && admitted.retryAt, now + DAY_MS);
    assert.equal(admitOrder(five, { names: 'a', isRenewal: true }, now).may, true);
    assert.equal(admitOrder(five, { names: 'b', isRenewal: false }, now).may, true);
    assert.equal(admitOrder(asked('a', 1, 2, 3, 4, 8 * DAY_MS), { names: 'a', isRenewal: false }, now).may, true);
  });
  it('of an account are a hundred in three hours', () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ at: now - 100 + i, names: String(i) }));
    const admitted = admitOrder(many, { names: 'x', isRenewal: true }, now);
    assert.deepEqual(admitted.may === false && admitted.retryAt, now - 100 + 3 * HOUR_MS);
  });
  it('are forgotten where they are of a clock that was ahead', () => {
    const ahead = asked('a', -9 * DAY_MS, -9 * DAY_MS, -9 * DAY_MS, -9 * DAY_MS, -9 * DAY_MS);
    const admitted = admitOrder(ahead, { names: 'a', isRenewal: false }, now);
    assert.deepEqual(admitted.may && admitted.after, [{ at: now, names: 'a' }]);
  });
  it('that fail are made again after an hour, then two, and so on to 32', () => {
    assert.deepEqual(
      [1, 2, 3, 6, 7, 1000].map((count) => pauseAfter(count) / HOUR_MS),
      [1, 2, 4, 32, 32, 32],
    );
  });
});

describe('solvers', () => {
  const http01 = { ingress: {} };
  const any = { http01 };
  const zone = { http01, selector: { dnsNames: [], dnsZones: ['example.com'] } };
  const inner = { http01, selector: { dnsNames: [], dnsZones: ['a.example.com'] } };
  const name = { http01, selector: { dnsNames: ['web.example.com'], dnsZones: [] } };
  const labelled = { http01, selector: { matchLabels: { team: 'a' }, dnsNames: [], dnsZones: [] } };
  const all = [any, zone, inner, name, labelled];
  it('are chosen by name, zone and labels', () => {
    assert.equal(solverFor('web.example.com', {}, all), name);
    assert.equal(solverFor('b.example.com', {}, all), zone);
    assert.equal(solverFor('x.a.example.com', {}, all), inner);
    assert.equal(solverFor('example.org', {}, all), any);
    assert.equal(solverFor('example.org', { team: 'a' }, all), labelled);
    assert.equal(solverFor('badexample.com', {}, [zone]), undefined);
    assert.equal(solverFor('*.example.com', {}, all), undefined);
  });
  it('of a wildcard are those by DNS-01', () => {
    const dns01 = { rfc2136: { nameserver: '192.0.2.1', protocol: 'UDP', tsigAlgorithm: 'HMACMD5' } } as const;
    const its = { dns01, selector: { dnsNames: ['*.example.com'], dnsZones: [] } };
    const wide = { dns01 };
    assert.equal(solverFor('*.example.com', {}, [...all, wide]), wide);
    assert.equal(solverFor('*.example.com', {}, [wide, its]), its);
    assert.equal(solverFor('x.example.com', {}, [its]), undefined);
  });
});
