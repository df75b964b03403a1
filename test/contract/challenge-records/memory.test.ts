import { MemoryChallengeRecords } from '../../../reconciler/adapters/memory/challenge-records.ts';
import { challengeRecordsSuite } from './suite.ts';

challengeRecordsSuite('memory', async () => {
  const records = new MemoryChallengeRecords();
  return {
    records,
    provider: { is: 'cloudflare', credential: { token: 't' } },
    texts: async (name) => [...(records.texts.get(name) ?? [])].sort(),
    close: async () => undefined,
  };
});
