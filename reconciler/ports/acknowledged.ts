/** What the commits of a push acknowledge, read through the GitSource port. */
import { PlumbError } from '../core/errors.ts';
import { unacknowledged, type Refusal } from '../core/diff/index.ts';
import type { Desired } from '../core/manifests/index.ts';
import { RESTORED_WITHIN, unlessRestored } from '../core/revisions/prune-guard.ts';
import type { GitSource, Revision } from './git-source.ts';

type Git = Pick<GitSource, 'resolve' | 'log'>;

/** Commits looked at, those of the revision in force among them. Of a longer push the newest commit alone can say it. */
const MOST_COMMITS = 500;

/**
 * The refusals that stand for `sha`: not those that it, or a commit since `inForce`, acknowledges in its message, and
 * none of deletions where its files are those of an earlier commit. Reads nothing of Git where none can be acknowledged.
 */
export async function standing(
  refusals: readonly Refusal[],
  git: Git,
  { sha, inForce }: { readonly sha: string; readonly inForce: string | undefined },
  desired: Desired,
  signal: AbortSignal,
): Promise<readonly Refusal[]> {
  if (!refusals.some(({ acknowledge }) => acknowledge !== undefined)) return refusals;
  const left = unlessRestored(refusals, await git.log(sha, RESTORED_WITHIN, signal), desired);
  const commits = await commitsSince(git, sha, inForce, signal);
  return unacknowledged(
    left,
    commits.map(({ message }) => message),
  );
}

interface Marked {
  readonly revision: Revision;
  /** The base has it too. */
  old: boolean;
}

/**
 * What `head` has and `base` has not, as `git log BASE..HEAD` has it: newest first by the committers' times, and what the
 * base can reach is painted on the way. `head` alone where that takes more than {@link MOST_COMMITS} commits, or where
 * the repository has no such base.
 */
export async function commitsSince(
  git: Pick<GitSource, 'resolve'>,
  head: string,
  base: string | undefined,
  signal: AbortSignal,
): Promise<readonly Revision[]> {
  const newest = await git.resolve(head, signal);
  const other = base === undefined ? undefined : await found(git.resolve(base, signal));
  if (!other || other.sha === newest.sha) return [newest];
  const known = new Map<string, Marked>([
    [newest.sha, { revision: newest, old: false }],
    [other.sha, { revision: other, old: true }],
  ]);
  const open = new Set(known.values());
  while ([...open].some(({ old }) => !old)) {
    const next = [...open].reduce((a, b) => (b.revision.committedAt > a.revision.committedAt ? b : a));
    open.delete(next);
    for (const sha of next.revision.parents) {
      const seen = known.get(sha);
      if (seen && (seen.old || !next.old)) continue;
      if (!seen && known.size >= MOST_COMMITS) return [newest];
      const parent: Marked = seen ?? { revision: await git.resolve(sha, signal), old: next.old };
      parent.old = next.old;
      known.set(sha, parent);
      open.add(parent);
    }
  }
  return [...known.values()].filter(({ old }) => !old).map(({ revision }) => revision);
}

async function found(commit: Promise<Revision>): Promise<Revision | undefined> {
  try {
    return await commit;
  } catch (error) {
    if (error instanceof PlumbError && error.code === 'RevisionNotFound') return undefined;
    throw error;
  }
}
