import { RetryableError } from '../../core/errors.ts';

const MOST_CHARS = 300;

export function failure(provider: string, why: string, cause?: unknown): RetryableError {
  return new RetryableError('DnsProviderFailed', `${provider}: ${why.trim().slice(0, MOST_CHARS)}`, { cause });
}
