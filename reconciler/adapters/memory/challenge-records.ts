/** The port `ChallengeRecords` over one map, for all providers. */
import { RetryableError } from '../../core/errors.ts';
import type { ChallengeRecord, DnsProvider } from '../../core/certificates/dns01.ts';
import type { ChallengeRecords } from '../../ports/challenge-records.ts';

export class MemoryChallengeRecords implements ChallengeRecords {
  /** Texts by name. */
  readonly texts = new Map<string, ReadonlySet<string>>();
  /** While it is set no provider answers. */
  isDown = false;

  async add(provider: DnsProvider, { name, value }: ChallengeRecord, signal: AbortSignal): Promise<void> {
    this.#mustAnswer(provider, signal);
    this.texts.set(name, new Set([...(this.texts.get(name) ?? []), value]));
  }

  async remove(provider: DnsProvider, { name, value }: ChallengeRecord, signal: AbortSignal): Promise<void> {
    this.#mustAnswer(provider, signal);
    this.texts.set(name, new Set([...(this.texts.get(name) ?? [])].filter((one) => one !== value)));
  }

  async missing(
    provider: DnsProvider,
    { name, value }: ChallengeRecord,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    this.#mustAnswer(provider, signal);
    return this.texts.get(name)?.has(value) === true ? undefined : `there is no TXT record ${name}`;
  }

  #mustAnswer({ is }: DnsProvider, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.isDown) throw new RetryableError('DnsProviderFailed', `${is}: it is down`);
  }
}
