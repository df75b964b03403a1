/** `ChallengeRecords` at real providers. */
import type { ChallengeRecord, DnsProvider } from '../../core/certificates/dns01.ts';
import type { ChallengeRecords } from '../../ports/challenge-records.ts';
import type { Clock } from '../../ports/clock.ts';
import { missingAt, type DnsServer } from './answers.ts';
import { Cloudflare, CLOUDFLARE_API, type CloudflareApi } from './cloudflare.ts';
import { update } from './rfc2136.ts';

export interface DnsRecordsOptions {
  readonly clock: Pick<Clock, 'deadline'>;
  readonly cloudflare?: CloudflareApi;
  /** Where servers of a zone answer. 53 unless given. */
  readonly dnsPort?: number;
}

export class DnsRecords implements ChallengeRecords {
  readonly #cloudflare: Cloudflare;
  readonly #dnsPort: number;

  constructor({ clock, cloudflare = CLOUDFLARE_API, dnsPort = 53 }: DnsRecordsOptions) {
    this.#cloudflare = new Cloudflare(cloudflare, clock);
    this.#dnsPort = dnsPort;
  }

  async add(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    if (provider.is === 'rfc2136') await update('add', provider, record, signal);
    else await this.#cloudflare.add(provider.credential, record, signal);
  }

  async remove(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<void> {
    if (provider.is === 'rfc2136') await update('delete', provider, record, signal);
    else await this.#cloudflare.remove(provider.credential, record, signal);
  }

  async missing(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<string | undefined> {
    return missingAt(await this.#servers(provider, record, signal), record, signal);
  }

  /** Of a server that takes updates it alone is known. */
  async #servers(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<readonly DnsServer[]> {
    if (provider.is === 'rfc2136') return [provider];
    const names = await this.#cloudflare.nameServers(provider.credential, record, signal);
    return names.map((host) => ({ host, port: this.#dnsPort }));
  }
}
