/** Refs of a repository in this process. Several publishers may share one. */
import { createHash } from 'node:crypto';
import { TerminalError } from '../../core/errors.ts';
import { blobId } from '../../core/sources/blob-id.ts';
import type { GitPublisher, Published, RefChange, RefChanged } from '../../ports/git-publisher.ts';
import type { Revision } from '../../ports/git-source.ts';

interface Commit {
  readonly revision: Revision;
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

export class MemoryRefs {
  readonly #refs = new Map<string, Commit>();
  /** Thrown by every write, while it is set. */
  refusal: Error | undefined;

  at(ref: string): Commit | undefined {
    return this.#refs.get(ref);
  }

  move(ref: string, from: string | undefined, to: Commit): boolean {
    if (this.refusal) throw this.refusal;
    if (this.at(ref)?.revision.sha !== from) return false;
    this.#refs.set(ref, to);
    return true;
  }
}

export class MemoryGitPublisher implements GitPublisher {
  readonly url = 'memory:';
  readonly #refs: MemoryRefs;

  constructor(refs: MemoryRefs) {
    this.#refs = refs;
  }

  async read(ref: string, signal: AbortSignal): Promise<Published | undefined> {
    signal.throwIfAborted();
    const found = this.#refs.at(ref);
    if (!found) return undefined;
    const { revision, contents } = found;
    return {
      revision,
      files: new Map([...contents].map(([path, bytes]) => [path, blobId(bytes)])),
      content: async (path, maxBytes) => {
        const bytes = contents.get(path) ?? new Uint8Array();
        if (bytes.length > maxBytes)
          throw new TerminalError('BlobTooLarge', `${path} of ${ref} has ${bytes.length} bytes, more than ${maxBytes}`);
        return bytes;
      },
    };
  }

  async commit({ ref, onto, put, remove, message, author, at }: RefChange, signal: AbortSignal): Promise<RefChanged> {
    signal.throwIfAborted();
    const parent = onto?.revision.sha;
    const before = this.#refs.at(ref);
    if (before?.revision.sha !== parent) return 'moved';
    const contents = new Map(before?.contents);
    for (const path of remove) contents.delete(path);
    for (const [path, bytes] of put) contents.set(path, bytes);
    const tree = digest([...contents].map(([path, bytes]) => `${path} ${blobId(bytes)}`).sort());
    if (before?.revision.tree === tree) return 'same';
    const committedAt = at.toISOString();
    const sha = digest([tree, parent ?? '', message, author.name, committedAt]);
    const revision = { sha, tree, parents: parent === undefined ? [] : [parent], message, author, committedAt };
    return this.#refs.move(ref, parent, { revision, contents }) ? { commit: sha } : 'moved';
  }

  async close(): Promise<void> {}
}

function digest(parts: readonly string[]): string {
  return createHash('sha1').update(JSON.stringify(parts)).digest('hex');
}
