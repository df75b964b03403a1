/** TXT records that show whose a name is, at whoever serves its zone. Source: RFC 8555, 8.4. */
import type { ChallengeRecord, DnsProvider } from '../core/certificates/dns01.ts';

/**
 * All calls: RetryableError `DnsProviderFailed` where the provider does not answer in time, or does not do it; it names the
 * provider, and nothing secret. Other records of the name stay as they are.
 */
export interface ChallengeRecords {
  /** Idempotent. */
  add(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  remove(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<void>;
  /** Why a server of the zone does not answer with it yet; undefined where all do. */
  missing(provider: DnsProvider, record: ChallengeRecord, signal: AbortSignal): Promise<string | undefined>;
}
