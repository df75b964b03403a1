/** Opens with the age identities of a file. */
import { open, type FileHandle } from 'node:fs/promises';
import { Decrypter, identityToRecipient, type Identity } from 'age-encryption';
import type { AgeFile, Envelope, Opened } from '../../core/secrets/envelope.ts';
import type { SecretDecryptor } from '../../ports/secret-decryptor.ts';
import { MAX_IDENTITY_FILE_BYTES, readIdentities } from './identities.ts';

interface Keys {
  /** Of the file's state: another one is read anew. */
  readonly mark: string;
  readonly identities: readonly string[];
  readonly recipients: ReadonlySet<string>;
}

export class AgeFileDecryptor implements SecretDecryptor {
  readonly #path: string;
  #keys: Keys | undefined;

  /** The file need not be there before something is to be opened. */
  constructor(path: string) {
    this.#path = path;
  }

  async open(envelope: Envelope, signal: AbortSignal): Promise<Opened> {
    const keys = await this.#read();
    if (typeof keys === 'string') return { state: 'no-key', why: keys };
    const isOurs = ({ recipient }: AgeFile): boolean => recipient !== undefined && keys.recipients.has(recipient);
    // What a file says of its recipient may be wrong: those that say another are tried last.
    const files = [...envelope.files.filter(isOurs), ...envelope.files.filter((file) => !isOurs(file))];
    for (const file of files) {
      signal.throwIfAborted();
      const opened = await openFile(file, keys.identities);
      if (opened) return opened;
    }
    return { state: 'no-key', why: `no age identity in ${this.#path} fits` };
  }

  /** The recipients of the identities; why there are none, as text. */
  async recipients(): Promise<readonly string[] | string> {
    const keys = await this.#read();
    return typeof keys === 'string' ? keys : [...keys.recipients];
  }

  async #read(): Promise<Keys | string> {
    let handle: FileHandle;
    try {
      handle = await open(this.#path, 'r');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT'
        ? `there is no age identity: ${this.#path} does not exist`
        : `the age identities in ${this.#path} cannot be read (${code ?? 'unknown'})`;
    }
    try {
      const { mode, mtimeMs, size, ino, dev } = await handle.stat();
      if ((mode & 0o077) !== 0) return `${this.#path} may be read by others: chmod 600 it`;
      if (size > MAX_IDENTITY_FILE_BYTES) return `${this.#path} is too large for a file of age identities`;
      const mark = [dev, ino, size, mtimeMs].join(' ');
      if (this.#keys?.mark === mark) return this.#keys;
      const read = readIdentities(await handle.readFile('utf8'));
      if (!read.ok) return `${this.#path} ${read.why}`;
      const recipients = await Promise.all(read.identities.map((identity) => identityToRecipient(identity)));
      this.#keys = { mark, identities: read.identities, recipients: new Set(recipients) };
      return this.#keys;
    } catch {
      return `${this.#path} holds an age identity that is misspelled`;
    } finally {
      await handle.close();
    }
  }
}

/** Undefined where no identity fits. */
async function openFile({ bytes }: AgeFile, identities: readonly string[]): Promise<Opened | undefined> {
  let nobody = false;
  // It is asked after all others have said no.
  const last: Identity = {
    unwrapFileKey: () => {
      nobody = true;
      return null;
    },
  };
  try {
    const decrypter = new Decrypter();
    for (const identity of [...identities, last]) decrypter.addIdentity(identity);
    return { state: 'open', contents: await decrypter.decrypt(bytes) };
  } catch (error) {
    return nobody
      ? undefined
      : { state: 'damaged', why: `the age file is damaged (${error instanceof Error ? error.message : 'unknown'})` };
  }
}
