/** The machine's WireGuard key: made here, once, and never told. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import type { WireGuardKey } from '../../ports/routing.ts';
import { makeFolder, readIfThere, writeDurably } from './durable.ts';

/** What stands before the 32 bytes of a private key of X25519 in PKCS #8 (RFC 8410, 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const KEY_BYTES = 32;

/**
 * Makes a key where there is none, in a file of mode 0600. Throws an Error that names the file where there is something
 * else in it: another key would cut the node off until all others know of it.
 */
export async function wireGuardKey(folder: string): Promise<WireGuardKey> {
  const path = `${folder}/private-key`;
  const kept = await readIfThere(path);
  if (kept === undefined) {
    await makeFolder(folder, 0o700);
    const { privateKey } = generateKeyPairSync('x25519');
    const secret = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(PKCS8_PREFIX.length);
    await writeDurably(path, `${secret.toString('base64')}\n`, 0o600);
    return { path, publicKey: publicKeyOf(secret) };
  }
  await chmod(path, 0o600);
  const secret = Buffer.from(kept.trim(), 'base64');
  if (secret.length !== KEY_BYTES)
    throw new Error(`${path} is no WireGuard key: remove it, and the agent makes another one`);
  return { path, publicKey: publicKeyOf(secret) };
}

function publicKeyOf(secret: Buffer): string {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-KEY_BYTES).toString('base64');
}
