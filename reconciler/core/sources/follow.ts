/** What of a repository is followed: a branch, one tag, or the newest tag of a range. */
import { compareVersions, parseRange, parseVersion, type Version } from './semver.ts';

export type Followed =
  | { readonly branch: string }
  | { readonly tag: string }
  /** A range of versions: the highest one among the tags that is in it. */
  | { readonly semver: string };

/** What of another repository is read: what is followed of it, one commit, or which pull requests are open. */
export type Chosen =
  | Followed
  /** `branch`: where it is looked for besides the branch of the repository's HEAD. */
  | { readonly commit: string; readonly branch?: string }
  | {
      readonly pullRequests: { readonly forge: 'github' | 'gitlab' | 'gitea'; readonly repository: string };
    };

/** As {@link followedWords}, or `commit 3f29c1a0b7d4`, or `open pull requests of shop/web`. */
export function chosenWords(chosen: Chosen): string {
  if ('pullRequests' in chosen) return `open pull requests of ${chosen.pullRequests.repository}`;
  return 'commit' in chosen ? `commit ${chosen.commit.slice(0, SHORT_ID)}` : followedWords(chosen);
}

const SHORT_ID = 12;

/** As people say it: `branch main`, `tag v1.2.3`, `tags in ^1.2`. */
export function followedWords(followed: Followed): string {
  if ('branch' in followed) return `branch ${followed.branch}`;
  return 'tag' in followed ? `tag ${followed.tag}` : `tags in ${JSON.stringify(followed.semver)}`;
}

/** Whether a range has to be looked for among all tags. */
export function isRange(followed: Followed): followed is { readonly semver: string } {
  return 'semver' in followed;
}

/**
 * The full name of the ref that is followed now; undefined where no tag fits. `tags`: names without `refs/tags/`. Of two
 * tags for one version (`v1.2.3` and `1.2.3`, or other text behind a `+`) the first by name is taken.
 */
export function followedRef(followed: Followed, tags: Iterable<string>): string | undefined {
  if ('branch' in followed) return `refs/heads/${followed.branch}`;
  if ('tag' in followed) return `refs/tags/${followed.tag}`;
  const fits = parseRange(followed.semver);
  if (!fits) return undefined;
  let best: { readonly name: string; readonly version: Version } | undefined;
  for (const name of tags) {
    const version = parseVersion(name);
    if (!version || !fits(version)) continue;
    const order = best ? compareVersions(version, best.version) : 1;
    if (order > 0 || (order === 0 && best && name < best.name)) best = { name, version };
  }
  return best && `refs/tags/${best.name}`;
}

const TAG = 'refs/tags/';

/** The tag that a ref is; undefined for a branch. */
export function tagOf(ref: string): string | undefined {
  return ref.startsWith(TAG) ? ref.slice(TAG.length) : undefined;
}
