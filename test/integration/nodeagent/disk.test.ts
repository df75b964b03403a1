/** A node whose disk fills up, with a real container runtime on a small one. */
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { criDisk } from '../../../nodeagent/adapters/cri/cri-disk.ts';
import { criImages } from '../../../nodeagent/adapters/cri/cri-images.ts';
import { GrpcClient } from '../../../nodeagent/adapters/cri/grpc.ts';
import { diskSpace } from '../../../nodeagent/adapters/disk/disk-space.ts';
import { systemClock } from '../../../nodeagent/adapters/system/clock.ts';
import { jsonLog } from '../../../nodeagent/adapters/system/json-log.ts';
import type { DiskUse } from '../../../nodeagent/core/node/disk.ts';
import { startDiskKeeper } from '../../../nodeagent/loops/disk-keeper.ts';
import { isReady, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

const PRESSURE_MS = 60_000;
const roomy: DiskUse = { bytes: 1000, freeBytes: 900, inodes: 0, freeInodes: 0 };

describe('a node that runs out of disk', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost({ disk: '64m' });
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it("removes images that nobody uses, the sandboxes' own not", async () => {
    await host.importImage('registry.test/unused:1', 'unused');
    const user = shellPod('user', 'sleep 1000');
    await agent.assign({ upsert: [user] });
    await agent.until('user', isReady);
    const client = new GrpcClient(host.containerdSocket);
    const images = criImages(client, host.containerdSocket, host.folder);
    const signal = new AbortController().signal;
    const present = async (): Promise<string[]> => (await images.list(signal)).flatMap(({ tags }) => tags).sort();
    const before = await present();
    assert.ok(before.includes('registry.test/unused:1'), before.join());

    const space = diskSpace({ state: host.folder, run: host.folder, podLogs: host.folder }, criDisk(client));
    let images15: DiskUse = roomy;
    let minutes = 0;
    let looked = (): void => undefined;
    const removed = new Promise<void>((resolve) => {
      looked = resolve;
    });
    const pause = before.find((name) => name.includes('pause')) ?? '';
    const keeper = startDiskKeeper({
      space: { ...space, read: async () => ({ node: roomy, images: images15 }) },
      images,
      log: jsonLog(() => undefined),
      // The pod is not in this assignment: its image is in use all the same.
      assignment: {
        current: () => ({ version: 'v', node: 'n', get: () => undefined, list: () => [] }),
      } as unknown as Parameters<typeof startDiskKeeper>[0]['assignment'],
      hub: { statuses: () => new Map() },
      pods: { observed: () => undefined, evict: () => assert.fail('a pod is evicted'), wakeAll: () => undefined },
      clock: {
        ...systemClock,
        monotonic: () => minutes * 60_000,
        async sleep(_ms, over) {
          minutes += 3;
          images15 = { ...roomy, freeBytes: 150 };
          await systemClock.sleep(0, over);
        },
      },
      sandboxImage: () => pause,
      onState: () => undefined,
      onImages: () => looked(),
    });
    await removed;
    await keeper.close();
    assert.deepEqual(
      await present(),
      before.filter((name) => name !== 'registry.test/unused:1'),
    );
    client.close();
  });

  it('says so, evicts the pod that filled it to the last byte, and keeps the others running', async () => {
    await agent.assign({ upsert: [shellPod('modest', 'echo small > /file; sleep 1000')] });
    await agent.until('modest', isReady);
    await agent.assign({ upsert: [shellPod('hog', 'dd if=/dev/zero of=/hog bs=65536 count=4096; sleep 1000')] });
    const evicted = await agent.until('hog', (pod) => pod.status?.reason === 'Evicted', PRESSURE_MS);
    assert.equal(evicted.status?.phase, 'Failed');
    assert.match(
      evicted.status?.message ?? '',
      /^The node was low on resource: ephemeral-storage \(.*imagefs\.available/,
    );
    assert.equal(agent.node()?.diskPressure?.pressure, true);
    assert.equal(agent.node()?.ready, true);
    assert.ok(isReady(await agent.until('modest', () => true)));
    assert.ok(isReady(await agent.until('user', () => true)));
    // What it held is free again: it left nothing but its status.
    await agent.until('hog', (pod) => pod.status?.containerStatuses?.[0]?.state.terminated !== undefined, PRESSURE_MS);
    for (let used = 100; used > 50;)
      used = Number(/(\d+)%/.exec(await host.run(['df', '--output=pcent', join(host.folder, 'containerd')]))?.[1]);
    assert.ok(agent.events.some((event) => event.name === 'hog' && event.reason === 'Evicted'));
  });
});
