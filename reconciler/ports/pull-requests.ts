/** What a forge says of a repository's pull requests. Adapters: GitHub, GitLab, and Gitea with Forgejo. */
import type { SourceAuth } from '../core/apps/other-sources.ts';
import type { FoundPullRequest } from '../core/apps/pull-requests.ts';

export interface AskedForge {
  readonly forge: 'github' | 'gitlab' | 'gitea';
  /** Of the forge itself, as people open it, without a `/` at its end. */
  readonly url: string;
  /** `OWNER/NAME`; on GitLab with all its groups. */
  readonly repository: string;
  readonly auth: SourceAuth | undefined;
}

export interface PullRequests {
  /**
   * All that are open, as they were at one time. Throws RetryableError `ForgeUnreachable`, TerminalError `ForgeRefused`; never
   * answers with a part of them.
   */
  open(asked: AskedForge, signal: AbortSignal): Promise<readonly FoundPullRequest[]>;
}
