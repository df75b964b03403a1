/** What the agent tells of cpu and memory, on the real containerd. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { UsageReport } from '../../../contracts/agent/index.ts';
import { parseMilli, parseQuantity } from '../../../contracts/objects/index.ts';
import { sampleOf } from '../../../reconciler/core/metrics/sample.ts';
import type { NodeSample } from '../../../reconciler/core/metrics/shapes.ts';
import { main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

const MIB = 1024 * 1024;

describe('use of cpu and memory', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  async function usage(): Promise<UsageReport> {
    const answer = await agent.call('GET', '/v1/usage');
    assert.equal(answer.status, 200, answer.text);
    return UsageReport.parse(JSON.parse(answer.text));
  }
  const pods = () =>
    ['busy', 'idle', 'large'].map((name) => ({ name, namespace: 'default', uid: agent.pods.get(name)?.uid ?? '' }));
  const sampleBetween = (before: UsageReport, latest: UsageReport): NodeSample =>
    sampleOf(before, latest, { node: 'test-node', pods: pods(), takenAt: new Date() });
  const of = (sample: NodeSample, name: string) =>
    sample.pods.get(agent.pods.get(name)?.uid ?? '')?.containers[0]?.usage ?? assert.fail(`no sample of ${name}`);

  it('shows which container works, which waits, and which holds memory', async () => {
    await agent.assign({
      upsert: [
        shellPod('busy', 'while :; do :; done', { container: { resources: { limits: { cpu: '500m' } } } }),
        shellPod('idle', 'trap "exit 0" TERM; sleep 1000 & wait'),
        // On a memory-backed file system, which counts as the container's.
        shellPod('large', `dd if=/dev/zero of=/dev/shm/x bs=1M count=40 && sleep 1000`),
      ],
    });
    for (const { name } of pods()) await agent.until(name, (pod) => main(pod)?.state.running !== undefined);
    let latest = await usage();
    for (let sample: NodeSample | undefined; ;) {
      const before = latest;
      await delay(2_000);
      latest = await usage();
      sample = sampleBetween(before, latest);
      // The machine is busy with other things too: what is sought is that it works and is held to its limit.
      const busy = parseMilli(of(sample, 'busy').cpu);
      assert.ok(busy <= 650, `${busy}m with a limit of 500m`);
      if (busy < 100 || parseQuantity(of(sample, 'large').memory) < 40 * MIB) continue;
      assert.ok(parseMilli(of(sample, 'idle').cpu) < 50, of(sample, 'idle').cpu);
      assert.ok(parseQuantity(of(sample, 'idle').memory) < 20 * MIB, of(sample, 'idle').memory);
      assert.ok(parseMilli(sample.node?.usage.cpu ?? '0') >= busy / 2, 'the node works at least as much');
      assert.ok(parseQuantity(sample.node?.usage.memory ?? '0') > 40 * MIB);
      break;
    }
  });

  it('knows a container that was started again for another one', async () => {
    const { uid } = agent.pods.get('idle') ?? assert.fail('no pod');
    const idOf = (report: UsageReport) => report.containers.find(({ podUid }) => podUid === uid)?.id;
    const before = await usage();
    // Who ends the first process of the container ends with it: 0, or 137 where that came first.
    await agent.exec('idle', ['kill', '1']);
    await agent.until('idle', (pod) => (main(pod)?.restartCount ?? 0) === 1 && main(pod)?.state.running !== undefined);
    const latest = await usage();
    assert.ok(idOf(before) !== undefined && idOf(latest) !== undefined);
    assert.notEqual(idOf(before), idOf(latest));
    assert.equal(sampleBetween(before, latest).pods.get(uid), undefined);
  });
});
