import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { AgeFileDecryptor } from '../../../reconciler/adapters/age/file-decryptor.ts';
import { parseSealed } from '../../../reconciler/core/revisions/parse-sealed.ts';
import { buildCli, PLUMB } from '../../support/built-cli.ts';
import { makeFolder } from '../../support/folder.ts';
import { tied } from '../../support/tied.ts';
import { values } from '../../unit/secrets/sealed-files.ts';
import { git, plumb, run } from './cli-bench.ts';
import { inPatience } from '../../support/patience.ts';

const SECRET = `apiVersion: v1
kind: Secret
metadata: { name: db, namespace: default }
stringData:
  user: shop
  password: planted-canary-1
`;

describe('plumb secret', () => {
  let dir: string;
  let shop: string;
  let home: string;
  let recipient: string;
  const file = (): string => join(shop, 'db.yaml');
  const text = (): string => readFileSync(file(), 'utf8');
  const line = (start: string): string =>
    text()
      .split('\n')
      .find((one) => one.trim().startsWith(start)) ?? '';
  const secret = (...args: readonly string[]): ReturnType<typeof plumb> =>
    plumb(['--home', home, 'secret', ...args], shop);
  const withInput = (input: string, ...args: readonly string[]): string => {
    const ran = spawnSync(process.execPath, [PLUMB, '--home', home, 'secret', ...args], {
      cwd: shop,
      input,
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    return ran.stdout;
  };
  const opened = async (key = join(home, 'age.key')): Promise<Record<string, string>> => {
    const decryptor = new AgeFileDecryptor(key);
    const parsed = await parseSealed('db.yaml', 'oid', readFileSync(file()), (envelope) =>
      decryptor.open(envelope, inPatience(60_000)),
    );
    assert.deepEqual(parsed.diagnostics, []);
    return values(parsed);
  };
  const left = (): string[] => readdirSync('/dev/shm').filter((name) => name.startsWith('plumb-secret-'));

  before(async () => {
    buildCli();
    dir = makeFolder('plumb-secret-cli-');
    [shop, home] = [join(dir, 'shop'), join(dir, 'home')];
    assert.equal((await plumb(['init', 'shop'], dir)).code, 0);
    assert.equal((await plumb(['init', '--bare', 'shop.git'], dir)).code, 0);
    await git(['remote', 'add', 'origin', join(dir, 'shop.git')], shop);
    const made = await secret('keygen');
    assert.equal(made.code, 0, made.stderr);
    recipient = made.stdout.trim();
    appendFileSync(join(shop, 'plumbline.yaml'), `  secrets: { recipients: [${recipient}] }\n`);
  });
  beforeEach(() => writeFileSync(file(), SECRET));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('encrypts for the recipients of the Cluster what age opens, and the hook takes it without a key', async () => {
    const ran = await secret('encrypt', 'db.yaml');
    assert.equal(ran.code, 0, ran.stderr);
    assert.doesNotMatch(text() + ran.stdout + ran.stderr, /planted-canary/);
    assert.deepEqual(await opened(), { user: 'shop', password: 'planted-canary-1' });
    const armored = /( +)-----BEGIN[^]*?-----END AGE ENCRYPTED FILE-----/.exec(text());
    const dataKey = execFileSync('age', ['-d', '-i', join(home, 'age.key')], {
      input: `${armored?.[0].replace(/^ +/gm, '') ?? ''}\n`,
    });
    assert.equal(dataKey.byteLength, 32);
    await git(['add', '.'], shop);
    await git(['commit', '-qm', 'secret'], shop);
    const pushed = await run('git', ['push', '-q', '-u', 'origin', 'main'], shop);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match(pushed.stderr, /\+ Secret\/default\/db/);
    assert.doesNotMatch(pushed.stderr, /canary/);
    writeFileSync(file(), text().replace('  user:', '  added: in plain text\n  user:'));
    await git(['commit', '-qam', 'plain'], shop);
    const refused = await run('git', ['push', '-q'], shop);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /db\.yaml:\d+:\d+ PlainTextValue stringData\.added is in plain text/);
    await git(['reset', '-q', '--hard', 'HEAD~1'], shop);
    assert.equal((await secret('encrypt', 'db.yaml')).code, 1);
  });

  it('follows .sops.yaml, and warns of what the Cluster cannot open', async () => {
    const other = (await secret('keygen', '--age-key', join(dir, 'other.key'))).stdout.trim();
    writeFileSync(join(shop, '.sops.yaml'), `creation_rules: [{ path_regex: db, age: ${other} }]\n`);
    try {
      const ran = await secret('encrypt', 'db.yaml');
      assert.match(ran.stderr, new RegExp(`encrypted for ${other} \\(.*\\.sops\\.yaml\\)`));
      assert.deepEqual(await opened(join(dir, 'other.key')), { user: 'shop', password: 'planted-canary-1' });
      const checked = await plumb(['check'], shop);
      assert.equal(checked.code, 0);
      assert.match(checked.stdout, /db\.yaml:\d+:1 RecipientMissing warning: is encrypted for age1/);
      const listed = JSON.parse((await secret('ls', '-o', 'json')).stdout) as unknown;
      assert.deepEqual(listed, [
        { file: 'db.yaml', namespace: 'default', name: 'db', form: 'sops', recipients: [other], opens: false },
      ]);
    } finally {
      rmSync(join(shop, '.sops.yaml'));
    }
  });

  it('encrypts each value by itself, and one alone, for its place', async () => {
    assert.equal((await secret('encrypt', '--inline', 'db.yaml')).code, 0);
    assert.doesNotMatch(text(), /planted-canary|sops/);
    appendFileSync(file(), `  token: ${withInput('planted-canary-2', 'encrypt', '--value', 'default/db/token')}`);
    assert.deepEqual(await opened(), { user: 'shop', password: 'planted-canary-1', token: 'planted-canary-2' });
    assert.match((await secret('ls')).stdout, /db\.yaml +default\/db +inline +yes +<not told>/);
    assert.match(withInput(SECRET, 'encrypt', '-'), /password: ENC\[AES256_GCM,/);
    assert.equal((await secret('encrypt', '--value', 'default/db')).code, 2);
  });

  const edit = (script: string): ReturnType<typeof plumb> => {
    writeFileSync(join(dir, 'editor'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return plumb(['--home', home, 'secret', 'edit', 'db.yaml'], shop, { EDITOR: join(dir, 'editor'), VISUAL: '' });
  };

  for (const form of ['--inline', '-r'] as const)
    it(`edits in memory alone, and leaves what did not change (${form})`, async () => {
      const encrypted = await secret('encrypt', ...(form === '-r' ? [form, recipient] : [form]), 'db.yaml');
      assert.equal(encrypted.code, 0, encrypted.stderr);
      const before = line('user:');
      const seen = join(dir, 'seen');
      const ran = await edit(`stat -c '%a %n' "$1" > '${seen}'; sed -i s/planted-canary-1/planted-canary-3/ "$1"`);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(readFileSync(seen, 'utf8'), /^600 \/dev\/shm\/plumb-secret-\w+\/db\.yaml\n$/);
      assert.deepEqual(await opened(), { user: 'shop', password: 'planted-canary-3' });
      assert.equal(line('user:'), before);
      const edited = text();
      for (const [script, says] of [
        ['true', /nothing changed/],
        ['exit 3', /exit code 3; nothing was changed/],
        ['echo "  - [" >> "$1"', /InvalidYaml/],
        ['echo "spec: {}" >> "$1"', /UnknownField/],
      ] as const) {
        assert.match((await edit(script)).stderr, says);
        assert.equal(text(), edited);
      }
      assert.deepEqual(left(), []);
    });

  it('leaves no plain text when it is ended while the editor runs', async () => {
    await secret('encrypt', 'db.yaml');
    const [program = '', ...args] = tied(process.execPath, PLUMB, '--home', home, 'secret', 'edit', 'db.yaml');
    writeFileSync(join(dir, 'editor'), '#!/bin/sh\necho begun; exec sleep 60\n', { mode: 0o755 });
    const child = spawn(program, args, {
      cwd: shop,
      env: { ...process.env, EDITOR: join(dir, 'editor'), VISUAL: '' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    assert.equal(left().length, 1);
    child.kill('SIGTERM');
    // Closed once the editor has ended too.
    await once(child, 'close');
    assert.deepEqual(left(), []);
  });

  it('rotates to the identity that there is now, under a new data key', async () => {
    await secret('encrypt', 'db.yaml');
    const [before, old] = [text(), readFileSync(join(home, 'age.key'))];
    assert.equal((await secret('keygen')).code, 1);
    const added = (await secret('keygen', '--add')).stdout.trim();
    const ran = await secret('rotate', 'db.yaml', '-r', added);
    assert.equal(ran.code, 0, ran.stderr);
    assert.notEqual(
      line('user:'),
      before.split('\n').find((one) => one.trim().startsWith('user:')),
    );
    assert.deepEqual(await opened(), { user: 'shop', password: 'planted-canary-1' });
    const rotated = text();
    writeFileSync(join(dir, 'old.key'), old, { mode: 0o600 });
    const refused = await plumb(
      ['--home', home, 'secret', 'rotate', '--age-key', join(dir, 'old.key'), 'db.yaml'],
      shop,
    );
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /DecryptionKeyMissing no age identity in .*old\.key fits/);
    assert.equal(text(), rotated);
    writeFileSync(file(), before);
    assert.deepEqual(await opened(), { user: 'shop', password: 'planted-canary-1' });
  });
});
