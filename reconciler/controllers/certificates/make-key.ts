/** Makes keys: in the pool of threads, so that nobody waits for it. */
import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { WantedKey } from '../../core/certificates/private-keys.ts';

const generate = promisify(generateKeyPair);

export async function makeKey(wanted: WantedKey): Promise<KeyObject> {
  switch (wanted.type) {
    case 'rsa':
      return (await generate('rsa', { modulusLength: wanted.bits })).privateKey;
    case 'ec':
      return (await generate('ec', { namedCurve: wanted.curve })).privateKey;
    case 'ed25519':
      return (await generate('ed25519', {})).privateKey;
  }
}

/** Of an ACME account. */
export const ACCOUNT_KEY: WantedKey = { type: 'ec', curve: 'prime256v1' };
