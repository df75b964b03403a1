/** Values that are encrypted, and stand for what nobody has opened. */
import type { KubeObject } from '../../../contracts/objects/index.ts';

/** How SOPS and the inline form write an encrypted value. */
const ENCRYPTED = /^ENC\[(AES256_GCM|AGE),.*\]$/s;

export function isEncryptedText(text: string): boolean {
  return ENCRYPTED.test(text);
}

/**
 * Whether a file that an engine reads is one whose plain text it would need: encrypted with SOPS, and no manifest of
 * Kubernetes, which may pass through it as it is.
 */
export function isSealedInput(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes('ENC[AES256_GCM,data:')) return false;
  return !/^["{\s]*apiVersion"?:/m.test(text.toString('utf8'));
}

/** Whether a value of a Secret's `data` is the ciphertext of what it should be. */
export function isOpaque(base64: string): boolean {
  // What all of them begin with, in base64: `ENC[A`.
  return base64.startsWith('RU5DW0') && isEncryptedText(Buffer.from(base64, 'base64').toString('latin1'));
}

/** Whether an object is a Secret of which not all values are known. */
export function isOpaqueSecret(object: KubeObject | undefined): boolean {
  return object?.kind === 'Secret' && Object.values(object.data).some(isOpaque);
}
