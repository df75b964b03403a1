/** A SecretDecryptor for tests: what it opens hides nothing. */
import type { AgeFile, Envelope, Opened } from '../../core/secrets/envelope.ts';
import type { SecretDecryptor } from '../../ports/secret-decryptor.ts';

export class MemorySecretDecryptor implements SecretDecryptor {
  /** The recipients whose identities are there. */
  readonly recipients: Set<string>;

  constructor(recipients: Iterable<string> = []) {
    this.recipients = new Set(recipients);
  }

  /** A file for those recipients. */
  static seal(recipients: readonly string[], contents: Uint8Array): AgeFile {
    const base64 = Buffer.from(contents).toString('base64');
    return { bytes: Buffer.from(JSON.stringify({ recipients, base64, end: 'whole' }), 'utf8') };
  }

  async open({ files }: Envelope, signal: AbortSignal): Promise<Opened> {
    for (const { bytes } of files) {
      signal.throwIfAborted();
      const text = Buffer.from(bytes).toString('utf8');
      const recipients = [...text.matchAll(/"(age1[^"]*)"/g)].map(([, recipient]) => recipient);
      if (!recipients.some((recipient) => recipient !== undefined && this.recipients.has(recipient))) continue;
      const [, base64] = /"base64":"([^"]*)","end":"whole"\}$/.exec(text) ?? [];
      return base64 === undefined
        ? { state: 'damaged', why: 'the age file is damaged' }
        : { state: 'open', contents: Buffer.from(base64, 'base64') };
    }
    return { state: 'no-key', why: 'no age identity fits' };
  }
}
