/**
 * Keeps a mirror at what its remote has: fetches what is new, and everything anew where the mirror turns out to be
 * damaged.
 */
import { PlumbError, TerminalError } from '../../core/errors.ts';
import { followedRef, type Followed } from '../../core/sources/follow.ts';
import { DAMAGE, type ObjectEngine } from './engine.ts';
import type { Mirror } from './mirror.ts';
import { tagsOf, type Advertisement } from './pkt-line.ts';
import type { GitRemote } from './remote.ts';

export interface RemoteFollower {
  /** Refs as the remote told them last. */
  advertised(): Advertisement | undefined;
  /**
   * Asks the remote for its refs, and fetches the followed one where it moved. Throws what {@link Mirror.fetch} and
   * {@link GitRemote.advertise} do.
   */
  refresh(signal: AbortSignal): Promise<void>;
  /** The same for another branch or tag; does nothing where the remote has none of that name. */
  refreshOther(name: string, signal: AbortSignal): Promise<void>;
  /**
   * Fetches one commit: alone where any of the remote's refs is at it (a pull request's among them) or the remote gives any,
   * else with all of what its HEAD names, and then of what is followed. Does nothing where it is there, or the remote has it not so. Throws as {@link refresh}.
   */
  bringCommit(sha: string, signal: AbortSignal): Promise<void>;
  /**
   * What `look` finds. Where it finds an object missing or damaged, the mirror is fetched anew and `look` is called
   * once more: once for each commit that is followed, so that a remote which is damaged itself is not fetched
   * for ever.
   */
  mending<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Commits of a history that is too large as a whole: of those, and of the newest alone. */
const SHORTER = [50, 1] as const;

/** As `git fetch --unshallow` asks. Source: gitprotocol-pack(5), "deepen"; git's INFINITE_DEPTH. */
const WHOLE_HISTORY = 0x7fffffff;

export function followRemote(
  mirror: Mirror,
  remote: GitRemote,
  objects: ObjectEngine,
  follows: Followed,
): RemoteFollower {
  let advertised: Advertisement | undefined;
  /** The last time that everything was fetched anew, and where what is followed was then. */
  let renewal: { readonly head: string | undefined; readonly done: Promise<void> } | undefined;
  let refused: { readonly tip: string; readonly error: TerminalError } | undefined;
  let mayCompact = true;

  const tipOf = (ref: string | undefined): string | undefined =>
    ref === undefined ? undefined : advertised?.refs.get(ref);

  /** The full name of the ref that is followed, as the remote told last. */
  const followed = (): string | undefined => followedRef(follows, advertised ? tagsOf(advertised) : []);

  async function ask(signal: AbortSignal): Promise<void> {
    advertised = await remote.advertise('git-upload-pack', signal);
  }

  /** Whoever reads has files open that are gone by then. */
  async function renew(signal: AbortSignal, depth?: number): Promise<void> {
    const ref = followed();
    if (ref === undefined) return;
    await mirror.renew(ref, signal, depth);
    await objects.close();
  }

  /** Does it with all of the history, or where that is too large for one fetch with as much of it as is not. */
  async function fitting(work: (depth?: number) => Promise<void>): Promise<void> {
    let whole: TerminalError | undefined;
    for (const depth of [undefined, ...SHORTER]) {
      try {
        await work(depth);
        return;
      } catch (error) {
        if (!isTooLarge(error)) throw error;
        whole ??= error;
      }
    }
    if (whole) throw whole;
  }

  async function fetch(ref: string, signal: AbortSignal): Promise<void> {
    const fetching = (): Promise<void> => fitting((depth) => mirror.fetch(ref, signal, depth));
    if (ref !== followed() || !mayCompact || !(await mirror.isCrowded())) return fetching();
    try {
      await renew(signal);
    } catch (error) {
      // It grew, fetch by fetch, to more than is fetched at once. It works, so it is let grow on.
      if (!isTooLarge(error)) throw error;
      mayCompact = false;
      await fetching();
    }
  }

  async function bring(ref: string | undefined, signal: AbortSignal): Promise<void> {
    const tip = tipOf(ref);
    if (ref === undefined || tip === undefined) return;
    const isThere = async (): Promise<boolean> =>
      (await mending(() => objects.size(tip, signal), signal)) !== undefined;
    if (await isThere()) return;
    // What cannot be fetched is not downloaded again with every look.
    if (refused?.tip === tip) throw refused.error;
    try {
      await fetch(ref, signal);
      if (await isThere()) return;
      // A damaged mirror tells the remote that it has what it cannot read.
      await renewed(signal);
      if (ref !== followed()) await fetch(ref, signal);
    } catch (error) {
      if (isTooLarge(error)) refused = { tip, error };
      throw error;
    }
  }

  /** Asks for a commit by its id alone, where the remote lets one. */
  async function isGiven(sha: string, signal: AbortSignal): Promise<boolean> {
    if (advertised?.givesCommits !== true) return false;
    try {
      await mirror.fetch(sha, signal, 1);
      return true;
    } catch (error) {
      if (!(error instanceof PlumbError) || error.code !== 'GitUnreachable') throw error;
      return false;
    }
  }

  async function bringCommit(sha: string, signal: AbortSignal): Promise<void> {
    const isThere = async (id: string): Promise<boolean> => (await objects.size(id, signal)) !== undefined;
    if (await isThere(sha)) return;
    await ask(signal);
    if (refused?.tip === sha) throw refused.error;
    const at = [...(advertised?.refs ?? [])]
      .find(([name, tip]) => tip === sha && name !== 'HEAD')?.[0]
      .replace(/\^\{\}$/, '');
    const branches = new Set([advertised?.headRef, followed()].filter((ref) => tipOf(ref) !== undefined));
    try {
      if (at !== undefined) await mirror.fetch(at, signal, 1);
      else if (!(await isGiven(sha, signal)))
        for (const branch of branches) {
          // All of its history, also where the newest commit alone is there.
          if (branch !== undefined) await mirror.fetch(branch, signal, WHOLE_HISTORY);
          if (await isThere(sha)) break;
        }
    } catch (error) {
      if (isTooLarge(error)) refused = { tip: sha, error };
      throw error;
    }
  }

  async function refresh(signal: AbortSignal): Promise<void> {
    await ask(signal);
    const ref = followed();
    await bring(ref, signal);
    const tip = tipOf(ref);
    // A branch that went back to what is there was not fetched for it.
    if (ref !== undefined && tip !== undefined) await mirror.note(ref, tip);
  }

  async function mending<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof PlumbError) || !DAMAGE.has(error.code)) throw error;
    }
    if (!advertised) await ask(signal);
    await renewed(signal);
    return look();
  }

  function renewed(signal: AbortSignal): Promise<void> {
    const head = tipOf(followed());
    if (renewal && renewal.head === head) return renewal.done;
    const mine = { head, done: fitting((depth) => renew(signal, depth)) };
    renewal = mine;
    mine.done.catch(() => {
      if (renewal === mine) renewal = undefined;
    });
    return mine.done;
  }

  return {
    advertised: () => advertised,
    refresh,
    async refreshOther(name, signal) {
      await refresh(signal);
      const ref = [`refs/heads/${name}`, `refs/tags/${name}`].find((known) => tipOf(known) !== undefined);
      await bring(ref, signal);
    },
    bringCommit,
    mending,
  };
}

function isTooLarge(error: unknown): error is TerminalError {
  return error instanceof TerminalError && error.code === 'RepositoryTooLarge';
}
