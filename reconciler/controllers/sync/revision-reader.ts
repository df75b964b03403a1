/** Rendered revisions: the applied one, and those that were asked for last. */
import { ManifestCache, NOTHING_DESIRED, type Desired, type Rendering } from '../../core/manifests/index.ts';
import { type ErrorCode, PlumbError } from '../../core/errors.ts';
import type { Paced } from '../../core/paced.ts';
import { ConfigHashes } from '../../core/revisions/config-hashes.ts';
import { renderFiles } from '../../core/revisions/render.ts';
import { gitFileReader } from '../../ports/git-file-reader.ts';
import type { GitSource, TreeFile } from '../../ports/git-source.ts';
import { inSlices } from '../runtime/slices.ts';

export interface RenderedRevision extends Rendering {
  readonly sha: string;
  readonly files: readonly TreeFile[];
}

/**
 * Codes for what a commit is, whoever reads it and when. Only these are remembered: damage and absence may be repaired.
 */
const REFUSED: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TreeTooLarge', 'TreeInvalid']);
/** Codes of a commit that Git has no longer, or not whole. */
const GONE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['RevisionNotFound', 'ObjectMissing']);
const KEPT = 3;

export class RevisionReader {
  readonly #git: GitSource;
  readonly #files = new ManifestCache();
  /** The one that was asked for longest ago stands first. */
  readonly #rendered = new Map<string, RenderedRevision>();
  readonly #hashes: ConfigHashes | undefined;
  #applied: string | undefined;

  /** `configKey`: what hashes of ConfigMaps and Secrets are made with; without it templates have none. */
  constructor(git: GitSource, configKey?: Uint8Array) {
    this.#git = git;
    this.#hashes = configKey && new ConfigHashes(configKey);
  }

  /**
   * Renders a commit. What it is that cannot be rendered comes back as an error diagnostic, and is remembered; what may
   * be otherwise the next time (a repository that does not answer, a missing or damaged object) is thrown.
   */
  async read(sha: string, signal: AbortSignal): Promise<RenderedRevision> {
    const rendered = this.#rendered.get(sha) ?? (await this.#render(sha, signal));
    this.#rendered.delete(sha);
    this.#rendered.set(sha, rendered);
    for (const old of [...this.#rendered.keys()].filter((known) => known !== this.#applied)) {
      if (this.#rendered.size <= KEPT) break;
      this.#rendered.delete(old);
    }
    return rendered;
  }

  /**
   * The state of the revision that was applied, which stays remembered; empty where Git no longer has it (a force-push,
   * then `git gc`).
   */
  async applied(sha: string | undefined, signal: AbortSignal): Promise<Desired> {
    this.#applied = sha;
    if (sha === undefined) return NOTHING_DESIRED;
    try {
      return await this.read(sha, signal);
    } catch (error) {
      if (error instanceof PlumbError && GONE.has(error.code)) return NOTHING_DESIRED;
      throw error;
    }
  }

  async #render(sha: string, signal: AbortSignal): Promise<RenderedRevision> {
    try {
      const files = await this.#git.files(sha, signal);
      const keep = [...this.#rendered.values()].flatMap((r) => r.files);
      const read = gitFileReader(this.#git, signal);
      const run = <T>(work: Paced<T>): Promise<T> => inSlices(work, signal);
      const rendering = await renderFiles(files, read, this.#files, keep, run);
      const state = this.#hashes ? await run(this.#hashes.in(rendering.state)) : rendering.state;
      return { sha, files, ...rendering, state };
    } catch (error) {
      if (!(error instanceof PlumbError) || !REFUSED.has(error.code)) throw error;
      return {
        sha,
        files: [],
        ...NOTHING_DESIRED,
        diagnostics: [{ severity: 'error', code: error.code, file: '.', line: 1, column: 1, message: error.message }],
      };
    }
  }
}
