import type { CertificateVault } from '../../ports/certificate-vault.ts';

/** Forgets with the process. */
export class MemoryVault implements CertificateVault {
  readonly texts = new Map<string, string>();

  async read(name: string, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    return this.texts.get(name);
  }

  async write(name: string, text: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (Buffer.byteLength(text) > 1024 * 1024) throw new RangeError('more than 1048576 bytes to keep');
    this.texts.set(name, text);
  }
}
