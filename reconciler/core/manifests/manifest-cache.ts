/** Remembers parsed files, so that a new revision parses only the blobs that changed. */
import type { ParsedFile } from './types.ts';

export class ManifestCache {
  /** By blob id, then by path. */
  readonly #files = new Map<string, Map<string, ParsedFile>>();

  get size(): number {
    let files = 0;
    for (const paths of this.#files.values()) files += paths.size;
    return files;
  }

  /** The parse of this blob at this path, if it is remembered. */
  get(path: string, oid: string): ParsedFile | undefined {
    return this.#files.get(oid)?.get(path);
  }

  /** The parse of this blob at any path. Its positions carry that path. */
  sameContents(oid: string): ParsedFile | undefined {
    return this.#files.get(oid)?.values().next().value;
  }

  set(file: ParsedFile): void {
    const paths = this.#files.get(file.oid);
    if (paths) paths.set(file.path, file);
    else this.#files.set(file.oid, new Map([[file.path, file]]));
  }

  /** Forgets everything but the files of a revision. */
  prune(keep: Iterable<{ readonly path: string; readonly oid: string }>): void {
    const wanted = new Map<string, Set<string>>();
    for (const { path, oid } of keep) wanted.set(oid, (wanted.get(oid) ?? new Set()).add(path));
    for (const [oid, paths] of this.#files) {
      for (const path of paths.keys()) if (!wanted.get(oid)?.has(path)) paths.delete(path);
      if (paths.size === 0) this.#files.delete(oid);
    }
  }
}
