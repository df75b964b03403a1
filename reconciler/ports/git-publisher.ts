/**
 * Writing into a repository what became of its commits: refs of ours, of small trees, moved by compare-and-swap. Never
 * the branch that is followed. Adapters: Git (a repository of this machine, HTTPS, SSH), memory.
 */
import type { Revision } from './git-source.ts';

/** What a ref is at. */
export interface Published {
  readonly revision: Revision;
  /** Blob ids by path. */
  readonly files: ReadonlyMap<string, string>;
  /**
   * Contents of one of its files. Good until the ref is read again. Throws TerminalError `BlobTooLarge` over `maxBytes`.
   */
  content(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** One commit on top of what was read. */
export interface RefChange {
  /** Full name. */
  readonly ref: string;
  /** What {@link GitPublisher.read} gave; undefined where the ref must not be there. */
  readonly onto: Published | undefined;
  /** Contents by path; what is not named stays as it is. */
  readonly put: ReadonlyMap<string, Uint8Array>;
  readonly remove: ReadonlySet<string>;
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly at: Date;
}

/** `same`: the files are as they are to be, and nothing was written. `moved`: somebody was faster; read, and decide anew. */
export type RefChanged = { readonly commit: string } | 'same' | 'moved';

export interface GitPublisher {
  /** Without credentials. */
  readonly url: string;
  /**
   * Undefined where there is no such ref. Throws what reading a source throws: RetryableError `GitUnreachable`, TerminalError
   * `GitAccessDenied`, `RepositoryTooLarge` and the like.
   */
  read(ref: string, signal: AbortSignal): Promise<Published | undefined>;
  /**
   * Moves the ref from what was read to a commit with the change, or not at all. Throws TerminalError `PushRejected` with the
   * remote's words, `GitAccessDenied`, and `TreeInvalid` where what is there cannot be written again as it is;
   * RetryableError `GitUnreachable`, after which the ref may have moved.
   */
  commit(change: RefChange, signal: AbortSignal): Promise<RefChanged>;
  close(): Promise<void>;
}
