import { MemoryObjectStore, MemoryState } from '../../../reconciler/adapters/memory/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { customObjectsSuite } from './custom-objects.ts';
import { objectStoreSuite, type StoreFixture } from './suite.ts';

objectStoreSuite('memory', fixture);
customObjectsSuite('memory', fixture);

async function fixture(): Promise<StoreFixture> {
  const state = new MemoryState();
  return {
    connect: (options) => new MemoryObjectStore({ clock: new SystemClock(), ids: new CryptoIds(), state, ...options }),
    flush: async () => {
      state.flush();
    },
    close: async () => undefined,
  };
}
