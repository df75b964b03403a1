/** Bounds that keep one pod from taking its machine. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { pidsLimits } from '../../../nodeagent/core/pod/pids.ts';
import { main, shellPod, startAgent, type TestAgent } from './agent.ts';
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
});
