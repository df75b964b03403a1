import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { AgeFile, Envelope, Opened } from '../../../reconciler/core/secrets/envelope.ts';
import type { SecretDecryptor } from '../../../reconciler/ports/secret-decryptor.ts';
import { inPatience } from '../../support/patience.ts';

export interface DecryptorWorld {
  readonly decryptor: SecretDecryptor;
  /** Two whose identities can be put there, and one of somebody else. */
  readonly recipients: readonly [string, string, string];
  seal(recipients: readonly string[], contents: Uint8Array): Promise<AgeFile>;
  /** From now on the identities of these recipients are there, and no other. */
  hold(recipients: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const signal = inPatience(600_000);
const CONTENTS = new TextEncoder().encode('a data key of thirty-two bytes..');

/** What every SecretDecryptor does. */
export function secretDecryptorSuite(name: string, open: () => Promise<DecryptorWorld>): void {
  describe(`SecretDecryptor: ${name}`, () => {
    let world: DecryptorWorld;
    before(async () => {
      world = await open();
    });
    after(() => world.close());
    const look = (...files: AgeFile[]): Promise<Opened> => {
      const envelope: Envelope = { id: 'any', files };
      return world.decryptor.open(envelope, signal);
    };
    const isOpen = (opened: Opened): void => {
      assert.equal(opened.state, 'open');
      assert.deepEqual(opened.state === 'open' && Buffer.from(opened.contents), Buffer.from(CONTENTS));
    };

    it('opens what is for an identity that it has, alone or among others', async () => {
      const [first, second, stranger] = world.recipients;
      await world.hold([first, second]);
      isOpen(await look(await world.seal([first], CONTENTS)));
      isOpen(await look(await world.seal([stranger, second], CONTENTS)));
      isOpen(await look(await world.seal([stranger], CONTENTS), await world.seal([second], CONTENTS)));
    });

    it('opens it also where the file says another recipient', async () => {
      const [first, second, stranger] = world.recipients;
      await world.hold([first]);
      const { bytes } = await world.seal([first], CONTENTS);
      isOpen(
        await look(
          { recipient: stranger, bytes },
          { recipient: first, bytes: (await world.seal([second], CONTENTS)).bytes },
        ),
      );
    });

    it('says that it has no key, and looks again at the next call', async () => {
      const [first, second] = world.recipients;
      await world.hold([first]);
      const file = await world.seal([second], CONTENTS);
      const refused = await look(file);
      assert.equal(refused.state, 'no-key');
      assert.match(refused.state === 'no-key' ? refused.why : '', /no age identity.* fits$/);
      await world.hold([second]);
      isOpen(await look(file));
      await world.hold([first]);
      assert.equal((await look(file)).state, 'no-key');
    });

    it('tells damage from a missing key', async () => {
      const [first] = world.recipients;
      await world.hold([first]);
      const { bytes } = await world.seal([first], CONTENTS);
      const cut = await look({ bytes: bytes.subarray(0, -1) });
      assert.equal(cut.state, 'damaged');
      assert.match(cut.state === 'damaged' ? cut.why : '', /damaged/);
    });

    it('ends with the signal', async () => {
      const [first] = world.recipients;
      const file = await world.seal([first], CONTENTS);
      await assert.rejects(
        world.decryptor.open({ id: 'any', files: [file] }, AbortSignal.abort(new Error('ended'))),
        /ended/,
      );
    });
  });
}
