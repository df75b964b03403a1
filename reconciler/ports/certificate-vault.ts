/**
 * What was issued, and must not be asked for again when the store is lost: kept sealed beside the control plane's other
 * keys. Texts by name; a name is any text of at most 1,000 characters.
 */
export interface CertificateVault {
  /** Undefined for what is not there, or cannot be opened any more. */
  read(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** On disk when it resolves: whole, or as it was before. At most 1 MiB. */
  write(name: string, text: string, signal: AbortSignal): Promise<void>;
}
