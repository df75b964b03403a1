/**
 * Files in the home folder, sealed with a key made of `seal.key`: AES-256-GCM (NIST SP 800-38D), bound to the name. File
 * names are hashes, so that names of any letters can be kept.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateVault } from '../../ports/certificate-vault.ts';
import type { Log } from '../../ports/log.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MOST_BYTES = 1024 * 1024;

export class FileVault implements CertificateVault {
  readonly #dir: string;
  readonly #key: Uint8Array;
  readonly #nameKey: Uint8Array;
  readonly #log: Log;

  /** `sealKey` as `Home` has it. */
  constructor(options: { readonly dir: string; readonly sealKey: Uint8Array; readonly log: Log }) {
    const derive = (purpose: string): Uint8Array =>
      new Uint8Array(hkdfSync('sha256', options.sealKey, Buffer.alloc(0), purpose, 32));
    this.#dir = options.dir;
    this.#key = derive('plumbline certificate vault v1');
    this.#nameKey = derive('plumbline certificate vault names v1');
    this.#log = options.log;
  }

  async read(name: string, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    const bytes = await readFile(this.#file(name), { signal }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (!bytes) return undefined;
    try {
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new RangeError('too short');
      const opening = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES));
      opening.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const opened = [opening.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), opening.final()];
      return Buffer.concat(opened).toString('utf8');
    } catch {
      this.#log.warn('what was issued cannot be opened: it was sealed with another seal.key, or the file is damaged', {
        file: this.#file(name),
      });
      return undefined;
    }
  }

  async write(name: string, text: string, signal: AbortSignal): Promise<void> {
    if (Buffer.byteLength(text) > MOST_BYTES) throw new RangeError(`more than ${MOST_BYTES} bytes to keep`);
    signal.throwIfAborted();
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const nonce = randomBytes(NONCE_BYTES);
    const sealing = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([nonce, sealing.update(text, 'utf8'), sealing.final(), sealing.getAuthTag()]);
    const temporary = join(this.#dir, `.${randomBytes(8).toString('hex')}`);
    try {
      await writeThrough(temporary, sealed);
      await rename(temporary, this.#file(name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(this.#dir);
  }

  #file(name: string): string {
    return join(this.#dir, createHmac('sha256', this.#nameKey).update(name).digest('hex'));
  }
}

async function writeThrough(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** So that the file has its name after a power cut. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
