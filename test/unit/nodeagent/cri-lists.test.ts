/** Lists of the runtime's that are as long as pods make them: with each container's annotations, which a pod chooses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { criDisk } from '../../../nodeagent/adapters/cri/cri-disk.ts';
import { criContainerUse } from '../../../nodeagent/adapters/cri/cri-usage.ts';
import { LIST_BYTES, type GrpcClient, type GrpcMethod } from '../../../nodeagent/adapters/cri/grpc.ts';

describe('lists of containers', () => {
  it('are taken as long as the runtime sends them', async () => {
    const asked: unknown[] = [];
    const client = {
      async unary({ path, maxBytes }: GrpcMethod<never, never>) {
        asked.push([path.split('/').at(-1), maxBytes]);
        return { containers: [], stats: [] };
      },
    } as unknown as GrpcClient;
    const { signal } = new AbortController();
    await criDisk(client).imagesInUse(signal);
    await criDisk(client).writtenByContainers(signal);
    await criContainerUse(client, signal);
    assert.deepEqual(asked, [
      ['ListContainers', LIST_BYTES],
      ['ListContainerStats', LIST_BYTES],
      ['ListContainerStats', LIST_BYTES],
    ]);
  });
});
