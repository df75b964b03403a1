/** Hashes that are the same in every process and release: names and candidates are derived from them. */
import { createHash } from 'node:crypto';

/**
 * Letters and digits without vowels and 0, 1, 3: no words, nothing misread. Source: k8s.io/apimachinery/pkg/util/rand.
 */
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** `length` (at most 32) characters that may stand in a DNS label, derived from `text` with SHA-256. */
export function nameHash(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest();
  return Array.from(digest.subarray(0, length), (byte) => SAFE_ALPHABET.charAt(byte % SAFE_ALPHABET.length)).join('');
}

/**
 * 32-bit FNV-1a over UTF-16 units with a final mix, so that near texts land far apart. Not for secrets. Source: RFC
 * 9923; MurmurHash3 finalizer.
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
