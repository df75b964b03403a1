import { MemoryLeases } from '../../../reconciler/adapters/memory/leases.ts';
import { MemoryObjectStore, MemoryState } from '../../../reconciler/adapters/memory/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { inPatience } from '../../support/patience.ts';
import { leasesSuite } from './suite.ts';

leasesSuite('memory', async () => {
  const state = new MemoryState();
  const clock = new SystemClock();
  return {
    connect: async () => {
      const store = new MemoryObjectStore({ clock, ids: new CryptoIds(), state });
      await store.open(inPatience(60_000));
      return { store, leases: new MemoryLeases(state, clock) };
    },
    flush: async () => {
      state.flush();
    },
    close: async () => undefined,
  };
});
