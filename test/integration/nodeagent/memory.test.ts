/**
 * A node that runs out of memory, with a real container runtime. How much the machine has left is told: a file of the
 * test's own is mounted over the one that the kernel shows, as lxcfs does. What containers hold is real.
 */
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { PriorityClass } from '../../../contracts/objects/index.ts';
import { isReady, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { overwrite } from './overwrite.ts';

const HIGH = {
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name: 'high', resourceVersion: '1', uid: 'class-high' },
  value: 1000,
  globalDefault: false,
  preemptionPolicy: 'PreemptLowerPriority',
} as PriorityClass;
const PRESSURE_MS = 40_000;
/** Holds so many MiB in memory, and says when it has them. */
const holds = (mib: number): string =>
  `dd if=/dev/zero of=/dev/shm/x bs=1M count=${mib} && touch /tmp/full && sleep 1000`;
const WHEN_FULL = { readinessProbe: { exec: { command: ['test', '-e', '/tmp/full'] }, periodSeconds: 1 } };

describe('a node that runs out of memory', () => {
  let host: TestHost;
  let agent: TestAgent;
  let meminfo = '';
  const leaves = (mib: number): Promise<void> =>
    overwrite(meminfo, `MemTotal: 4194304 kB\nMemFree: ${String(mib * 1024).padStart(8)} kB\nInactive(file): 0 kB\n`);

  before(async () => {
    host = await startHost();
    meminfo = join(host.folder, 'meminfo');
    await leaves(2000);
    await host.run(['mount', '--bind', meminfo, '/proc/meminfo']);
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it('says so, evicts the least important pod that holds more than it asked for, and keeps its neighbours', async () => {
    const asks = { ...WHEN_FULL, resources: { requests: { memory: '128Mi' } } };
    await agent.assign({
      upsert: [
        HIGH,
        shellPod('within', holds(50), { container: asks }),
        shellPod('important', holds(40), { container: WHEN_FULL, spec: { priorityClassName: 'high' } }),
        shellPod('hog', holds(30), { container: WHEN_FULL }),
        shellPod('small', 'sleep 1000'),
      ],
    });
    for (const name of ['within', 'important', 'hog', 'small']) await agent.until(name, isReady);
    assert.equal(agent.node()?.memoryPressure?.pressure, false);

    await leaves(20);
    const evicted = await agent.until(
      'hog',
      (pod) => {
        if (pod.status?.reason !== 'Evicted') return false;
        void leaves(2000);
        return true;
      },
      PRESSURE_MS,
    );
    await leaves(2000);
    assert.equal(evicted.status?.phase, 'Failed');
    assert.match(
      evicted.status?.message ?? '',
      /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 20Mi\. Container main was using \d+(Ki|Mi), request is 0, has larger consumption of memory\. $/,
    );
    assert.ok(evicted.status?.conditions?.some((one) => one.type === 'DisruptionTarget' && one.status === 'True'));
    // Nothing of it is left, and nobody else went.
    await agent.until('hog', (pod) => pod.status?.containerStatuses?.[0]?.state.terminated !== undefined, PRESSURE_MS);
    assert.equal(agent.node()?.memoryPressure?.pressure, true);
    assert.equal(agent.node()?.ready, true);
    for (const name of ['within', 'important', 'small']) assert.ok(isReady(await agent.until(name, () => true)), name);
    assert.ok(agent.events.some((event) => event.name === 'hog' && event.reason === 'Evicted'));
  });

  it('takes only pods in that ask for some of what they need, while it says that it is short', async () => {
    const containers = [{ name: 'main', image: BUSYBOX, command: ['/bin/sh', '-c', 'sleep 1000'] }];
    const tolerations = [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }];
    await agent.assign({
      upsert: [
        testPod('best-effort', { containers }),
        testPod('bears-it', { containers, tolerations, terminationGracePeriodSeconds: 0 }),
        shellPod('burstable', 'sleep 1000', { container: { resources: { requests: { cpu: '1m' } } } }),
      ],
    });
    for (const name of ['bears-it', 'burstable']) await agent.until(name, isReady);
    const refused = await agent.until('best-effort', (pod) => pod.status?.phase === 'Failed');
    assert.equal(refused.status?.reason, 'Evicted');
    assert.equal(refused.status?.message, 'Pod was rejected: The node had condition: [MemoryPressure]. ');
  });
});
