/** When to look at the branch: a file that the push hook touches, the ref's own file, and a clock. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { LONGEST_TIMER_MS } from '../../../contracts/timers.ts';

/** The push hook touches this file, relative to the Git folder. */
export const HINT_FILE = 'plumbline/pushed';

/**
 * Yields after a change in one of `folders`, and every `pollSeconds`; several changes that nobody has read yet are one.
 * Ends on abort.
 */
export async function* hintsFrom(
  folders: readonly string[],
  pollSeconds: number,
  signal: AbortSignal,
): AsyncGenerator<void> {
  let pending = false;
  let wake: (() => void) | undefined;
  const notify = (): void => {
    pending = true;
    wake?.();
  };
  const watchers: FSWatcher[] = [];
  for (const folder of folders) {
    try {
      const watcher = watch(folder, { persistent: true }, notify);
      watcher.on('error', () => watcher.close());
      watchers.push(watcher);
    } catch {
      // The folder is not there (no hooks installed): polling finds the push.
    }
  }
  const timer = setInterval(notify, Math.min(pollSeconds * 1000, LONGEST_TIMER_MS));
  signal.addEventListener('abort', notify, { once: true });
  try {
    while (!signal.aborted) {
      if (pending) {
        pending = false;
        yield;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = undefined;
      }
    }
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', notify);
    for (const watcher of watchers) watcher.close();
  }
}

/** What to watch in a local repository: the hook's folder, and the folder of the branch's ref. */
export function watchedFolders(gitdir: string, branch: string): string[] {
  return [dirname(join(gitdir, HINT_FILE)), dirname(join(gitdir, 'refs', 'heads', branch))];
}
