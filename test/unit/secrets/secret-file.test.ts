import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MemorySecretDecryptor } from '../../../reconciler/adapters/memory/secret-decryptor.ts';
import type { Opened } from '../../../reconciler/core/secrets/envelope.ts';
import { openedText, readSealed, type OpenedText } from '../../../reconciler/core/secrets/secret-file.ts';
import { creationRule } from '../../../reconciler/core/secrets/sops-rules.ts';
import { findings, inline, offline, openedBy, PLANE, SECRET, sops, values } from './sealed-files.ts';
import { inPatience } from '../../support/patience.ts';

async function opened(text: string): Promise<OpenedText> {
  const decryptor = new MemorySecretDecryptor([PLANE]);
  const all = new Map<string, Opened>();
  for (const envelope of readSealed('f', text).envelopes)
    all.set(envelope.id, await decryptor.open(envelope, inPatience(60_000)));
  const read = readSealed('f', text, { byId: all });
  assert.deepEqual(read.errors, []);
  return openedText(text, read.plain);
}

const COMMENTED = `# of the database
apiVersion: v1
kind: Secret
metadata: { name: db, namespace: shop } # one line
stringData:
  # long
  cert: |
    -----BEGIN
    abc
  number: "0123"
  "odd key.1": 'yes'
  empty: ""
`;

describe('the text of a file of Secrets', () => {
  for (const [form, seal] of [
    ['with SOPS', async (text: string) => sops(text, [PLANE], { key: Buffer.alloc(32, 1) })],
    ['value by value', (text: string) => inline(text)],
  ] as const) {
    it(`keeps comments and order when it is encrypted ${form} and opened`, async () => {
      const sealed = await seal(COMMENTED);
      assert.doesNotMatch(sealed, /BEGIN\n|0123|'yes'/);
      assert.match(sealed, /^# of the database\n/);
      assert.match(sealed, /# long/);
      const { text } = await opened(sealed);
      assert.equal(text, COMMENTED.replace("'yes'", '"yes"'));
    });
  }

  it('has the ciphertext of what did not change when it is encrypted again', async () => {
    const key = randomBytes(32);
    const before = sops(SECRET, [PLANE], { key });
    const { text, kept } = await opened(before);
    const after = sops(text.replace('s3cret-canary', 'other'), [PLANE], { key, kept });
    const line = (of: string, start: string): string | undefined =>
      of.split('\n').find((one) => one.trim().startsWith(start));
    assert.equal(line(after, 'user:'), line(before, 'user:'));
    assert.notEqual(line(after, 'password:'), line(before, 'password:'));
    assert.deepEqual(values(await openedBy([PLANE], after)), { user: 'shop', password: 'other' });
    // A value that moved to another key is no value that stayed.
    const moved = sops(text.replace('user:', 'login:'), [PLANE], { key, kept });
    assert.deepEqual(values(await openedBy([PLANE], moved)), { login: 'shop', password: 's3cret-canary' });
  });

  it('is never encrypted twice, nor with anchors, nor without documents', () => {
    for (const [text, says] of [
      [sops(SECRET), /stringData\.user is encrypted already/],
      [SECRET.replace('user: shop', 'user: &a shop\n  other: *a'), /alias \*a/],
      ['# nothing\n', /no document/],
      ['a: [', /line 1/],
    ] as const)
      assert.throws(() => sops(text), { code: 'SecretFileInvalid', message: says });
  });

  it('opens to what it was, whatever the values are', async () => {
    const key = fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}$/);
    // What no manifest may hold is refused before: other control characters.
    const value = fc
      .string({ unit: 'binary', maxLength: 60 })
      .filter((text) => !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufeff\ud800-\udfff\u2028\u2029]/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(key, value, { minKeys: 1, maxKeys: 5, noNullPrototype: true }), async (data) => {
        const text = JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'a', namespace: 'b' },
          stringData: data,
        });
        for (const sealed of [sops(text), await inline(text)]) {
          const file = await openedBy([PLANE], sealed);
          assert.deepEqual(
            file.diagnostics.filter(({ code }) => code !== 'UnknownNamespace'),
            [],
          );
          assert.deepEqual(values(file), { ...data });
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a value that is encrypted by itself', () => {
  it('stands beside others in plain text', async () => {
    const text = (await inline(SECRET)).replace(/user: .*/, 'user: shop');
    assert.deepEqual(values(await openedBy([PLANE], text)), { user: 'shop', password: 's3cret-canary' });
    assert.deepEqual(findings(await offline(text)), []);
    assert.deepEqual(findings(await openedBy(['age1eve'], text)), ['9 DecryptionKeyMissing']);
  });

  it('may be bytes in data', async () => {
    const text = await inline(SECRET.replace(/stringData:[^]*/, 'data:\n  key: AP8B\n'));
    const { objects } = await openedBy([PLANE], text);
    assert.deepEqual(
      objects.map(({ object }) => object.kind === 'Secret' && object.data),
      [{ key: 'AP8B' }],
    );
    const asText = await openedBy([PLANE], text.replace('\ndata:\n', '\nstringData:\n'));
    assert.deepEqual(findings(asText), ['8 DecryptionFailed']);
  });

  it('opens nowhere else: another key, name or namespace, or no place at all', async () => {
    const text = await inline(SECRET);
    const [user, password] = [...text.matchAll(/ENC\[[^\]]*\]/g)].map(([one]) => one);
    for (const [changed, expected] of [
      [text.replace('  user:', '  login:'), ['8 DecryptionFailed']],
      [text.replace(user ?? '', password ?? ''), ['8 DecryptionFailed']],
      [text.replace('name: db', 'name: mine'), ['8 DecryptionFailed', '9 DecryptionFailed']],
      [text.replace('namespace: shop', 'namespace: mine'), ['8 DecryptionFailed', '9 DecryptionFailed']],
      [text.replace('  namespace: shop\n', ''), ['7 EncryptedField', '8 EncryptedField']],
      [text.replace(/(data:.{20})./, '$1-'), ['8 EncryptedField']],
      [
        text.replace('kind: Secret', 'kind: ConfigMap').replace('stringData', 'data'),
        ['6 ForbiddenField', '8 EncryptedField', '9 EncryptedField'],
      ],
    ] as const) {
      const file = await openedBy([PLANE], changed);
      assert.deepEqual(
        findings(file).filter((line) => !line.includes('UnknownField') && !line.includes('ForbiddenField')),
        expected.filter((line) => !line.includes('ForbiddenField')),
      );
      for (const { message } of file.diagnostics) assert.doesNotMatch(message, /s3cret/);
    }
  });
});

describe('.sops.yaml', () => {
  const config = `creation_rules:
  - path_regex: prod/.*\\.yaml$
    age: "age1a, age1b"
    encrypted_regex: ^(data|stringData)$
  - path_regex: team/
    key_groups:
      - age: [age1c]
  - path_regex: pgp/
    pgp: ABCD
    age: age1a
  - path_regex: split/
    key_groups: [{ age: [age1a] }, { age: [age1b] }]
  - path_regex: "(?P<x>"
    age: age1a
`;
  it('names the recipients of the first rule that fits', () => {
    assert.deepEqual(creationRule(config, 'prod/db.yaml'), {
      recipients: ['age1a', 'age1b'],
      rules: { encrypted_regex: '^(data|stringData)$' },
    });
    assert.deepEqual(creationRule(config, 'team/x.yaml').recipients, ['age1c']);
    assert.deepEqual(creationRule('creation_rules: [{ age: age1z }]', 'any').recipients, ['age1z']);
  });
  for (const [name, text, path, says] of [
    ['keys that are not age', config, 'pgp/x.yaml', /keys of pgp, and only age/],
    ['several key groups', config, 'split/x.yaml', /several key_groups/],
    ['a pattern that is none here', config, 'elsewhere', /path_regex "\(\?P<x>" is not understood/],
    ['no rule', 'creation_rules: []', 'x', /no rule of creation_rules is for x/],
    ['no YAML', 'a: [', 'x', /\.sops\.yaml: /],
    ['another shape', 'creation_rules: 5', 'x', /cannot be read/],
  ] as const)
    it(`with ${name} is refused`, () => {
      assert.throws(() => creationRule(text, path), { code: 'SopsRulesInvalid', message: says });
    });
});
