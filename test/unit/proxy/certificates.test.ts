/** Certificates of Secrets and ConfigMaps: what both sides take is what HAProxy takes. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readAuthorities, readKeyPair } from '../../../contracts/certificates.ts';
import { assignedSecrets } from '../../../nodeagent/core/proxy/secrets.ts';
import type { PlanInput } from '../../../nodeagent/core/proxy/render.ts';
import { planProxy, refusedBy, refusedCertificates } from '../../../nodeagent/core/proxy/render.ts';
import { TestAssignment } from '../network/world.ts';
import { backend, prefix, proxyConfig, rule } from './configs.ts';
import { makePair } from './pairs.ts';

const good = makePair();
const other = makePair();
const text = (found: ReturnType<typeof readKeyPair>): string => ('pem' in found ? 'taken' : found.problem);

describe('a certificate with its key', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['of a common curve', good.certificate, good.key, 'taken'],
    ['with its chain', good.certificate + other.certificate, good.key, 'taken'],
    ['without a certificate', 'x', good.key, 'has no certificate in tls.crt'],
    ['with the key of another', good.certificate, other.key, 'has a tls.key that is not of its tls.crt'],
    ['without a key', good.certificate, 'x', 'has no private key in tls.key'],
    [
      'of no bytes that are one',
      '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
      good.key,
      'has a tls.crt that cannot be read as certificates',
    ],
  ];
  for (const [what, certificate, key, expected] of cases)
    it(`${what}: ${expected}`, () => assert.equal(text(readKeyPair(certificate, key)), expected));

  for (const of of [2048, 'secp384r1', 'secp521r1', 'secp256k1'])
    it(`of ${of} is taken`, () => {
      const { certificate, key } = makePair(of);
      assert.equal(text(readKeyPair(certificate, key)), 'taken');
    });
  for (const of of [1024, 'prime192v1', 'secp160r1', 'sect283k1'])
    it(`of ${of} is not, alone or in a chain`, () => {
      const { certificate, key } = makePair(of);
      const expected = `has ${typeof of === 'number' ? `an RSA key of ${of} bits` : `a key of curve ${of}`} in tls.crt, which TLS does not take`;
      assert.equal(text(readKeyPair(certificate, key)), expected);
      assert.equal(text(readKeyPair(good.certificate + certificate, good.key)), expected);
    });

  it('goes on without what stands around it', () => {
    const found = readKeyPair(`${other.key}# mine\n${good.certificate}${other.key}`, good.key);
    assert.deepEqual(found, { pem: good.certificate + good.key });
  });

  it('is read in a time that grows with its length, whatever is in it', () => {
    const begun = performance.now();
    readKeyPair('-----BEGIN CERTIFICATE-----\n'.repeat(30_000), 'x');
    readAuthorities('-----BEGIN CERTIFICATE-----A'.repeat(30_000));
    assert.ok(performance.now() - begun < 1000);
  });

  it('is read once for each Secret', () => {
    const data = { 'tls.crt': base64(good.certificate), 'tls.key': base64(good.key) };
    const assignment = new TestAssignment('node-1');
    assignment.set({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a', namespace: 'b' }, type: 'x', data });
    const secrets = assignedSecrets(assignment.current());
    const name = { namespace: 'b', name: 'a' };
    assert.equal(secrets.certificate(name), assignedSecrets(assignment.current()).certificate(name));
  });
});

describe('what a backend is held against', () => {
  const planned = (caCertificates: string): ReturnType<typeof planProxy> => {
    const secrets: PlanInput['secrets'] = { certificate: () => ({ problem: '' }), passwords: () => undefined };
    const held = backend('held', { protocol: 'https', verify: { hostname: 'a.example', caCertificates } });
    const rules = [rule(prefix('/held'), 'held'), rule(prefix('/open'), 'open')];
    const port = { port: 80, protocol: 'http', hosts: [{ hostname: '', rules }] } as const;
    return planProxy({ config: proxyConfig([port], [held, backend('open')]), secrets });
  };
  const lines = ({ leaves }: ReturnType<typeof planProxy>): string => leaves.flatMap((leaf) => leaf.lines).join('\n');

  it('is a file of what could be read', () => {
    const plan = planned(`x\n${good.certificate}\ny`);
    assert.deepEqual(plan.problems, []);
    assert.match(lines(plan), /ca-file ca-/);
    assert.ok([...plan.files.values()].includes(`${good.certificate}\n`));
  });

  it('takes its own rule away alone where it is none', () => {
    const plan = planned('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n');
    assert.doesNotMatch(lines(plan), /ca-file/);
    assert.match(plan.problems[0]?.message ?? '', /held against has a ca.crt that cannot be read as certificates$/);
    assert.deepEqual(
      plan.leaves.flatMap(({ backend: to }) => to ?? []),
      ['open'],
    );
  });
});

describe('what HAProxy says', () => {
  const of = [{ port: 80, hostname: 'a', origin: 'rule' }];
  it('is told of the rule whose line it is, with its word before the place or without', () => {
    for (const place of ['config : parsing [/run/x/haproxy.cfg:2]', 'config : [/run/x/haproxy.cfg:2]']) {
      const complaint = `[ALERT]    (77) : ${place} : Couldn't open the ca-file 'ca-1.txt'.`;
      assert.equal([...refusedBy(complaint, [{ text: 'a' }, { text: 'b', of }]).keys()][0], of[0]);
    }
  });
  it('is told of the certificate that it names', () => {
    const said = `[ALERT]    (77) : config : parsing [haproxy.cfg:10] : 'bind :443' in section 'frontend' : 'crt-list' : error processing line 1 in file '/run/x/certificates-443.list' : unable to load SSL certificate into SSL Context '/run/x/cert-0123456789abcdef.pem'.
[ALERT]    (77) : config : parsing [haproxy.cfg:12] : 'bind :444' in section 'frontend' : 'crt-list' : inconsistencies between private key and certificate loaded 'cert-00.pem'.
[ALERT]    (77) : config : Fatal errors found in configuration.`;
    assert.deepEqual(
      [...refusedCertificates(said)],
      [
        ['cert-0123456789abcdef.pem', 'unable to load SSL certificate into SSL Context'],
        ['cert-00.pem', 'inconsistencies between private key and certificate loaded'],
      ],
    );
  });
});

function base64(of: string): string {
  return Buffer.from(of).toString('base64');
}
