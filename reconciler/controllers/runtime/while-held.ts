/** Work that one control plane does at a time. */
import type { ShardWork } from './shard-keeper.ts';

/** Something that works until it is closed. */
export interface Running {
  /** Resolves when nothing of it runs any more. */
  close(): Promise<void>;
}

/** Has `begin` called whenever the shard is taken here, and closes what it gave when the shard is left. */
export function whileHeld(shard: number, begin: () => Running): ShardWork {
  let running: Running | undefined;
  return {
    take(taken) {
      if (taken === shard) running ??= begin();
    },
    async leave(left) {
      if (left !== shard) return;
      const ending = running;
      running = undefined;
      await ending?.close();
    },
  };
}
