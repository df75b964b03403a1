import assert from 'node:assert/strict';
import { copyFile, readFile, rm, chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { AgeFileDecryptor } from '../../../reconciler/adapters/age/file-decryptor.ts';
import { parseSealed } from '../../../reconciler/core/revisions/parse-sealed.ts';
import { digestText } from '../../../reconciler/core/secrets/sops-mac.ts';
import { findings, offline, openedBy, PLANE, SECRET, sops, values } from './sealed-files.ts';
import { makeFolder } from '../../support/folder.ts';
import { inPatience } from '../../support/patience.ts';

const FIXTURES = new URL('../../fixtures/sops/', import.meta.url);
const sealedText = (text: string): string => sops(text);

describe('a SOPS file', () => {
  it('that the real sops made is opened, its digest right', async () => {
    const folder = makeFolder('plumb-sops-');
    try {
      const key = join(folder, 'age.key');
      await copyFile(new URL('age.key', FIXTURES), key);
      await chmod(key, 0o600);
      const decryptor = new AgeFileDecryptor(key);
      const bytes = await readFile(new URL('secret.yaml', FIXTURES));
      const signal = inPatience(60_000);
      const file = await parseSealed('secret.yaml', 'oid', bytes, (envelope) => decryptor.open(envelope, signal));
      assert.deepEqual(findings(file), []);
      assert.deepEqual(values(file), { key: 'global-value' });
      assert.deepEqual(file.objects[0]?.key, 'secrets/default/global-age-secret');
      const changed = bytes.toString('utf8').replace('type: Opaque', 'type: example.com/other');
      assert.deepEqual(
        findings(await parseSealed('secret.yaml', 'oid', Buffer.from(changed), (e) => decryptor.open(e, signal))),
        ['9 DecryptionFailed'],
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is opened with its values, and without a word of sops', async () => {
    const text = sealedText(SECRET);
    assert.doesNotMatch(text, /s3cret-canary/);
    const file = await openedBy([PLANE], text);
    assert.deepEqual(findings(file), []);
    assert.deepEqual(values(file), { user: 'shop', password: 's3cret-canary' });
    assert.deepEqual(Object.keys(file.objects[0]?.written ?? {}).sort(), [
      'apiVersion',
      'data',
      'kind',
      'metadata',
      'type',
    ]);
  });

  it('is opened by each of its recipients', async () => {
    const text = sops(SECRET, ['age1alice', PLANE, 'age1bob']);
    for (const one of ['age1alice', PLANE, 'age1bob'])
      assert.equal(values(await openedBy([one], text))['password'], 's3cret-canary');
    const refused = await openedBy(['age1eve'], text);
    assert.deepEqual(findings(refused), ['10 DecryptionKeyMissing']);
    assert.match(
      refused.diagnostics[0]?.message ?? '',
      /no age identity fits; it is encrypted for age1alice, age1plane, age1bob$/,
    );
  });

  it('is checked without a key: its values are opaque', async () => {
    const docker = SECRET.replace('Opaque', 'kubernetes.io/dockerconfigjson').replace(
      'user: shop',
      '.dockerconfigjson: "{}"',
    );
    for (const text of [sealedText(SECRET), sealedText(docker)]) {
      const file = await offline(text);
      assert.deepEqual(findings(file), []);
      assert.match(values(file)['password'] ?? '', /^ENC\[AES256_GCM,data:/);
    }
    const incomplete = sealedText(SECRET.replace('Opaque', 'kubernetes.io/tls'));
    assert.deepEqual(findings(await offline(incomplete)), ['1 MissingField', '1 MissingField']);
  });

  it('may hold data, which is base64 below the encryption', async () => {
    const text = sealedText(
      SECRET.replace('stringData:', 'data:').replace('shop\n  password: s3cret-canary', 'c2hvcA=='),
    );
    assert.deepEqual(values(await openedBy([PLANE], text)), { user: 'shop' });
    assert.match(values(await offline(text))['user'] ?? '', /^ENC\[/);
    const wrong = await openedBy([PLANE], sealedText(SECRET.replace('stringData:', 'data:')));
    assert.deepEqual(
      wrong.diagnostics.map(({ code }) => code),
      ['InvalidValue'],
    );
    for (const { message } of wrong.diagnostics) assert.doesNotMatch(message, /s3cret/);
  });

  it('may have several documents under one digest, or each under its own', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n---\n';
    const both = await openedBy([PLANE], sealedText(namespace + SECRET));
    assert.deepEqual([findings(both), both.objects.length], [[], 2]);
    const other = SECRET.replace('name: db', 'name: other');
    const joined = await openedBy([PLANE], `${sealedText(SECRET)}---\n${sealedText(other)}`);
    assert.deepEqual([findings(joined), joined.objects.length], [[], 2]);
    const [, second] = sealedText(namespace + SECRET).split(/^---$/m);
    assert.deepEqual(findings(await openedBy([PLANE], (second ?? '').trimStart())), ['10 DecryptionFailed']);
  });

  it('that an engine wrote anew is opened, each value for its key alone', async () => {
    const text = sealedText(SECRET);
    const [user, password] = [...text.matchAll(/ENC\[[^\]]*\]/g)].map(([one]) => one);
    const rewritten = text
      .replace(/(apiVersion: v1\n)([^]*?)(stringData:[^]*?)(?=sops:)/, '$3$1$2')
      .replace('name: db', 'name: x-db');
    assert.deepEqual(findings(await openedBy([PLANE], rewritten)), ['10 DecryptionFailed']);
    const file = await openedBy([PLANE], rewritten, true);
    assert.deepEqual([findings(file), values(file)], [[], { user: 'shop', password: 's3cret-canary' }]);
    const exchanged = await openedBy([PLANE], rewritten.replace(user ?? '', password ?? ''), true);
    assert.deepEqual(findings(exchanged), ['2 DecryptionFailed']);
  });

  it('may be JSON', async () => {
    const { parse } = await import('yaml');
    const json = JSON.stringify(parse(sealedText(SECRET)));
    assert.equal(values(await openedBy([PLANE], json))['password'], 's3cret-canary');
  });
});

describe('a SOPS file that somebody without the key changed', () => {
  const text = sops(SECRET);
  const [user, password] = [...text.matchAll(/ENC\[[^\]]*\]/g)].map(([one]) => one);
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    [
      'a bit of a value',
      text.replace(/data:(.)/, (_, c: string) => `data:${c === 'A' ? 'B' : 'A'}`),
      ['8 DecryptionFailed'],
    ],
    [
      'two values exchanged',
      text
        .replace(user ?? '', '#')
        .replace(password ?? '', user ?? '')
        .replace('#', password ?? ''),
      ['8 DecryptionFailed', '9 DecryptionFailed'],
    ],
    ['a value under another key', text.replace('  user:', '  login:'), ['8 DecryptionFailed']],
    ['a value taken away', text.replace(/ {2}user: .*\n/, ''), ['9 DecryptionFailed']],
    ['another name', text.replace('name: db', 'name: other'), ['10 DecryptionFailed']],
    ['another type', text.replace('Opaque', 'example.com/x'), ['10 DecryptionFailed']],
    ['another digest', text.replace(/mac: ENC\[.*/, `mac: ${user}`), ['10 DecryptionFailed']],
    ['another time', text.replace('2026-01-02', '2026-01-03'), ['10 DecryptionFailed']],
  ];
  for (const [name, changed, expected] of cases)
    it(`${name}: it is refused`, async () => {
      assert.notEqual(changed, text);
      const file = await openedBy([PLANE], changed);
      assert.deepEqual(findings(file), expected);
      for (const { message } of file.diagnostics) assert.doesNotMatch(message, /s3cret/);
    });

  it('a damaged data key: it is refused', async () => {
    const files = [{ recipient: PLANE, bytes: Buffer.from(JSON.stringify({ recipients: [PLANE], cut: true })) }];
    assert.deepEqual(findings(await openedBy([PLANE], sops(SECRET, [], { files }))), ['10 DecryptionFailed']);
  });
});

describe('a SOPS file that cannot be right', () => {
  const text = sops(SECRET);
  const config = SECRET.replace('Secret', 'ConfigMap').replace('type: Opaque\n', '').replace('stringData', 'data');
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['no version', text.replace(/ {2}version: .*\n/, ''), ['10 SopsInvalid']],
    ['a version that is not known', text.replace(/version: .*/, 'version: 4.0.0'), ['10 SopsInvalid']],
    ['no digest', text.replace(/ {2}mac: .*\n/, ''), ['10 SopsInvalid']],
    ['no recipient', sops(SECRET, []), ['10 SopsKeysUnsupported']],
    ['PGP alone', sops(SECRET, []).replace('age: []', 'pgp: [{fp: AB, enc: x}]'), ['10 SopsKeysUnsupported']],
    ['key groups', text.replace('  age:', '  key_groups: [{age: []}]\n  age:'), ['10 SopsInvalid']],
    ['a block that was taken away', text.replace(/sops:[^]*/, ''), ['8 SopsInvalid']],
    ['a doubled key', text.replace(/( {2}user: .*\n)/, '$1$1'), ['9 DuplicateKey']],
    ['a ConfigMap', sops(config), ['7 EncryptedField', '8 EncryptedField']],
    ['its kind encrypted', sops(SECRET, [PLANE], { rules: {} }), ['1 EncryptedField']],
    [
      'its metadata encrypted',
      sops(SECRET, [PLANE], { rules: { encrypted_regex: 'name|data' } }),
      ['4 EncryptedField'],
    ],
    [
      'its type encrypted',
      sops(SECRET, [PLANE], { rules: { encrypted_regex: '^(type|stringData)$' } }),
      ['6 EncryptedField'],
    ],
    ['values for an engine', sops('replicas: "2"\n', [PLANE], { rules: {} }), ['2 EncryptedField']],
    ['a value added in plain text', text.replace('  user:', '  added: canary\n  user:'), ['8 PlainTextValue']],
    ['a value that is a number', text.replace('type:str', 'type:int'), ['8 EncryptedField']],
  ];
  for (const [name, changed, expected] of cases)
    it(`${name}: it is refused without a key`, async () => {
      const found = findings(await offline(changed)).filter((line) => !line.endsWith('MissingReference'));
      assert.deepEqual(found, expected);
    });

  it('encrypted twice, as ciphertext never counts as a value', async () => {
    const key = Buffer.alloc(32, 7);
    const once = sops(SECRET, [PLANE], { key });
    const inner = /password: (ENC.*)/.exec(once)?.[1] ?? '';
    const { encryptValue, pathData } = await import('../../../reconciler/core/secrets/sops-value.ts');
    const outer = encryptValue(inner, 'str', key, pathData(['stringData', 'password']), Buffer.alloc(32, 1));
    const file = await openedBy([PLANE], once.replace(inner, outer));
    assert.deepEqual(findings(file), ['9 DecryptionFailed']);
    assert.match(file.diagnostics[0]?.message ?? '', /is encrypted twice/);
  });

  it('says for a service of keys which it is', async () => {
    const vault = await offline(sops(SECRET, []).replace('age: []', 'hc_vault: [{enc: x}]\n  kms: [{arn: x}]'));
    assert.match(vault.diagnostics[0]?.message ?? '', /AWS KMS and HashiCorp Vault only; only age is read here/);
  });
});

describe('the digest of a plain value', () => {
  for (const [written, expected] of [
    ['text', 'text'],
    ['yes', 'yes'],
    ['true', 'True'],
    ['FALSE', 'False'],
    ['null', ''],
    ['~', ''],
    ['012', '10'],
    ['0o12', '10'],
    ['0x1F', '31'],
    ['1_000', '1000'],
    ['-5', '-5'],
    ['+5', '5'],
    ['0', '0'],
    ['9007199254740993', '9007199254740993'],
    ['1.50', '1.5'],
    ['1e3', '1000'],
    ['1e21', '1000000000000000000000'],
    ['1.5e-7', '0.00000015'],
    ['1.2.3', '1.2.3'],
  ] as const)
    it(`${written} is ${JSON.stringify(expected)}`, () => {
      assert.equal(digestText({ source: written, quoted: false }), expected);
      assert.equal(digestText({ source: written, quoted: true }), written);
    });
});
