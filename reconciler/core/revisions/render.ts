/** A revision's files to desired state. Reading is passed in, so that the run, the push hook and the offline commands render the same way. */
import {
  composeState, fileTooLarge, type ManifestCache, MAX_FILE_BYTES, parseManifest, selectManifestFiles, type Diagnostic, type ParsedFile, type Rendering, type TreeFile,
} from '../manifests/index.ts';

/** The contents of a file, or `too-large` where it has more than {@link MAX_FILE_BYTES}; that is found without reading it. */
export type FileReader = (file: TreeFile, maxBytes: number) => Promise<Uint8Array | 'too-large'>;

/** Files read at the same time. */
const CONCURRENCY = 16;

/**
 * Renders one revision. Only files whose path and blob id the cache lacks are read and parsed; the cache is left with this revision's files
 * and those of `keep`. Rejects only when the reader does.
 */
export async function renderFiles(files: readonly TreeFile[], read: FileReader, cache: ManifestCache, keep: readonly TreeFile[] = []): Promise<Rendering> {
  const { manifests, diagnostics } = selectManifestFiles(files);
  const parsed = new Map<TreeFile, ParsedFile>();
  const refused: Diagnostic[] = [];
  const queue = manifests.values();
  async function work(): Promise<void> {
    for (const file of queue) {
      const known = cache.get(file.path, file.oid);
      if (known) {
        parsed.set(file, known);
        continue;
      }
      const bytes = await read(file, MAX_FILE_BYTES);
      if (bytes === 'too-large') {
        refused.push(fileTooLarge(file.path));
        continue;
      }
      const result = parseManifest(file.path, file.oid, bytes);
      cache.set(result);
      parsed.set(file, result);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  cache.prune([...manifests, ...keep]);
  return composeState(manifests.flatMap((file) => parsed.get(file) ?? []), [...diagnostics, ...refused]);
}
