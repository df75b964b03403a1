/** Bounds that keep one pod from taking its machine. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { pidsLimits } from '../../../nodeagent/core/pod/pids.ts';
import { main, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

describe('limits of a pod', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it("a container that starts processes without end runs out of its own, not of the machine's", async () => {
    const [pidMax, threadsMax] = await Promise.all(
      ['pid_max', 'threads-max'].map(async (name) => Number(await readFile(`/proc/sys/kernel/${name}`, 'utf8'))),
    );
    const limit = pidsLimits({ pidMax: pidMax ?? 0, threadsMax: threadsMax ?? 0 }).pod;
    // Stops by itself a little later than it must be stopped, so that a test that fails takes no machine.
    const bomb = `i=0; while [ $i -lt ${limit + 200} ]; do sleep 1000 & i=$((i+1)); echo $i > /dev/termination-log; done; exit 0`;
    const neighbour = 'while true; do /bin/true || exit 1; sleep 0.1; done';
    const once = { spec: { restartPolicy: 'Never' } };
    await agent.assign({ upsert: [shellPod('neighbour', neighbour, once), shellPod('bomb', bomb, once)] });
    const report = await agent.until('bomb', (one) => main(one)?.state.terminated !== undefined, 120_000);
    const ended = main(report)?.state.terminated;
    assert.notEqual(ended?.exitCode, 0);
    // Its shell and the sandbox's process count as well.
    const started = Number(ended?.message);
    assert.ok(started >= limit - 10 && started < limit, `${started} of ${limit}`);
    assert.ok(main(agent.pods.get('neighbour') ?? assert.fail('no report'))?.state.running);
  });

  it('what a pod says as a whole holds it, and each of its containers that has no limit of its own', async () => {
    const hog = { name: 'hog', image: BUSYBOX, command: ['/bin/sh', '-c', 'exec tail /dev/zero'] };
    const calm = { ...hog, name: 'calm', command: ['/bin/sh', '-c', 'exec sleep 1000'] };
    const whole = testPod('whole', {
      resources: { limits: { memory: '48Mi', cpu: '500m' } },
      containers: [hog, calm],
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
    });
    await agent.assign({ upsert: [whole] });
    // The one may be over before the other, which is started after it, runs.
    const { status, uid } = await agent.until(
      'whole',
      (one) =>
        main(one)?.state.terminated !== undefined && one.status?.containerStatuses?.[1]?.state.waiting === undefined,
      60_000,
    );
    assert.equal(status?.qosClass, 'Guaranteed');
    assert.equal(status.containerStatuses?.[0]?.state.terminated?.reason, 'OOMKilled');
    assert.ok(status.containerStatuses[1]?.state.running, 'its neighbour runs on');
    const held = async (controller: string, v1: string, v2: string): Promise<string> => {
      const text = await readFile(`/sys/fs/cgroup/${controller}/plumbline/pod${uid}/${v1}`, 'utf8').catch(() =>
        readFile(`/sys/fs/cgroup/plumbline/pod${uid}/${v2}`, 'utf8'),
      );
      return text.trim().split(' ')[0] ?? '';
    };
    assert.equal(await held('memory', 'memory.limit_in_bytes', 'memory.max'), String(48 * 2 ** 20));
    assert.equal(await held('cpu', 'cpu.cfs_quota_us', 'cpu.max'), '50000');
  });

  it('a pod that wants users of its own does not start with those of its node', async () => {
    await agent.assign({ upsert: [shellPod('own-users', 'exec sleep 1000', { spec: { hostUsers: false } })] });
    const report = await agent.until('own-users', (one) => main(one)?.state.waiting?.message !== undefined);
    assert.equal(
      main(report)?.state.waiting?.message,
      "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    );
  });
});
