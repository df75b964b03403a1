/** Lets volumes grow that are held to their size, and tells how that went. */
import { errorText } from '../../contracts/errors.ts';
import type { GrowingVolume } from '../../contracts/agent/index.ts';
import type { PersistentVolume } from '../../contracts/objects/index.ts';
import { isKeyOf } from '../../contracts/objects/key.ts';
import { enforcedBytes, homeOf, sizeBeforeGrowth } from '../../contracts/objects/local-volumes.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { PersistentFolders } from '../ports/persistent-folders.ts';
import type { AssignmentStore } from './assignment-store.ts';
import { createWaker } from './waker.ts';

export interface VolumeGrowerDeps {
  readonly assignment: Pick<AssignmentStore, 'current' | 'onChange'>;
  readonly folders: Pick<PersistentFolders, 'grow'>;
  readonly clock: Clock;
  readonly log: Log;
  /** All that are to grow, whenever something is new of one. */
  readonly onGrowth: (volumes: readonly GrowingVolume[]) => void;
}

/** A pod may have come or gone, or room. */
const AGAIN_MS = 10_000;

export function startVolumeGrower(deps: VolumeGrowerDeps): { close(): Promise<void> } {
  const { assignment, folders, clock, log } = deps;
  const closing = new AbortController();
  const waker = createWaker(clock);
  let told = '[]';
  const unsubscribe = assignment.onChange((changed) => {
    if (changed.some((key) => isKeyOf(key, 'PersistentVolume'))) waker.wake();
  });

  function due(): readonly PersistentVolume[] {
    const view = assignment.current();
    return view
      .list('PersistentVolume')
      .filter(
        (volume) =>
          volume.metadata.deletionTimestamp === undefined &&
          sizeBeforeGrowth(volume) !== undefined &&
          homeOf(volume) === view.node,
      );
  }

  async function grown(volume: PersistentVolume): Promise<GrowingVolume | undefined> {
    const { name } = volume.metadata;
    const bytes = enforcedBytes(volume);
    if (bytes === undefined) return undefined;
    try {
      await folders.grow(name, bytes, closing.signal);
      return { name, bytes };
    } catch (cause) {
      return { name, message: errorText(cause) };
    }
  }

  /** Whether all of them are as they should be. */
  async function pass(): Promise<boolean> {
    const words: GrowingVolume[] = [];
    for (const volume of due()) {
      const word = await grown(volume);
      if (closing.signal.aborted) return false;
      if (word) words.push(word);
    }
    const text = JSON.stringify(words);
    if (text !== told) {
      log.info('volumes grow', { volumes: words });
      deps.onGrowth(words);
    }
    told = text;
    return words.every(({ message }) => message === undefined);
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
