/**
 * Other repositories that Apps are of, as one command reads them without a control plane: what one on this machine has
 * fetched, else fetched for this command and removed with it. Each is at one commit for all that the command renders.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorText } from '../contracts/errors.ts';
import { openFetched, otherRepositories } from '../reconciler/adapters/git/index.ts';
import { keptListing, LISTINGS_FOLDER } from '../reconciler/adapters/forges/index.ts';
import { SystemClock } from '../reconciler/adapters/system/clock.ts';
import {
  OWN_AUTH,
  UNOPENED_AUTH,
  type AppSources,
  type SourceAnswer,
  type WantedSource,
} from '../reconciler/core/apps/other-sources.ts';
import { listingFiles } from '../reconciler/core/apps/pull-requests.ts';
import type { Diagnostic, Rendering } from '../reconciler/core/manifests/index.ts';
import { chosenWords } from '../reconciler/core/sources/follow.ts';
import { gitFileReader } from '../reconciler/ports/git-file-reader.ts';
import { PlumbError } from '../reconciler/core/errors.ts';
import type { OtherRepository } from '../reconciler/ports/other-repositories.ts';
import { homeFolder } from './home.ts';

/** As many as a control plane has. */
const MAX_SOURCES = 32;
/** For each, in milliseconds: a push waits for it. */
const FETCH_LIMIT_MS = 30_000;

interface Asked {
  readonly wanted: WantedSource;
  readonly answer: Promise<SourceAnswer>;
}

export class CommandSources implements AppSources {
  readonly #signal: AbortSignal;
  readonly #home: string;
  readonly #clock = new SystemClock();
  readonly #asked = new Map<string, Asked>();
  readonly #open: Pick<OtherRepository, 'close'>[] = [];
  #folder: Promise<string> | undefined;

  /** `home`: of the control plane on this machine, if there is one; where it is to be found when absent. */
  constructor(signal: AbortSignal, home?: string) {
    this.#signal = signal;
    this.#home = homeFolder(home);
  }

  async open(wanted: WantedSource): Promise<SourceAnswer> {
    // Two revisions may have two commits of a submodule.
    const { id } =
      wanted.isPart && 'commit' in wanted.follows ? { id: `${wanted.id}-${wanted.follows.commit}` } : wanted;
    const known = this.#asked.get(id);
    if (known && (isSameAuth(known.wanted, wanted) || (await known.answer).ok)) return known.answer;
    const asked = { wanted, answer: this.#answer(wanted, id) };
    this.#asked.set(id, asked);
    return asked.answer;
  }

  async close(): Promise<void> {
    for (const { answer } of this.#asked.values()) await answer;
    for (const git of this.#open) await git.close();
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }

  /** `folder`: where it is fetched to. */
  async #answer(wanted: WantedSource, folder: string): Promise<SourceAnswer> {
    const { url, follows, auth } = wanted;
    if ('pullRequests' in follows) return this.#listing(wanted);
    const fetched = await this.#fetchedBefore(wanted);
    if (fetched) return fetched;
    if (this.#asked.size > MAX_SOURCES)
      return { ok: false, message: `there are more than ${MAX_SOURCES} other repositories` };
    if (auth === UNOPENED_AUTH)
      return {
        ok: false,
        message: `its Secret for ${url} is encrypted, and no control plane that could open it has fetched that to ${this.#home}`,
      };
    if (auth === OWN_AUTH && !url.startsWith('http'))
      return {
        ok: false,
        message: `a command has no login for it, and no control plane has fetched it to ${this.#home}`,
      };
    try {
      this.#folder ??= mkdtemp(join(tmpdir(), 'plumbline-sources-'));
      const git = await otherRepositories(await this.#folder).open({ ...wanted, id: folder });
      this.#open.push(git);
      using limit = this.#clock.deadline(FETCH_LIMIT_MS, this.#signal);
      const commit = 'commit' in follows ? follows.commit : await git.newest(limit.signal);
      if (commit === undefined) return { ok: false, message: `${url} has no ${chosenWords(follows)}` };
      if ('commit' in follows) await git.bring(commit, limit.signal);
      return await this.#at(git, commit);
    } catch (error) {
      this.#signal.throwIfAborted();
      const isLate = error instanceof DOMException && error.name === 'TimeoutError';
      const isGone = error instanceof PlumbError && error.code === 'RevisionNotFound';
      if (wanted.isPart && isGone) return { ok: false, message: 'it has no such commit' };
      return {
        ok: false,
        message: isLate ? `${url} was not fetched within ${FETCH_LIMIT_MS / 1000} s` : `${url}: ${errorText(error)}`,
      };
    }
  }

  /** What a control plane on this machine saw last. A command asks no forge: what it says would not be what is in force. */
  async #listing({ id, follows }: WantedSource): Promise<SourceAnswer> {
    const kept = await keptListing(join(this.#home, LISTINGS_FOLDER), id);
    if (!kept)
      return {
        ok: false,
        message: `${chosenWords(follows)} are known to the control plane alone, and none has kept them in ${this.#home}`,
      };
    return {
      ok: true,
      commit: kept.id,
      files: listingFiles(kept.id),
      read: () => Promise.resolve(Buffer.from(kept.text)),
    };
  }

  /** Undefined where there is none, or it cannot be read: it is another process's, which may change it meanwhile. */
  async #fetchedBefore(wanted: WantedSource): Promise<SourceAnswer | undefined> {
    try {
      const { git, commit } = await openFetched(join(this.#home, 'sources'), wanted, this.#signal);
      this.#open.push(git);
      return await this.#at(git, commit);
    } catch {
      this.#signal.throwIfAborted();
      return undefined;
    }
  }

  async #at(git: Pick<OtherRepository, 'files' | 'blob'>, commit: string): Promise<SourceAnswer> {
    const files = await git.files(commit, this.#signal);
    return { ok: true, commit, files, read: gitFileReader(git, this.#signal) };
  }
}

function isSameAuth({ auth: before }: WantedSource, { auth }: WantedSource): boolean {
  return before === auth || (before !== undefined && auth?.equals(before) === true);
}

/** What to say where a plan starts from a revision of which a submodule cannot be had. */
export function unreadBefore({ diagnostics }: Pick<Rendering, 'diagnostics'>): string | undefined {
  const unread = diagnostics.find(({ code }) => code === 'SubmoduleUnread');
  return unread && `warning: the plan may show as new what runs already: before, ${unread.message}`;
}

/** Without those that Apps name; submodules are the commit's own. */
function withoutSources(sources: AppSources): AppSources {
  return {
    open: (wanted) =>
      wanted.isPart
        ? sources.open(wanted)
        : Promise.resolve({ ok: false, message: `what is at ${wanted.url} does not validate` }),
  };
}

/**
 * As the control plane does: what is wrong with another repository is told, and keeps its own Apps from being changed,
 * but not the commit from being applied. `render` with the sources it is given.
 */
export async function holdingSources(
  render: (sources: AppSources) => Promise<Rendering>,
  sources: AppSources,
): Promise<Rendering> {
  const all = await render(sources);
  const wrong = all.diagnostics.filter(({ severity }) => severity === 'error');
  if (wrong.length === 0 || !all.sources) return all;
  const held = await render(withoutSources(sources));
  if (held.diagnostics.some(({ severity }) => severity === 'error')) return all;
  const told = wrong.map((one): Diagnostic => ({ ...one, severity: 'warning' }));
  return { ...held, diagnostics: [...held.diagnostics, ...told] };
}
