/**
 * The other repositories that Apps are rendered from: each opened once, looked at by hints and the clock, and by no more
 * than a few looks a second at one host. Which of its commits a rendering gets is said by whoever renders.
 */
import { errorText } from '../../../contracts/errors.ts';
import { joinSignals, unlessAborted } from '../../../contracts/signals.ts';
import type { SourcePin } from '../../../contracts/objects/index.ts';
import { UNOPENED_AUTH, type AppSources, type SourceAnswer, type WantedSource } from '../../core/apps/other-sources.ts';
import { PlumbError } from '../../core/errors.ts';
import { Rate } from '../../core/rate.ts';
import { chosenWords } from '../../core/sources/follow.ts';
import type { Clock } from '../../ports/clock.ts';
import { gitFileReader } from '../../ports/git-file-reader.ts';
import type { OtherRepositories, OtherRepository } from '../../ports/other-repositories.ts';

/** Of one control plane, of those that are followed. */
const MAX_SOURCES = 32;
/** Of those that are read at one commit, as submodules are: nobody looks at them again. With the others fewer than a node's claim may have. */
const MAX_COMMITS = 200;
/** Looks at one host: so many at once, and so many a second after them. */
const [HOST_BURST, HOST_PER_SECOND] = [10, 2];
const WAIT_FOR_TURN_MS = 250;
/** A first fetch over a slow line is the longest look there is. */
const LOOK_LIMIT_MS = 5 * 60_000;
const DEFAULT_POLL_SECONDS = 30;

/** Which commit of a source a rendering gets: the id of one, `newest`, or `none`: then its Apps are left out. */
export type SourcePolicy = (id: string) => string;
export const NEWEST: SourcePolicy = () => 'newest';

/** The commits that were in force, and none where there was none. */
export function pinned(pins: readonly SourcePin[] | undefined): SourcePolicy {
  const known = new Map((pins ?? []).map(({ id, commit }) => [id, commit ?? 'none']));
  return (id) => known.get(id) ?? 'newest';
}

interface Opened {
  readonly wanted: WantedSource;
  readonly git: OtherRepository;
  readonly closing: AbortController;
  watching: Promise<void>;
  /** The first look; later ones change `head` and `problem`. */
  looked: Promise<void>;
  head: string | undefined;
  problem: string | undefined;
  /** Of a source of one commit: which one a rendering with the newest wants. */
  asked: string | undefined;
}

export interface OtherSourcesOptions {
  readonly repositories: OtherRepositories;
  /** Listings of pull requests, each read as a commit with one file; nobody asks for any when absent. */
  readonly listings?: OtherRepositories;
  readonly clock: Clock;
}

export class OtherSources {
  readonly #repositories: OtherRepositories;
  readonly #listings: OtherRepositories | undefined;
  readonly #clock: Clock;
  readonly #open = new Map<string, Promise<Opened>>();
  readonly #opened = new Map<string, Opened>();
  /** Ids of those that are read at one commit. */
  readonly #commits = new Set<string>();
  readonly #hosts = new Map<string, Rate>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #pollSeconds = DEFAULT_POLL_SECONDS;

  constructor({ repositories, listings, clock }: OtherSourcesOptions) {
    this.#repositories = repositories;
    this.#listings = listings;
    this.#clock = clock;
  }

  /** Of sources that are opened from now on. */
  set pollSeconds(seconds: number) {
    this.#pollSeconds = seconds;
  }

  /** Called when another commit of one of them is there, or one can be read again. */
  onMoved(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The newest commit that was seen, by a source's id. */
  newest(id: string): string | undefined {
    return this.#opened.get(id)?.head;
  }

  /** Why it cannot be looked at now. */
  problem(id: string): string | undefined {
    return this.#opened.get(id)?.problem;
  }

  /** What a rendering reads. Its answers last as long as `signal`. */
  reading(policy: SourcePolicy, signal: AbortSignal): AppSources {
    return {
      open: (wanted) => (wanted.isPart ? this.#part(wanted, signal) : this.#answer(wanted, policy(wanted.id), signal)),
    };
  }

  /** Closes all others, and removes what was fetched of them. `submodules`: ids of such as are in force. */
  async keepOnly(pins: readonly SourcePin[], submodules: Iterable<string> = []): Promise<void> {
    const ids = new Set([...pins.map(({ id }) => id), ...submodules]);
    for (const id of [...this.#open.keys()]) if (!ids.has(id)) await this.#closeOne(id);
    const hosts = new Set([...this.#opened.values()].map(({ git }) => hostOf(git.url)));
    for (const host of this.#hosts.keys()) if (!hosts.has(host)) this.#hosts.delete(host);
    const kept = new Map<string, string | undefined>([...ids, ...this.#open.keys()].map((id) => [id, undefined]));
    for (const { id, commit } of pins) kept.set(id, commit);
    await this.#repositories.forgetAllBut(kept);
    await this.#listings?.forgetAllBut(kept);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the control plane is stopping'));
    for (const id of [...this.#open.keys()]) await this.#closeOne(id);
  }

  async #answer(wanted: WantedSource, choice: string, signal: AbortSignal): Promise<SourceAnswer> {
    const { url, follows, auth } = wanted;
    if (choice === 'none') return { ok: false, message: `${url} could not be read yet` };
    if (auth === UNOPENED_AUTH) return { ok: false, message: `its Secret for ${url} cannot be opened here` };
    try {
      const opened = await unlessAborted(signal, this.#ensure(wanted));
      if (!opened) return { ok: false, message: tooMany(wanted) };
      const commit = choice === 'newest' ? await this.#newestOf(opened, wanted, signal) : choice;
      if (commit === undefined)
        return { ok: false, message: opened.problem ?? `${url} has no ${chosenWords(follows)}` };
      const { git } = opened;
      const files = await git.files(commit, signal).catch(async (error: unknown) => {
        // A mirror that was made anew has not what it had.
        if (!(error instanceof PlumbError) || error.code !== 'RevisionNotFound') throw error;
        await git.bring(commit, signal);
        return git.files(commit, signal);
      });
      return { ok: true, commit, files, read: gitFileReader(git, signal) };
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, message: `${url}: ${errorText(error)}` };
    }
  }

  /** At the commit that its tree names: fetched where it is not there yet, and never looked at again. */
  async #part(wanted: WantedSource, signal: AbortSignal): Promise<SourceAnswer> {
    const { url, follows } = wanted;
    if (!('commit' in follows)) throw new Error(`${url} is read at no commit`);
    const { commit } = follows;
    try {
      const opened = await unlessAborted(signal, this.#ensure(wanted));
      if (!opened) return { ok: false, message: tooMany(wanted) };
      const { git } = opened;
      const files = await git.files(commit, signal).catch(async (error: unknown) => {
        if (!(error instanceof PlumbError) || error.code !== 'RevisionNotFound') throw error;
        await this.#turn(hostOf(git.url), signal);
        using limit = this.#clock.deadline(LOOK_LIMIT_MS, signal);
        await unlessAborted(limit.signal, git.bring(commit, limit.signal));
        return git.files(commit, signal);
      });
      return { ok: true, commit, files, read: gitFileReader(git, signal) };
    } catch (error) {
      signal.throwIfAborted();
      const isGone = error instanceof PlumbError && error.code === 'RevisionNotFound';
      return { ok: false, message: isGone ? 'it has no such commit' : errorText(error) };
    }
  }

  async #newestOf(opened: Opened, { follows }: WantedSource, signal: AbortSignal): Promise<string | undefined> {
    if (!('commit' in follows)) {
      await unlessAborted(signal, opened.looked);
      return opened.head;
    }
    const { commit } = follows;
    if (opened.asked !== commit) {
      opened.asked = commit;
      opened.looked = this.#look(opened);
    }
    await unlessAborted(signal, opened.looked);
    return opened.head === commit ? commit : undefined;
  }

  /** Opened anew where its Secret has changed; undefined where there are too many. */
  async #ensure(wanted: WantedSource): Promise<Opened | undefined> {
    const { id, auth, follows } = wanted;
    const known = this.#open.get(id);
    if (known) {
      const opened = await known;
      const before = opened.wanted.auth;
      if (before === auth || (before && auth && before.equals(auth))) return opened;
      await this.#closeOne(id);
    }
    const others = this.#open.get(id);
    if (others) return others;
    const isCommit = 'commit' in follows;
    const there = isCommit ? this.#commits.size : this.#open.size - this.#commits.size;
    if (there >= (isCommit ? MAX_COMMITS : MAX_SOURCES)) return undefined;
    if (isCommit) this.#commits.add(id);
    const opening = this.#start(wanted);
    this.#open.set(id, opening);
    try {
      return await opening;
    } catch (error) {
      this.#open.delete(id);
      this.#commits.delete(id);
      throw error;
    }
  }

  async #start(wanted: WantedSource): Promise<Opened> {
    const from = 'pullRequests' in wanted.follows ? this.#listings : this.#repositories;
    if (!from) throw new Error(`${chosenWords(wanted.follows)} are not asked for here`);
    const git = await from.open(wanted);
    const opened: Opened = {
      wanted,
      git,
      closing: new AbortController(),
      watching: Promise.resolve(),
      looked: Promise.resolve(),
      head: undefined,
      problem: undefined,
      asked: 'commit' in wanted.follows ? wanted.follows.commit : undefined,
    };
    this.#opened.set(wanted.id, opened);
    if (wanted.isPart) return opened;
    opened.looked = this.#look(opened);
    opened.watching = opened.looked.then(() => this.#watch(opened));
    return opened;
  }

  async #watch(opened: Opened): Promise<void> {
    using over = joinSignals(this.#closing.signal, opened.closing.signal);
    for await (const _cause of opened.git.hints(this.#pollSeconds, over.signal)) await this.#look(opened);
  }

  /** Never rejects: what keeps it from being read is its `problem`. */
  async #look(opened: Opened): Promise<void> {
    const { git, closing, head: before, problem, asked } = opened;
    if (asked !== undefined && asked === before) return;
    using over = joinSignals(this.#closing.signal, closing.signal);
    try {
      await this.#turn(hostOf(git.url), over.signal);
      using limit = this.#clock.deadline(LOOK_LIMIT_MS, over.signal);
      const looking = asked === undefined ? git.newest(limit.signal) : git.bring(asked, limit.signal).then(() => asked);
      const head = await unlessAborted(limit.signal, looking);
      if (opened.asked !== asked) return;
      if (head !== undefined) opened.head = head;
      opened.problem = head === undefined ? `${git.url} has no ${chosenWords(opened.wanted.follows)}` : undefined;
    } catch (error) {
      if (over.signal.aborted || opened.asked !== asked) return;
      opened.problem = errorText(error);
    }
    if (opened.head === before && opened.problem === problem) return;
    for (const listener of this.#listeners) listener();
  }

  /** Waits until the host may be asked once more. */
  async #turn(host: string, signal: AbortSignal): Promise<void> {
    const rate = this.#hosts.get(host) ?? new Rate(HOST_BURST, HOST_PER_SECOND, this.#clock.monotonic());
    this.#hosts.set(host, rate);
    while (!rate.take(this.#clock.monotonic())) await this.#clock.sleep(WAIT_FOR_TURN_MS, signal);
  }

  async #closeOne(id: string): Promise<void> {
    const opening = this.#open.get(id);
    this.#open.delete(id);
    this.#commits.delete(id);
    this.#opened.delete(id);
    const opened = await opening?.catch(() => undefined);
    if (!opened) return;
    opened.closing.abort(new Error('it is not used any more'));
    await opened.watching.catch(() => undefined);
    await opened.git.close();
  }
}

function tooMany({ follows }: WantedSource): string {
  return 'commit' in follows
    ? `there are more than ${MAX_COMMITS} Apps of one commit of other repositories, and submodules`
    : `there are more than ${MAX_SOURCES} other repositories`;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
