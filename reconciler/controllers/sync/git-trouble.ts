/** Git could not be read: what a pass does then. */
import { errorText } from '../../../contracts/errors.ts';
import { type ErrorCode, PlumbError } from '../../core/errors.ts';
import type { SyncReason } from '../../core/revisions/source-status.ts';

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
