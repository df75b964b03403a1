/** A manifest file with the values of its encrypted Secrets. */
import { parsingManifest, type ParsedFile } from '../manifests/index.ts';
import { finish, type PacedRunner } from '../paced.ts';
import type { Envelope, Opened } from '../secrets/envelope.ts';

/** Opens what is encrypted with age: see the port SecretDecryptor. */
export type OpenEnvelope = (envelope: Envelope) => Promise<Opened>;

/**
 * As {@link parseManifest}, with all envelopes of the file opened. Without `open`, as where nobody has keys, ciphertext
 * stands for what is encrypted. A long file is read in pieces by `run`. Rejects only when `open` does. `isRewritten`: as in {@link OpenedEnvelopes}.
 */
export async function parseSealed(
  path: string,
  oid: string,
  bytes: Uint8Array,
  open: OpenEnvelope | undefined,
  namespace?: string,
  isRewritten = false,
  run: PacedRunner = finish,
): Promise<ParsedFile> {
  const parsed = await run(parsingManifest(path, oid, bytes, undefined, namespace));
  if (!open || !parsed.sealed) return parsed;
  const byId = new Map<string, Opened>();
  for (const { envelope } of parsed.sealed) byId.set(envelope.id, await open(envelope));
  return run(parsingManifest(path, oid, bytes, { byId, isRewritten }, namespace));
}

/** Whether another look, with other keys, may find otherwise. */
export function lacksKeys({ diagnostics }: Pick<ParsedFile, 'diagnostics'>): boolean {
  return diagnostics.some(({ code }) => code === 'DecryptionKeyMissing');
}
