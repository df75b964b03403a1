/**
 * Speaking with the repository's own Git server: over HTTPS, over SSH, or with a local process (so that its hooks run).
 */
import type { HttpClient } from 'isomorphic-git';
import { RetryableError } from '../../core/errors.ts';
import type { Advertisement } from './pkt-line.ts';

export type GitService = 'git-upload-pack' | 'git-receive-pack';

export interface GitRemote {
  /**
   * What refs the remote has now. RetryableError `GitUnreachable`; TerminalError `GitAccessDenied`, `GitUrlInvalid`,
   * `GitCertificateRefused`, `GitHostKeyUnknown` or `GitHostKeyChanged`.
   */
  advertise(service: GitService, signal: AbortSignal): Promise<Advertisement>;
  /** One push: the whole request, the whole answer. */
  push(body: Buffer, signal: AbortSignal): Promise<Buffer>;
  /** For isomorphic-git's fetch; ends what it started when the signal aborts. */
  httpClient(signal: AbortSignal): { readonly url: string; readonly http: HttpClient };
}

/** `words` is what the other side printed; without any, the cause tells. */
export function unreachable(url: string, cause: unknown, words = ''): RetryableError {
  return new RetryableError('GitUnreachable', `cannot reach ${url}: ${words.trim() || reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // OpenSSL's own words are within a line of numbers and file names.
  const tls = /SSL routines:[^:]*:([^:]+):/.exec(cause.message)?.[1];
  // The error of a host with several addresses has one error for each, and no words.
  return tls === undefined
    ? cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name)
    : `no TLS connection: ${tls}`;
}
