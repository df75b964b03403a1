/** Containers that are put into running pods, on a real runtime. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EphemeralContainer, type Pod } from '../../../contracts/objects/index.ts';
import type { PodReport } from '../../../contracts/agent/index.ts';
import { main, shellPod, startAgent, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';

const added = (pod: Pod, name: string, script: string, more: object = {}): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, resourceVersion: name, generation: (pod.metadata.generation ?? 1) + 1 },
  spec: {
    ...pod.spec,
    ephemeralContainers: [
      ...(pod.spec.ephemeralContainers ?? []),
      EphemeralContainer.parse({ name, image: BUSYBOX, command: ['/bin/sh', '-c', script], ...more }),
    ],
  },
});
const stateOf = (report: PodReport, name: string) =>
  report.status?.ephemeralContainerStatuses?.find((one) => one.name === name)?.state;

describe('a container that is put into a running pod', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
  });
  after(() => host.close());

  it('sees the processes of its target, and a second one can follow, while the pod runs on', async () => {
    const pod = shellPod('looked-at', 'sleep 4321');
    await agent.assign({ upsert: [pod] });
    const before = await agent.until('looked-at', (one) => main(one)?.state.running !== undefined);
    const sees = 'cat /proc/*/cmdline | tr "\\0" " " > /dev/termination-log; exit 7';
    const first = added(pod, 'look', sees, { targetContainerName: 'main' });
    await agent.assign({ upsert: [first] });
    const looked = await agent.until('looked-at', (one) => stateOf(one, 'look')?.terminated !== undefined);
    assert.equal(stateOf(looked, 'look')?.terminated?.exitCode, 7);
    assert.match(stateOf(looked, 'look')?.terminated?.message ?? '', /sleep 4321/);
    const second = added(first, 'alone', sees);
    await agent.assign({ upsert: [second] });
    const alone = await agent.until('looked-at', (one) => stateOf(one, 'alone')?.terminated !== undefined);
    assert.doesNotMatch(stateOf(alone, 'alone')?.terminated?.message ?? '', /sleep 4321/);
    assert.equal(main(alone)?.containerID, main(before)?.containerID);
    assert.ok(main(alone)?.ready);
  });

  it('runs on, and is known, across a restart of the agent, and runs on where nobody knows it any more', async () => {
    const pod = shellPod('kept', 'sleep 1000');
    await agent.assign({ upsert: [pod] });
    await agent.until('kept', (one) => main(one)?.state.running !== undefined);
    await agent.assign({ upsert: [added(pod, 'look', 'sleep 1000')] });
    const runs = await agent.until('kept', (one) => stateOf(one, 'look')?.running !== undefined);
    const { containerID } = runs.status?.ephemeralContainerStatuses?.[0] ?? {};
    await agent.kill();
    agent = await startAgent(host);
    const again = await agent.until('kept', (one) => stateOf(one, 'look')?.running !== undefined);
    assert.equal(again.status?.ephemeralContainerStatuses?.[0]?.containerID, containerID);
    await agent.assign({ upsert: [{ ...pod, metadata: { ...pod.metadata, resourceVersion: 'lost' } }] });
    await agent.until('kept', (one) => one.status?.ephemeralContainerStatuses === undefined);
    const tasks = await host.run(['ctr', '--address', host.containerdSocket, '-n', 'k8s.io', 'task', 'ls', '-q']);
    assert.ok(tasks.includes((containerID ?? 'none').replace('containerd://', '')));
    await agent.assign({ remove: ['pods/default/kept'] });
    await agent.until('kept', (one) => one.gone);
  });

  it('whose target does not run waits, and says so', async () => {
    const pod = shellPod('targetless', 'exit 0', { spec: { restartPolicy: 'OnFailure' }, container: { name: 'main' } });
    const both: Pod = {
      ...pod,
      spec: {
        ...pod.spec,
        containers: [
          ...pod.spec.containers,
          ...shellPod('x', 'sleep 1000').spec.containers.map((c) => ({ ...c, name: 'stays' })),
        ],
      },
    };
    await agent.assign({ upsert: [both] });
    await agent.until('targetless', (one) => main(one)?.state.terminated !== undefined);
    await agent.assign({ upsert: [added(both, 'look', 'sleep 1', { targetContainerName: 'main' })] });
    const waits = await agent.until(
      'targetless',
      (one) => stateOf(one, 'look')?.waiting?.reason === 'CreateContainerError',
    );
    assert.match(stateOf(waits, 'look')?.waiting?.message ?? '', /unable to find target container "main"/);
  });
});
