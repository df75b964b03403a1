/** Remembers parsed files, so that a new revision parses only the blobs that changed. */
import type { ParsedFile } from './types.ts';

export class ManifestCache {
  readonly #files = new Map<string, ParsedFile>();

  get size(): number {
    return this.#files.size;
  }

  /** The parse of this blob at this path, if it is remembered. Positions and origins carry the path, so a moved file is parsed again. */
  get(path: string, oid: string): ParsedFile | undefined {
    return this.#files.get(cacheKey(path, oid));
  }

  set(file: ParsedFile): void {
    this.#files.set(cacheKey(file.path, file.oid), file);
  }

  /** Forgets everything but the files of a revision. */
  prune(keep: Iterable<{ readonly path: string; readonly oid: string }>): void {
    const wanted = new Set<string>();
    for (const { path, oid } of keep) wanted.add(cacheKey(path, oid));
    for (const key of this.#files.keys()) if (!wanted.has(key)) this.#files.delete(key);
  }
}

/** Paths hold no NUL: selectManifestFiles refuses them. */
function cacheKey(path: string, oid: string): string {
  return `${oid}\u0000${path}`;
}
