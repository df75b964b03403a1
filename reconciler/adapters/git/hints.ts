/** When to look at the branch: a file that the push hook touches, the ref's own file, a webhook, and a clock. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { onAbort } from '../../../contracts/signals.ts';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';
import { followedRef, type Followed } from '../../core/sources/follow.ts';
import type { HintCause } from '../../ports/git-source.ts';
import type { Nudges } from './nudges.ts';

/** The push hook touches this file, relative to the Git folder. */
export const HINT_FILE = 'plumbline/pushed';

/** Share of a pause by which polls differ, so that many who poll one server do not do so at once. */
const JITTER = 0.1;

/**
 * Yields after a change in one of `folders`, a nudge, and every `pollSeconds`, give or take a tenth; of several that
 * nobody has read yet the first. Ends on abort.
 */
export async function* hintsFrom(
  { folders, nudges }: { readonly folders: readonly string[]; readonly nudges?: Nudges | undefined },
  pollSeconds: number,
  signal: AbortSignal,
): AsyncGenerator<HintCause> {
  let pending: HintCause | undefined;
  let wake: (() => void) | undefined;
  const notify = (cause: HintCause): void => {
    pending ??= cause;
    wake?.();
  };
  const watchers: FSWatcher[] = [];
  for (const folder of folders) {
    try {
      const watcher = watch(folder, { persistent: true }, () => {
        notify('hook');
      });
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // The folder is not there (no hooks installed): polling finds the push.
    }
  }
  const stopListening = nudges?.listen(() => {
    notify('webhook');
  });
  const pauseMs = Math.min(pollSeconds * 1000 * (1 + JITTER * (2 * Math.random() - 1)), LONGEST_TIMER_MS);
  const timer = setInterval(() => {
    notify('poll');
  }, pauseMs);
  const letGo = onAbort(signal, () => wake?.());
  try {
    while (!signal.aborted) {
      if (pending) {
        const cause = pending;
        pending = undefined;
        yield cause;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    }
  } finally {
    clearInterval(timer);
    stopListening?.();
    letGo();
    for (const watcher of watchers) watcher.close();
  }
}

/** What to watch in a local repository: the hook's folder, and the folder of the followed ref, or of all tags. */
export function watchedFolders(gitdir: string, follows: Followed): string[] {
  const ref = followedRef(follows, []) ?? 'refs/tags/any';
  return [dirname(join(gitdir, HINT_FILE)), dirname(join(gitdir, ...ref.split('/')))];
}
