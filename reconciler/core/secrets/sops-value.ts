/**
 * One value as SOPS encrypts it: AES-256-GCM with a nonce of 32 bytes and the value's path as additional data. Source:
 * getsops/sops, aes/cipher.go.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { fromBase64 } from './envelope.ts';

export const DATA_KEY_BYTES = 32;
export const NONCE_BYTES = 32;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** `comment` is of comments, which nobody reads here. */
const TYPES = ['str', 'int', 'int64', 'float', 'bool', 'bytes', 'comment'] as const;
export type SopsType = (typeof TYPES)[number];

export interface SopsValue {
  readonly data: Uint8Array;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  readonly type: SopsType;
}

const FORM =
  /^ENC\[AES256_GCM,data:([A-Za-z0-9+/]*={0,2}),iv:([A-Za-z0-9+/]+={0,2}),tag:([A-Za-z0-9+/]+={0,2}),type:([a-z0-9]+)\]$/;

/** Undefined where the text is no encrypted value. */
export function readSopsValue(text: string): SopsValue | undefined {
  const [, data, nonce, tag, type] = FORM.exec(text) ?? [];
  const parts = [data, nonce, tag].map((part) => (part === undefined ? undefined : fromBase64(part)));
  const known = TYPES.find((one) => one === type);
  if (!parts[0] || !parts[1] || parts[2]?.length !== TAG_BYTES || !known) return undefined;
  return { data: parts[0], nonce: parts[1], tag: parts[2], type: known };
}

/** What stands in the additional data: the names on the way to the value, without positions in lists. */
export function pathData(path: readonly (string | number)[]): string {
  return `${path.filter((step) => typeof step === 'string').join(':')}:`;
}

/** The plain text; undefined where key, text or additional data is another than it was encrypted with. */
export function decryptValue(value: SopsValue, key: Uint8Array, additional: string): Buffer | undefined {
  try {
    const decipher = createDecipheriv(CIPHER, key, value.nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(additional, 'utf8'));
    decipher.setAuthTag(value.tag);
    return Buffer.concat([decipher.update(value.data), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** `nonce`: {@link NONCE_BYTES} that were never used with this key for another text. */
export function encryptValue(
  plain: string,
  type: SopsType,
  key: Uint8Array,
  additional: string,
  nonce: Uint8Array,
): string {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(additional, 'utf8'));
  const data = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  const [text, iv, tag] = [data, nonce, cipher.getAuthTag()].map((bytes) => Buffer.from(bytes).toString('base64'));
  return `ENC[AES256_GCM,data:${text},iv:${iv},tag:${tag},type:${type}]`;
}
