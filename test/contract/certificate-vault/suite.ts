/** What every CertificateVault does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CertificateVault } from '../../../reconciler/ports/certificate-vault.ts';

const { signal } = new AbortController();

export function certificateVaultSuite(
  name: string,
  make: () => { readonly vault: CertificateVault; readonly close: () => void },
): void {
  describe(`CertificateVault: ${name}`, () => {
    let made: ReturnType<typeof make>;
    before(() => {
      made = make();
    });
    after(() => {
      made?.close();
    });

    it('gives back what was written last, by its name', async () => {
      const { vault } = made;
      assert.equal(await vault.read('secret/default/a', signal), undefined);
      await vault.write('secret/default/a', 'one', signal);
      await vault.write('secret/default/b', 'ö'.repeat(10_000), signal);
      await vault.write('secret/default/a', 'two', signal);
      assert.equal(await vault.read('secret/default/a', signal), 'two');
      assert.equal(await vault.read('secret/default/b', signal), 'ö'.repeat(10_000));
    });

    it('takes any name', async () => {
      const names = ['../../etc/passwd', '', 'a\0b', `orders/https://a.example.com/${'x'.repeat(900)}`];
      for (const name of names) await made.vault.write(name, name, signal);
      for (const name of names) assert.equal(await made.vault.read(name, signal), name);
    });

    it('refuses more than a mebibyte, and keeps what there was', async () => {
      await made.vault.write('a', 'small', signal);
      await assert.rejects(made.vault.write('a', 'x'.repeat(1024 * 1024 + 1), signal), RangeError);
      assert.equal(await made.vault.read('a', signal), 'small');
    });

    it('does nothing once it is to end', async () => {
      const ended = AbortSignal.abort(new Error('ended'));
      await assert.rejects(made.vault.write('a', 'b', ended), /ended/);
      await assert.rejects(made.vault.read('a', ended), /ended/);
    });
  });
}
