/**
 * Secrets are sealed before they leave this process: AES-256-GCM, bound to the object they belong to (NIST SP 800-38D).
 * Records carry proofs that this control plane wrote them: HMAC-SHA256 cut to 128 bits (RFC 2104, section 5). The keys
 * come from one by HKDF (RFC 5869).
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { TerminalError } from '../../core/errors.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** 128 bits and more, in base64url. */
const SHORT = 22;

export class Seal {
  readonly #cipherKey: Buffer;
  readonly #digestKey: Buffer;
  readonly #proofKey: Buffer;

  /** `key` is 32 random bytes; throws TerminalError `SealKeyInvalid` for any other length. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new TerminalError(
        'SealKeyInvalid',
        `the key that seals Secrets has ${key.length} bytes; it must have exactly ${KEY_BYTES} random bytes`,
      );
    }
    this.#cipherKey = derive(key, 'plumbline seal v1');
    this.#digestKey = derive(key, 'plumbline digest v1');
    this.#proofKey = derive(key, 'plumbline record v1');
  }

  /**
   * Nonce, ciphertext and tag as base64. `place` (object key and uid) must be the same when it is opened: a sealed
   * value cannot be moved to another object.
   */
  seal(plaintext: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#cipherKey, nonce).setAAD(Buffer.from(place));
    return Buffer.concat([nonce, cipher.update(plaintext, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
      'base64',
    );
  }

  /** Throws TerminalError `SealBroken`; the message names the place and never the content. */
  open(sealed: string, place: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#cipherKey, bytes.subarray(0, NONCE_BYTES)).setAAD(
        Buffer.from(place),
      );
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
      return (
        decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8') +
        decipher.final('utf8')
      );
    } catch (cause) {
      throw new TerminalError(
        'SealBroken',
        `${place}: the sealed data does not open with this control plane's key: it was sealed with another key, or changed in Redis; start with the key it was sealed with, or empty the store (it is rebuilt from Git and the nodes)`,
        { cause },
      );
    }
  }

  /**
   * A keyed digest: tells whether two texts are equal without letting anyone who reads Redis try guesses against it.
   */
  digest(text: string): string {
    return createHmac('sha256', this.#digestKey).update(text).digest('base64url').slice(0, SHORT);
  }

  /**
   * Proves that whoever holds the key wrote `text` in this context. `context` has no line feed, which keeps the two
   * apart.
   */
  prove(context: string, text: string): string {
    return createHmac('sha256', this.#proofKey).update(`${context}\n`).update(text).digest('base64url').slice(0, SHORT);
  }

  /** Tells two keys apart, and tells nothing of them. */
  get name(): string {
    return this.prove('name', '');
  }
}

function derive(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), purpose, KEY_BYTES));
}
