/**
 * Keeps a mirror at what its remote has: fetches what is new, and everything anew where the mirror turns out to be
 * damaged.
 */
import { PlumbError, TerminalError } from '../../core/errors.ts';
import { DAMAGE, type ObjectEngine } from './engine.ts';
import type { Mirror } from './mirror.ts';
import type { Advertisement } from './pkt-line.ts';
import type { GitRemote } from './remote.ts';

export interface RemoteFollower {
  /** Refs as the remote told them last. */
  advertised(): Advertisement | undefined;
  /**
   * Asks the remote for its refs, and fetches the followed branch where it moved. Throws what {@link Mirror.fetch} and
   * {@link GitRemote.advertise} do.
   */
  refresh(signal: AbortSignal): Promise<void>;
  /** The same for another branch; does nothing where the remote has none of that name. */
  refreshOther(branch: string, signal: AbortSignal): Promise<void>;
  /**
   * What `look` finds. Where it finds an object missing or damaged, the mirror is fetched anew and `look` is called
   * once more: once for each commit that the branch comes to, so that a remote which is damaged itself is not fetched
   * for ever.
   */
  mending<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function followRemote(mirror: Mirror, remote: GitRemote, objects: ObjectEngine, branch: string): RemoteFollower {
  let advertised: Advertisement | undefined;
  /** The last time that everything was fetched anew, and where the branch was then. */
  let renewal: { readonly head: string | undefined; readonly done: Promise<void> } | undefined;
  let refused: { readonly tip: string; readonly error: TerminalError } | undefined;
  let mayCompact = true;

  const tipOf = (name: string): string | undefined => advertised?.refs.get(`refs/heads/${name}`);

  async function ask(signal: AbortSignal): Promise<void> {
    advertised = await remote.advertise('git-upload-pack', signal);
  }

  /** Whoever reads has files open that are gone by then. */
  async function renew(signal: AbortSignal): Promise<void> {
    await mirror.renew(branch, signal);
    await objects.close();
  }

  async function fetch(name: string, signal: AbortSignal): Promise<void> {
    if (name !== branch || !mayCompact || !(await mirror.isCrowded())) return mirror.fetch(name, signal);
    try {
      await renew(signal);
    } catch (error) {
      // It grew, fetch by fetch, to more than is fetched at once. It works, so it is let grow on.
      if (!isTooLarge(error)) throw error;
      mayCompact = false;
      await mirror.fetch(name, signal);
    }
  }

  async function bring(name: string, signal: AbortSignal): Promise<void> {
    const tip = tipOf(name);
    if (tip === undefined) return;
    const isThere = async (): Promise<boolean> =>
      (await mending(() => objects.size(tip, signal), signal)) !== undefined;
    if (await isThere()) return;
    // What cannot be fetched is not downloaded again with every look.
    if (refused?.tip === tip) throw refused.error;
    try {
      await fetch(name, signal);
      if (await isThere()) return;
      // A damaged mirror tells the remote that it has what it cannot read.
      await renewed(signal);
      if (name !== branch) await fetch(name, signal);
    } catch (error) {
      if (isTooLarge(error)) refused = { tip, error };
      throw error;
    }
  }

  async function refresh(signal: AbortSignal): Promise<void> {
    await ask(signal);
    await bring(branch, signal);
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
    const head = tipOf(branch);
    if (renewal && renewal.head === head) return renewal.done;
    const mine = { head, done: renew(signal) };
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
      await bring(name, signal);
    },
    mending,
  };
}

function isTooLarge(error: unknown): error is TerminalError {
  return error instanceof TerminalError && error.code === 'RepositoryTooLarge';
}
