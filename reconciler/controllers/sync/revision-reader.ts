/** Rendered revisions, kept for as long as they are the applied or the newest one. */
import { ManifestCache, type DesiredState, type Diagnostic } from '../../core/manifests/index.ts';
import { PlumbError } from '../../core/errors.ts';
import { renderFiles } from '../../core/revisions/render.ts';
import { gitFileReader } from '../../ports/git-file-reader.ts';
import type { GitSource, TreeFile } from '../../ports/git-source.ts';

export interface RenderedRevision {
  readonly sha: string;
  readonly state: DesiredState;
  readonly diagnostics: readonly Diagnostic[];
  readonly files: readonly TreeFile[];
}

/** Codes of a commit that can never be rendered; the Git adapter throws them. */
const UNREADABLE: ReadonlySet<string> = new Set(['TreeTooLarge', 'ObjectMissing']);
const KEPT = 3;

export class RevisionReader {
  readonly #git: GitSource;
  readonly #files = new ManifestCache();
  readonly #rendered = new Map<string, RenderedRevision>();

  constructor(git: GitSource) {
    this.#git = git;
  }

  /** Renders a commit. A tree that cannot be read comes back as an error diagnostic; an unreachable repository is thrown. */
  async read(sha: string, signal: AbortSignal): Promise<RenderedRevision> {
    const known = this.#rendered.get(sha);
    if (known) return known;
    let rendered: RenderedRevision;
    try {
      const files = await this.#git.files(sha, signal);
      const keep = [...this.#rendered.values()].flatMap((r) => r.files);
      rendered = { sha, files, ...(await renderFiles(files, gitFileReader(this.#git, signal), this.#files, keep)) };
    } catch (error) {
      if (!(error instanceof PlumbError) || !UNREADABLE.has(error.code)) throw error;
      rendered = { sha, files: [], state: new Map(), diagnostics: [{ severity: 'error', code: error.code, file: '.', line: 1, column: 1, message: error.message }] };
    }
    this.#rendered.set(sha, rendered);
    for (const old of this.#rendered.keys()) {
      if (this.#rendered.size <= KEPT) break;
      this.#rendered.delete(old);
    }
    return rendered;
  }

  /** The state of the revision that was applied; empty where Git no longer has it (a force-push, then `git gc`). */
  async applied(sha: string | undefined, signal: AbortSignal): Promise<DesiredState> {
    if (sha === undefined) return new Map();
    try {
      return (await this.read(sha, signal)).state;
    } catch (error) {
      if (error instanceof PlumbError && error.code === 'RevisionNotFound') return new Map();
      throw error;
    }
  }
}
