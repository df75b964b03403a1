/** Encryption for age recipients. */
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { TerminalError } from '../../core/errors.ts';

/** One age file that each of the recipients can open. Throws TerminalError `AgeRecipientInvalid`. */
export async function encryptFor(recipients: readonly string[], contents: Uint8Array): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new TerminalError(
        'AgeRecipientInvalid',
        `${JSON.stringify(recipient)} is no age recipient: age1..., as plumb secret keygen prints it`,
        { cause },
      );
    }
  }
  return encrypter.encrypt(contents);
}

export interface NewIdentity {
  readonly identity: string;
  readonly recipient: string;
}

export async function makeIdentity(): Promise<NewIdentity> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}
