/** Randomness from the operating system. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Ids } from '../../ports/ids.ts';

/**
 * Kubernetes' safe alphabet: no vowels, so no words; no 0, 1, 3, so nothing is misread. Source:
 * k8s.io/apimachinery/pkg/util/rand.
 */
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
/** Bytes from here on are drawn again: keeps every character equally likely. */
const FAIR_LIMIT = 256 - (256 % SAFE_ALPHABET.length);

export class CryptoIds implements Ids {
  uid(): string {
    return randomUUID();
  }

  suffix(length: number): string {
    let text = '';
    while (text.length < length) {
      for (const byte of randomBytes(length - text.length)) {
        if (byte < FAIR_LIMIT) text += SAFE_ALPHABET.charAt(byte % SAFE_ALPHABET.length);
      }
    }
    return text;
  }
}
