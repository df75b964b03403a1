/** Git's name for contents. Source: git-hash-object(1). */
import { createHash } from 'node:crypto';

export function blobId(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
