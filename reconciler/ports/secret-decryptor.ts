import type { Envelope, Opened } from '../core/secrets/envelope.ts';

/** Whoever has the identities that encrypted Secrets are for. */
export interface SecretDecryptor {
  /**
   * What is in the envelope. That there is no key for it, or that it is damaged, is an answer; so is that the identities
   * cannot be read. Identities that were put there since the last call count.
   */
  open(envelope: Envelope, signal: AbortSignal): Promise<Opened>;
}
