import { MemoryMetricsStore, type MemoryMetrics } from '../../../reconciler/adapters/memory/metrics-store.ts';
import { metricsStoreSuite } from './suite.ts';

metricsStoreSuite('memory', async () => {
  let now = 0;
  const kept: MemoryMetrics = new Map();
  return {
    connect: () => new MemoryMetricsStore({ monotonic: () => now }, kept),
    pass: async (ms) => {
      now += ms;
    },
    close: async () => undefined,
  };
});
