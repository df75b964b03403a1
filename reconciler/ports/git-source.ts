/**
 * A Git repository as the source of desired state. Adapters: local bare repository, HTTPS, SSH; isomorphic-git or a
 * native `git`.
 */
import type { Followed } from '../core/sources/follow.ts';

export interface Revision {
  /** Commit id, 40 hex digits. */
  readonly sha: string;
  readonly parents: readonly string[];
  readonly tree: string;
  readonly author: { readonly name: string; readonly email: string };
  /** RFC 3339, the committer's time. */
  readonly committedAt: string;
  readonly message: string;
}

export interface TreeFile {
  /** Path from the repository's root, `/` separated. */
  readonly path: string;
  /** Blob id: equal ids are equal contents. */
  readonly oid: string;
  /** Git's mode: 100644, 100755, 120000 (symlink), 160000 (submodule). */
  readonly mode: string;
}

/**
 * What the branch or tag that is followed points at. `unborn`: the repository has no commit yet. `missing`: it has, and
 * not that branch, or no tag that fits.
 */
export type BranchHead =
  | {
      readonly state: 'at';
      readonly revision: Revision;
      /** The tag that it was found by. */
      readonly tag?: string;
    }
  | { readonly state: 'unborn' }
  | { readonly state: 'missing' };

/** How it was noticed that a branch may have moved. */
export type HintCause = 'hook' | 'poll' | 'webhook';

export interface GitSource {
  readonly url: string;
  readonly follows: Followed;
  /** Looks at the remote now. Throws RetryableError `GitUnreachable` when it does not answer. */
  head(signal: AbortSignal): Promise<BranchHead>;
  /**
   * Throws TerminalError `RevisionNotFound` for an id (or unambiguous prefix, branch, tag, HEAD~N) that the repository
   * lacks.
   */
  resolve(rev: string, signal: AbortSignal): Promise<Revision>;
  /** All files of a commit, sorted by path. Subtrees whose id was read before are not read again. */
  files(sha: string, signal: AbortSignal): Promise<readonly TreeFile[]>;
  /**
   * Contents of a blob. Throws TerminalError `BlobTooLarge` over `maxBytes`, without holding it in memory where the
   * engine can tell its size.
   */
  blob(oid: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Newest first, from `sha`, at most `limit`, first parents. */
  log(sha: string, limit: number, signal: AbortSignal): Promise<readonly Revision[]>;
  /**
   * Yields whenever the branch may have moved (hook, file watch, webhook, poll every `pollSeconds`). Only a hint: call
   * {@link head}. Ends on abort.
   */
  hints(pollSeconds: number, signal: AbortSignal): AsyncIterable<HintCause>;
  /**
   * Makes a commit on top of the branch whose tree is that of `restore`, and pushes it through the repository's own
   * hooks. Throws TerminalError `PushRejected` with the remote's words, or where no branch is followed.
   */
  commitTree(
    change: {
      readonly restore: string;
      readonly message: string;
      readonly author: { readonly name: string; readonly email: string };
    },
    signal: AbortSignal,
  ): Promise<Revision>;
  close(): Promise<void>;
}
