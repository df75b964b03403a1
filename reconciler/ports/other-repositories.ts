/** Repositories that Apps have their files from, beside the one that is followed. */
import type { WantedSource } from '../core/apps/other-sources.ts';
import type { GitSource } from './git-source.ts';

export interface OtherRepositories {
  /** Opens a mirror of its own for it, without asking the remote. Throws TerminalError `GitUrlInvalid`. */
  open(wanted: WantedSource): Promise<GitSource>;
  /** Removes what was fetched of all others than these ids. */
  forgetAllBut(ids: ReadonlySet<string>): Promise<void>;
}
