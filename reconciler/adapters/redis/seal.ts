/** Secrets are sealed before they leave this process: AES-256-GCM, bound to the object they belong to. Source: NIST SP 800-38D. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { TerminalError } from '../../core/errors.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class Seal {
  readonly #cipherKey: Buffer;
  readonly #digestKey: Buffer;

  /** `key` is 32 random bytes; throws TerminalError `SealKeyInvalid` for any other length. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new TerminalError('SealKeyInvalid', `the key that seals Secrets has ${key.length} bytes; it must have exactly ${KEY_BYTES} random bytes`);
    }
    this.#cipherKey = derive(key, 'plumbline seal v1');
    this.#digestKey = derive(key, 'plumbline digest v1');
  }

  /** Nonce, ciphertext and tag as base64. `place` (object key and uid) must be the same when it is opened: a sealed value cannot be moved to another object. */
  seal(plaintext: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#cipherKey, nonce).setAAD(Buffer.from(place));
    return Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
  }

  /** Throws TerminalError `SealBroken`; the message names the place and never the content. */
  open(sealed: string, place: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#cipherKey, bytes.subarray(0, NONCE_BYTES)).setAAD(Buffer.from(place));
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      return decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch (cause) {
      throw new TerminalError(
        'SealBroken',
        `${place}: the sealed data does not open with this control plane's key: it was sealed with another key, or changed in Redis; start with the key it was sealed with, or empty the store (it is rebuilt from Git and the nodes)`,
        { cause },
      );
    }
  }

  /** A keyed digest: tells whether two texts are equal without letting anyone who reads Redis try guesses against it. */
  digest(text: string): string {
    return createHmac('sha256', this.#digestKey).update(text).digest('base64url').slice(0, 22);
  }
}

function derive(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), purpose, KEY_BYTES));
}
