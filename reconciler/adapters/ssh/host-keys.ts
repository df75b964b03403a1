/**
 * Host keys: what is pinned, what was shown, and their fingerprints. Source: RFC 4253 section 6.6, RFC 8332 (RSA with
 * SHA-2).
 */
import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import { readKey } from '../../../contracts/objects/index.ts';
import { TerminalError } from '../../core/errors.ts';

/** Signature algorithms by the key type that stands in the key's blob, most wanted first. */
const ALGORITHMS: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** What is asked of a machine whose key is not known yet. */
export const ALL_HOST_KEY_ALGORITHMS: readonly ServerHostKeyAlgorithm[] = Object.values(ALGORITHMS).flat();

export interface PinnedKey {
  readonly blob: Buffer;
  /** The only algorithms to offer, so that a machine with several keys shows the pinned one. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[];
}

/** Reads `TYPE BASE64`. Throws TerminalError `HostKeyInvalid` for anything else. */
export function parsePinnedKey(text: string, machine: string): PinnedKey {
  const base64 = text.trim().split(/\s+/)[1] ?? '';
  const blob = Buffer.from(base64, 'base64');
  const type = keyType(blob);
  const algorithms = type === undefined ? undefined : readKey(ALGORITHMS, type);
  if (algorithms === undefined) {
    throw new TerminalError(
      'HostKeyInvalid',
      `machine ${machine}: spec.hostKey is not a host key of a type that is supported; write it as 'ssh-keyscan' prints it after the host name`,
    );
  }
  return { blob, algorithms };
}

/** The key as `known_hosts` holds it, without the host. Undefined for bytes that are no key. */
export function formatHostKey(blob: Buffer): string | undefined {
  const type = keyType(blob);
  return type === undefined ? undefined : `${type} ${blob.toString('base64')}`;
}

/** As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** A blob begins with its type as a length-prefixed string. */
function keyType(blob: Buffer): string | undefined {
  if (blob.length < 4) return undefined;
  const length = blob.readUInt32BE(0);
  return length > 0 && length <= 64 && blob.length > 4 + length ? blob.toString('latin1', 4, 4 + length) : undefined;
}
