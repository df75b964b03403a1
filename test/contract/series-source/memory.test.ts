import { MemorySeriesSource } from '../../../reconciler/adapters/memory/series-source.ts';
import { SERIES, seriesSourceSuite } from './suite.ts';

seriesSourceSuite('memory', async () => ({
  source: new MemorySeriesSource(SERIES),
  settings: { url: 'http://127.0.0.1' },
  close: async () => undefined,
}));
