/** Rendered revisions: the applied one, and those that were asked for last. */
import {
  ManifestCache,
  NOTHING_DESIRED,
  type Desired,
  type Diagnostic,
  type Rendering,
} from '../../core/manifests/index.ts';
import { type ErrorCode, PlumbError, RetryableError } from '../../core/errors.ts';
import type { Paced } from '../../core/paced.ts';
import type { Envelope } from '../../core/secrets/envelope.ts';
import { ConfigHashes } from '../../core/revisions/config-hashes.ts';
import { lacksKeys } from '../../core/revisions/parse-sealed.ts';
import { renderFiles } from '../../core/revisions/render.ts';
import { withRenderedBranchJudged } from '../../core/revisions/rendered-branch.ts';
import { gitFileReader } from '../../ports/git-file-reader.ts';
import type { GitSource, TreeFile } from '../../ports/git-source.ts';
import type { RenderEngines } from '../../ports/render-engines.ts';
import type { SecretDecryptor } from '../../ports/secret-decryptor.ts';
import type { SourcePin } from '../../../contracts/objects/index.ts';
import { NEWEST, pinned, type OtherSources, type SourcePolicy } from './other-sources.ts';
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
/** Renderings of one commit with other commits of its sources. */
const KEPT_WITH_SOURCES = 3;

export interface ReaderOptions {
  /** What hashes of ConfigMaps and Secrets are made with; without it templates have none. */
  readonly configKey?: Uint8Array;
  /** Opens what is encrypted; without it ciphertext stands for that. */
  readonly decryptor?: SecretDecryptor;
  /** What Apps are rendered with; without them each App that needs an engine is an error. */
  readonly engines?: RenderEngines;
  /** Other repositories; Apps of such are left out where nobody has any. */
  readonly otherSources?: Pick<OtherSources, 'reading' | 'newest'>;
}

export class RevisionReader {
  readonly #git: GitSource;
  readonly #files = new ManifestCache();
  /** The one that was asked for longest ago stands first. */
  readonly #rendered = new Map<string, RenderedRevision[]>();
  readonly #hashes: ConfigHashes | undefined;
  readonly #decryptor: SecretDecryptor | undefined;
  readonly #engines: RenderEngines | undefined;
  readonly #others: ReaderOptions['otherSources'];
  #applied: string | undefined;

  constructor(git: GitSource, { configKey, decryptor, engines, otherSources }: ReaderOptions = {}) {
    this.#git = git;
    this.#decryptor = decryptor;
    this.#hashes = configKey && new ConfigHashes(configKey);
    this.#engines = engines;
    this.#others = otherSources;
  }

  /**
   * Renders a commit. What it is that cannot be rendered comes back as an error diagnostic, and is remembered; what may
   * be otherwise the next time (a repository that does not answer, a missing or damaged object, RetryableError
   * `SubmoduleUnavailable`) is thrown. `policy`: with
   * which commits of other repositories; one of them that cannot be read is told in `sources`.
   */
  async read(sha: string, signal: AbortSignal, policy: SourcePolicy = NEWEST): Promise<RenderedRevision> {
    const before = this.#rendered.get(sha) ?? [];
    const known = before.find((one) => this.#isOf(one, policy));
    const rendered = known ?? (await this.#render(sha, signal, policy));
    // A key that is missing, or a repository, may be there the next time.
    if (lacksKeys(rendered) || rendered.sources?.some(({ problem }) => problem !== undefined)) return rendered;
    this.#rendered.delete(sha);
    this.#rendered.set(sha, [rendered, ...before.filter((one) => one !== rendered)].slice(0, KEPT_WITH_SOURCES));
    for (const old of [...this.#rendered.keys()].filter((known) => known !== this.#applied)) {
      if (this.#rendered.size <= KEPT) break;
      this.#rendered.delete(old);
    }
    return rendered;
  }

  /**
   * The state of the revision that was applied, which stays remembered; empty where Git no longer has it (a force-push,
   * then `git gc`). `pins`: its other repositories.
   */
  async applied(
    sha: string | undefined,
    signal: AbortSignal,
    pins?: readonly SourcePin[],
  ): Promise<Desired & Pick<Rendering, 'sources'>> {
    this.#applied = sha;
    if (sha === undefined) return NOTHING_DESIRED;
    try {
      return await this.read(sha, signal, pinned(pins));
    } catch (error) {
      if (error instanceof PlumbError && GONE.has(error.code)) return NOTHING_DESIRED;
      throw error;
    }
  }

  /** Whether it is what the policy asks for now. */
  #isOf({ sources = [] }: RenderedRevision, policy: SourcePolicy): boolean {
    return sources.every(({ id, commit }) => {
      const choice = policy(id);
      return commit === (choice === 'newest' ? this.#others?.newest(id) : choice === 'none' ? undefined : choice);
    });
  }

  async #render(sha: string, signal: AbortSignal, policy: SourcePolicy): Promise<RenderedRevision> {
    try {
      const files = await this.#git.files(sha, signal);
      const keep = [...this.#rendered.values()].flat().flatMap((r) => [...r.files, ...(r.rendered ?? [])]);
      const read = gitFileReader(this.#git, signal);
      const run = <T>(work: Paced<T>): Promise<T> => inSlices(work, signal);
      const decryptor = this.#decryptor;
      const rendering = await renderFiles(files, read, this.#files, {
        keep,
        run,
        ...(decryptor && { open: (envelope: Envelope) => decryptor.open(envelope, signal) }),
        ...(this.#engines && { tools: this.#engines.tools(signal) }),
        ...(this.#others && { sources: this.#others.reading(policy, signal) }),
        origin: this.#git.url,
      });
      const unread = unreadSubmodules(rendering.diagnostics);
      if (unread !== undefined) throw new RetryableError('SubmoduleUnavailable', unread);
      const state = this.#hashes ? await run(this.#hashes.in(rendering.state)) : rendering.state;
      return withRenderedBranchJudged({ sha, files, ...rendering, state }, this.#git.follows);
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

/** Why the commit cannot be judged yet, where that is all there is against it. */
function unreadSubmodules(diagnostics: readonly Diagnostic[]): string | undefined {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const unread = errors.filter(({ code }) => code === 'SubmoduleUnread');
  const [first, ...more] = unread;
  if (!first || unread.length < errors.length) return undefined;
  const others = more.length > 0 ? `; so are ${more.length} more places` : '';
  return `${first.message}; ${first.hint ?? ''}${others}`;
}
