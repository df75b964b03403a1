import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encryptFor, makeIdentity } from '../../../reconciler/adapters/age/encrypt.ts';
import { AgeFileDecryptor } from '../../../reconciler/adapters/age/file-decryptor.ts';
import { withArmor, withoutArmor } from '../../../reconciler/core/secrets/envelope.ts';
import { secretDecryptorSuite } from './suite.ts';
import { makeFolder } from '../../support/folder.ts';
import { inPatience } from '../../support/patience.ts';

const signal = inPatience(600_000);

secretDecryptorSuite('age identities in a file', async () => {
  const folder = makeFolder('plumb-age-');
  const path = join(folder, 'age.key');
  const made = [await makeIdentity(), await makeIdentity(), await makeIdentity()] as const;
  return {
    decryptor: new AgeFileDecryptor(path),
    recipients: [made[0].recipient, made[1].recipient, made[2].recipient],
    seal: async (recipients, contents) => ({ bytes: await encryptFor(recipients, contents) }),
    hold: async (recipients) => {
      const lines = made.filter(({ recipient }) => recipients.includes(recipient));
      await rm(path, { force: true });
      await writeFile(path, lines.map(({ identity, recipient }) => `# ${recipient}\n${identity}\n`).join('\n'), {
        mode: 0o600,
      });
    },
    close: () => rm(folder, { recursive: true }),
  };
});

describe('a file of age identities', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = makeFolder('plumb-age-');
    path = join(folder, 'age.key');
  });
  after(() => rm(folder, { recursive: true }));
  const why = async (): Promise<string> => {
    const { recipient } = await makeIdentity();
    const files = [{ bytes: await encryptFor([recipient], Buffer.from('x')) }];
    const opened = await new AgeFileDecryptor(path).open({ id: 'x', files }, signal);
    return opened.state === 'no-key' ? opened.why : opened.state;
  };

  it('is told of where it is missing, readable by others or of another kind, without a word of it', async () => {
    const { identity } = await makeIdentity();
    assert.match(await why(), /there is no age identity: .*age\.key does not exist/);
    await writeFile(path, `${identity}\n`, { mode: 0o644 });
    assert.match(await why(), /may be read by others: chmod 600 it/);
    await chmod(path, 0o600);
    assert.match(await why(), /no age identity in .* fits/);
    for (const [text, says] of [
      ['# nothing\n', /has no age identity$/],
      ['AGE-SECRET-KEY-1ABC\n', /no age identity on line 1/],
      [`${identity.slice(0, -4)}QQQQ\n`, /misspelled/],
      ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n', /SSH or PEM key/],
      ['AGE-PLUGIN-YUBIKEY-1QQQ\n', /plugin/],
      ['age-encryption.org/v1\n-> scrypt abc 18\n', /protected by a passphrase/],
    ] as const) {
      await writeFile(path, text);
      const said = await why();
      assert.match(said, says);
      assert.doesNotMatch(said, /ABC|QQQ/);
    }
  });

  it('and what is encrypted for it are those of the age program', async () => {
    await rm(path, { force: true });
    execFileSync('age-keygen', ['-o', path], { stdio: 'ignore' });
    const decryptor = new AgeFileDecryptor(path);
    const [recipient] = (await decryptor.recipients()) as readonly string[];
    assert.equal(recipient, execFileSync('age-keygen', ['-y', path], { encoding: 'utf8' }).trim());
    const sealed = execFileSync('age', ['-a', '-r', recipient ?? ''], { input: 'from age', encoding: 'utf8' });
    const opened = await decryptor.open({ id: 'x', files: [{ bytes: withoutArmor(sealed) ?? Buffer.of() }] }, signal);
    assert.equal(opened.state === 'open' && Buffer.from(opened.contents).toString('utf8'), 'from age');
    const { recipient: other } = await makeIdentity();
    const ours = withArmor(await encryptFor([other, recipient ?? ''], Buffer.from('from us')));
    assert.equal(execFileSync('age', ['-d', '-i', path], { input: ours, encoding: 'utf8' }), 'from us');
  });
});
