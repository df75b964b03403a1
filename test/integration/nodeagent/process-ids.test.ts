/**
 * A node that runs out of process ids, with a real container runtime. How many threads the machine has is told, by a
 * file of the test's own over the one that the kernel shows. What the cgroups of pods hold is real.
 */
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { PriorityClass } from '../../../contracts/objects/index.ts';
import { isReady, shellPod, startAgent, type TestAgent } from './agent.ts';
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
/** Runs so many processes, and says when it has them. */
const runs = (processes: number): string => `for n in $(seq ${processes}); do sleep 1000 & done; touch /tmp/full; wait`;

describe('a node that runs out of process ids', () => {
  let host: TestHost;
  let agent: TestAgent;
  let loadavg = '';
  let capacity = 0;
  const leaves = (ids: number): Promise<void> =>
    overwrite(loadavg, `0.10 0.10 0.10 1/${String(capacity - ids).padStart(8, '0')} 100\n`);

  before(async () => {
    host = await startHost();
    // Not the machine's: a namespace of process ids has a limit of its own.
    const limits = await host.run(['cat', '/proc/sys/kernel/pid_max', '/proc/sys/kernel/threads-max']);
    capacity = Math.min(...limits.trim().split('\n').map(Number));
    loadavg = join(host.folder, 'loadavg');
    await leaves(Math.floor(capacity / 2));
    await host.run(['mount', '--bind', loadavg, '/proc/loadavg']);
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it('says so, evicts the one with most of the least important pods, and keeps its neighbours', async () => {
    await agent.assign({
      upsert: [
        HIGH,
        shellPod('important', runs(30), { spec: { priorityClassName: 'high' } }),
        shellPod('many', runs(20)),
        shellPod('few', runs(2)),
      ],
    });
    for (const name of ['important', 'many', 'few']) {
      await agent.until(name, isReady);
      await agent.exec(name, ['/bin/sh', '-c', 'until test -e /tmp/full; do sleep 0.1; done']);
    }
    assert.equal(agent.node()?.pidPressure?.pressure, false);

    await leaves(7);
    const evicted = await agent.until(
      'many',
      (pod) => {
        if (pod.status?.reason !== 'Evicted') return false;
        void leaves(Math.floor(capacity / 2));
        return true;
      },
      PRESSURE_MS,
    );
    await leaves(Math.floor(capacity / 2));
    assert.equal(evicted.status?.phase, 'Failed');
    const threshold = Math.floor(capacity / 20);
    assert.equal(
      evicted.status?.message,
      `The node was low on resource: pids. Threshold quantity: ${threshold}, available: 7. `,
    );
    assert.ok(evicted.status?.conditions?.some((one) => one.type === 'DisruptionTarget' && one.status === 'True'));
    await agent.until('many', (pod) => pod.status?.containerStatuses?.[0]?.state.terminated !== undefined, PRESSURE_MS);
    assert.equal(agent.node()?.pidPressure?.pressure, true);
    for (const name of ['important', 'few']) assert.ok(isReady(await agent.until(name, () => true)), name);
  });
});
