/** Which commits are on a branch. */
import type { GitSource } from '../../ports/git-source.ts';

/** Commits looked at. A force-push of more keeps the records as they are. */
const MAX_COMMITS = 2000;

/**
 * Those of `wanted` that `head` is or contains, over all parents; undefined where that was not found out among the
 * newest {@link MAX_COMMITS}. Ends as soon as `enough` is among them: whatever was on the branch when that was its head
 * still is.
 */
export async function containedIn(
  git: Pick<GitSource, 'resolve'>,
  head: string,
  wanted: ReadonlySet<string>,
  enough: string | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | 'all' | undefined> {
  const found = new Set<string>();
  const seen = new Set([head]);
  // A set may grow while it is walked.
  for (const sha of seen) {
    if (sha === enough) return 'all';
    if (wanted.has(sha)) found.add(sha);
    if (found.size === wanted.size) break;
    if (seen.size > MAX_COMMITS) return undefined;
    for (const parent of (await git.resolve(sha, signal)).parents) seen.add(parent);
  }
  return found;
}
