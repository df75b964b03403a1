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
import { deleted, isReady, key, main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';

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
      pods: { observed: () => undefined, wakeAll: () => undefined },
      evictor: { isBusy: () => false, evict: () => assert.fail('a pod is evicted') },
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
    await polled(
      'half of the disk is free again',
      async () =>
        Number(/(\d+)%/.exec(await host.run(['df', '--output=pcent', join(host.folder, 'containerd')]))?.[1]) <= 50,
      { timeoutMs: PRESSURE_MS },
    );
    assert.ok(agent.events.some((event) => event.name === 'hog' && event.reason === 'Evicted'));
  });

  it('full to the last byte, is run on by an agent that starts anew and hears nobody, and is free when the pod that filled it is deleted', async () => {
    // Such pods are never evicted: what is acknowledged has to run on as it is.
    const critical = (name: string, script: string): ReturnType<typeof shellPod> =>
      shellPod(name, script, { spec: { priorityClassName: 'system-node-critical', terminationGracePeriodSeconds: 1 } });
    // Of the tests before: their ends are written down where there will be no room.
    const others = [...agent.pods.values()].map(({ name }) => name);
    await agent.assign({ remove: others.map((name) => `pods/default/${name}` as const) });
    for (const name of others) await agent.until(name, (pod) => pod.gone, PRESSURE_MS);
    const kept = critical('kept', 'exec sleep 1000');
    await agent.assign({ upsert: [kept] });
    const before = await agent.until('kept', isReady);
    const filler = critical(
      'filler',
      'while :; do dd if=/dev/zero bs=65536 count=4096 >> /fill 2>/dev/null; sleep 0.2; done',
    );
    await agent.assign({ upsert: [filler] });
    await agent.until('filler', isReady);
    const free = async (): Promise<number> =>
      Number((await host.run(['stat', '--file-system', '--format', '%a', join(host.folder, 'containerd')])).trim());
    /** What somebody lets go of is taken a moment later. */
    const isFull = (): Promise<true> =>
      polled('the disk is full', async () => (await free()) === 0, { timeoutMs: PRESSURE_MS });
    await isFull();
    const { assignmentVersion } = await agent.info();
    const tasks = (): Promise<string> =>
      host.run(['sh', '-c', 'ctr --address "$0" -n k8s.io tasks ls -q | sort', host.containerdSocket]);
    const ran = await tasks();
    for (const end of ['kill', 'stop'] as const) {
      await agent[end]();
      agent = await startAgent(host);
      assert.equal((await agent.info()).assignmentVersion, assignmentVersion);
      const after = await agent.until('kept', isReady);
      assert.equal(main(after)?.containerID, main(before)?.containerID);
      assert.equal(main(after)?.restartCount, 0);
      assert.ok(isReady(await agent.until('filler', isReady)));
      assert.equal(await tasks(), ran);
      await isFull();
    }
    assert.equal((await agent.assign({ upsert: [deleted(filler, 1)] })).status, 200);
    await agent.until('filler', (pod) => pod.gone, PRESSURE_MS);
    await agent.assign({ remove: [key(filler)] });
    assert.ok((await free()) > 0);
    const later = critical('later', 'exec sleep 1000');
    await agent.assign({ upsert: [later] });
    await agent.until('later', isReady);
    assert.equal(main(await agent.until('kept', isReady))?.containerID, main(before)?.containerID);
  });
});

describe('a node that runs out of inodes', () => {
  const INODES = 8000;
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost({ disk: `256m,nr_inodes=${INODES}` });
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it('evicts the pod with most files, though another one has written more, and keeps that running', async () => {
    await agent.assign({ upsert: [shellPod('large', 'dd if=/dev/zero of=/large bs=1M count=32; sleep 1000')] });
    await agent.until('large', isReady);
    // So many that 3 % are left, where less than 5 % is short.
    const free = ['stat', '--file-system', '--format', '%d', join(host.folder, 'containerd')];
    const files = Number(await host.run(free)) - 0.03 * INODES;
    const script = `i=0; while [ $i -lt ${Math.floor(files)} ]; do i=$((i+1)); : > /tmp/$i; done; exec sleep 1000`;
    await agent.assign({ upsert: [shellPod('sower', script)] });
    const evicted = await agent.until('sower', (pod) => pod.status?.reason === 'Evicted', 2 * PRESSURE_MS);
    assert.match(
      evicted.status?.message ?? '',
      /^The node was low on resource: inodes \(.*inodesFree.*using \d{3,}\.$/,
    );
    assert.equal(agent.node()?.diskPressure?.pressure, true);
    assert.ok(isReady(await agent.until('large', () => true)));
  });
});
