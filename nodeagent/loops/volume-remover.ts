/** Removes what is in volumes that were given up and deleted, and tells of those that nothing is left of. */
import { errorText } from '../../contracts/errors.ts';
import { homeOf, isDataGivenUp } from '../../contracts/objects/local-volumes.ts';
import type { PersistentVolume } from '../../contracts/objects/index.ts';
import { isKeyOf } from '../../contracts/objects/key.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { PersistentFolders } from '../ports/persistent-folders.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { createWaker } from './waker.ts';

export interface VolumeRemoverDeps {
  readonly assignment: Pick<AssignmentStore, 'current' | 'onChange'>;
  readonly folders: PersistentFolders;
  readonly clock: Clock;
  readonly log: Log;
  /** Names of volumes that are to go and of which nothing is left here. */
  readonly onGone: (volumes: readonly string[]) => void;
}

const AGAIN_MS = 5000;

export function startVolumeRemover(deps: VolumeRemoverDeps): { close(): Promise<void> } {
  const { assignment, folders, clock, log } = deps;
  const closing = new AbortController();
  const waker = createWaker(clock);
  let told = '';
  const unsubscribe = assignment.onChange((changed) => {
    if (changed.some((key) => isKeyOf(key, 'PersistentVolume'))) waker.wake();
  });

  /** Only what is this node's own, and what somebody gave up: a volume that is deleted without that keeps its data. */
  function going(): readonly PersistentVolume[] {
    const view = assignment.current();
    return view
      .list('PersistentVolume')
      .filter(
        (volume) =>
          volume.metadata.deletionTimestamp !== undefined && isDataGivenUp(volume) && homeOf(volume) === view.node,
      );
  }

  /** Whether all of them are gone. */
  async function pass(): Promise<boolean> {
    const wanted = going();
    const gone: string[] = [];
    for (const { metadata } of wanted) {
      try {
        await folders.remove(metadata.name, closing.signal);
        gone.push(metadata.name);
      } catch (cause) {
        if (closing.signal.aborted) return false;
        log.warn('a volume cannot be removed yet', { volume: metadata.name, detail: errorText(cause) });
      }
    }
    const now = gone.join();
    if (now !== told) deps.onGone(gone);
    told = now;
    return gone.length === wanted.length;
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      const isDone = await pass();
      await waker.until(isDone ? undefined : clock.monotonic() + AGAIN_MS);
    }
  }
  const done = run();

  return {
    async close() {
      unsubscribe();
      closing.abort();
      waker.wake();
      await done;
    },
  };
}
