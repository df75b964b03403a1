import { MemoryWorkQueue } from '../../../reconciler/adapters/memory/work-queue.ts';
import { workQueueSuite } from './suite.ts';

workQueueSuite('memory', async () => {
  const queues: MemoryWorkQueue[] = [];
  return {
    connect: () => {
      const queue = new MemoryWorkQueue();
      queues.push(queue);
      return queue;
    },
    flush: async () => {
      for (const queue of queues) queue.flush();
    },
    close: async () => undefined,
  };
});
