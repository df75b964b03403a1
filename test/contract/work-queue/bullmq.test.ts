import { BullWorkQueue } from '../../../reconciler/adapters/bullmq/work-queue.ts';
import { SILENT_LOG } from '../../../reconciler/ports/log.ts';
import { startTestRedis } from '../../support/redis.ts';
import { workQueueSuite } from './suite.ts';

workQueueSuite('bullmq', async () => {
  const redis = await startTestRedis();
  return {
    connect: () => new BullWorkQueue({ connection: redis.connection, cluster: 'test', log: SILENT_LOG }),
    flush: async () => {
      await redis.client.flushall();
    },
    close: () => redis.close(),
  };
});
