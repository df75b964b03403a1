/** Repositories that Apps have their files from, beside the one that is followed. */
import type { WantedSource } from '../core/apps/other-sources.ts';
import type { GitSource } from './git-source.ts';

/** One of them; its files are those of a commit that is there already. */
export interface OtherRepository extends Pick<GitSource, 'url' | 'files' | 'blob' | 'hints' | 'close'> {
  /**
   * Looks at the remote now: the commit that what is followed is at, undefined where there is none. Throws RetryableError
   * `GitUnreachable` when it does not answer.
   */
  newest(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Has a commit fetched that is not there yet. Throws TerminalError `RevisionNotFound` where the remote has it no
   * longer, or never had, and what {@link newest} does.
   */
  bring(commit: string, signal: AbortSignal): Promise<void>;
}

export interface OtherRepositories {
  /** Opens a mirror of its own for it, without asking the remote. Throws TerminalError `GitUrlInvalid`. */
  open(wanted: WantedSource): Promise<OtherRepository>;
  /** Removes what was fetched of all others than these ids, each with the commit that is in force. */
  forgetAllBut(pins: ReadonlyMap<string, string | undefined>): Promise<void>;
}
