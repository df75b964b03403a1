/** Pull requests in memory, by repository; one that is not there is refused. */
import type { FoundPullRequest } from '../../core/apps/pull-requests.ts';
import { TerminalError } from '../../core/errors.ts';
import type { AskedForge, PullRequests } from '../../ports/pull-requests.ts';

export class MemoryPullRequests implements PullRequests {
  readonly repositories = new Map<string, readonly FoundPullRequest[]>();

  async open({ url, repository }: AskedForge, signal: AbortSignal): Promise<readonly FoundPullRequest[]> {
    signal.throwIfAborted();
    const found = this.repositories.get(repository);
    if (!found) throw new TerminalError('ForgeRefused', `${url} has no ${repository}`);
    return found;
  }
}
