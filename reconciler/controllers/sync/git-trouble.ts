/** Looks into Git: each ends in time; and what a pass does where Git could not be read. */
import { errorText } from '../../../contracts/errors.ts';
import { unlessAborted } from '../../../contracts/signals.ts';
import { type ErrorCode, PlumbError, RetryableError } from '../../core/errors.ts';
import type { SyncReason } from '../../core/revisions/source-status.ts';
import type { SyncDependencies } from './dependencies.ts';

/** A first fetch over a slow line is the longest look there is. */
const GIT_LIMIT_MS = 10 * 60_000;

/** Codes for a repository that answers and is not whole. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ObjectMissing', 'ObjectUnreadable']);

/** A failure of the repository, told from one of the store. */
export class GitTrouble extends Error {
  readonly failure: unknown;
  /** What the condition `Synced` says. */
  readonly reason: SyncReason;
  /**
   * Whether to look again with growing pauses; where somebody has to change something first, the next poll is soon
   * enough.
   */
  readonly retry: boolean;

  constructor(failure: unknown) {
    super(errorText(failure), { cause: failure });
    this.name = 'GitTrouble';
    this.failure = failure;
    this.reason = failure instanceof PlumbError && DAMAGE.has(failure.code) ? 'RepositoryDamaged' : 'GitUnreachable';
    this.retry = !(failure instanceof PlumbError && failure.retry === 'never');
  }
}

/** Every look into Git goes through here. Throws {@link GitTrouble} where it fails or takes too long. */
export async function fromGit<T>(
  { git, clock, gitLimitMs = GIT_LIMIT_MS }: Pick<SyncDependencies, 'git' | 'clock' | 'gitLimitMs'>,
  signal: AbortSignal,
  look: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = clock.deadline(gitLimitMs, signal);
  try {
    return await unlessAborted(limit.signal, look(limit.signal));
  } catch (error) {
    signal.throwIfAborted();
    throw new GitTrouble(
      limit.signal.aborted
        ? new RetryableError('GitTimeout', `looking at ${git.url} took more than ${gitLimitMs / 1000} s`, {
            cause: error,
          })
        : error,
    );
  }
}
