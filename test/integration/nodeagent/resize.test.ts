/** cpu and memory of pods that run, on a real runtime and real cgroups. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { after, before, describe, it } from 'node:test';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import type { PodReport } from '../../../contracts/agent/index.ts';
import { isReady, main, shellPod, startAgent, testPod, type TestAgent } from './agent.ts';
import { BUSYBOX, startHost, type TestHost } from './host.ts';
import { polled } from '../../support/patience.ts';

type Amounts = Readonly<Record<string, string>>;
const node = (cpu: string): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'test-node', uid: 'n', resourceVersion: cpu },
  spec: {},
  status: { allocatable: { cpu, memory: '64Gi', pods: '50' } },
});
/** As the control plane sends a pod whose resources changed. */
function resized(pod: Pod, containers: Readonly<Record<string, { requests: Amounts; limits?: Amounts }>>): Pod {
  const generation = (pod.metadata.generation ?? 1) + 1;
  return {
    ...pod,
    metadata: { ...pod.metadata, generation, resourceVersion: `r${generation}` },
    spec: {
      ...pod.spec,
      containers: pod.spec.containers.map((one) => ({ ...one, resources: containers[one.name] ?? one.resources })),
    },
  };
}
const isDone = (pod: Pod) => (report: PodReport) =>
  report.status?.observedGeneration === pod.metadata.generation &&
  report.status?.conditions?.some(({ type }) => type.startsWith('PodResize')) === false;

describe('a pod that is resized in place', () => {
  let host: TestHost;
  let agent: TestAgent;
  before(async () => {
    host = await startHost();
    await host.importImage(BUSYBOX);
    agent = await startAgent(host);
    await agent.assign({ upsert: [node('8')] });
  });
  after(() => host.close());

  /** What the kernel holds a container to: shares (v1) or weight, quota, and bytes. */
  async function inForce(report: PodReport, name: string): Promise<{ cpu: string; quota: string; memory: string }> {
    const id = report.status?.containerStatuses?.find((one) => one.name === name)?.containerID?.replace(/^.*\/\//, '');
    const tasks = await host.run(['ctr', '--address', host.containerdSocket, '-n', 'k8s.io', 'task', 'ls']);
    const pid = tasks
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([task]) => task === id)?.[1];
    const cgroups = await host.run(['cat', `/proc/${pid}/cgroup`]);
    const path = (controller: string): string | undefined =>
      cgroups
        .split('\n')
        .map((line) => line.split(':'))
        .find(([, names]) => names?.split(',').includes(controller))?.[2];
    const value = async (controller: string, v1: string, v2: string): Promise<string> => {
      const at = path(controller);
      const file = at === undefined ? `/sys/fs/cgroup${path('')}/${v2}` : `/sys/fs/cgroup/${controller}${at}/${v1}`;
      return (await readFile(file, 'utf8')).trim();
    };
    return {
      cpu: await value('cpu', 'cpu.shares', 'cpu.weight'),
      quota: (await value('cpu', 'cpu.cfs_quota_us', 'cpu.max')).split(' ')[0] ?? '',
      memory: await value('memory', 'memory.limit_in_bytes', 'memory.max'),
    };
  }

  /** What the kernel holds a pod as a whole to, as {@link inForce} has it. */
  async function podInForce(report: PodReport): Promise<{ cpu: string; quota: string; memory: string }> {
    const value = async (controller: string, v1: string, v2: string): Promise<string> => {
      const pod = `plumbline/pod${report.uid}`;
      const text = await readFile(`/sys/fs/cgroup/${controller}/${pod}/${v1}`, 'utf8').catch(() =>
        readFile(`/sys/fs/cgroup/${pod}/${v2}`, 'utf8'),
      );
      return text.trim();
    };
    return {
      cpu: await value('cpu', 'cpu.shares', 'cpu.weight'),
      quota: (await value('cpu', 'cpu.cfs_quota_us', 'cpu.max')).split(' ')[0] ?? '',
      memory: await value('memory', 'memory.limit_in_bytes', 'memory.max'),
    };
  }
  async function untilPodHas(report: PodReport, wanted: Awaited<ReturnType<typeof podInForce>>): Promise<void> {
    let found: unknown;
    await polled(
      () => `${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`,
      async () => isDeepStrictEqual((found = await podInForce(report)), wanted),
      { timeoutMs: 20_000 },
    );
  }

  it('is held to the sum of its containers as a whole, before and after', async () => {
    const one = (name: string, cpu: string, memory: string) => ({
      name,
      image: BUSYBOX,
      command: ['/bin/sh', '-c', 'sleep 1000'],
      resources: { requests: { cpu, memory }, limits: { cpu, memory } },
    });
    const pod = testPod('both', {
      containers: [one('main', '200m', '64Mi'), one('other', '300m', '32Mi')],
      terminationGracePeriodSeconds: 0,
    });
    const loose = shellPod('loose', 'sleep 1000', { spec: { terminationGracePeriodSeconds: 0 } });
    await agent.assign({ upsert: [pod, loose] });
    const first = await agent.until('both', isReady);
    assert.deepEqual(await podInForce(first), { cpu: '512', quota: '50000', memory: String(96 * 2 ** 20) });
    const unlimited = await podInForce(await agent.until('loose', isReady));
    assert.deepEqual({ ...unlimited, memory: '' }, { cpu: '2', quota: '-1', memory: '' });
    assert.ok(Number(unlimited.memory) > 2 ** 60);

    const amounts = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
    const more = resized(pod, { main: amounts('400m', '128Mi'), other: amounts('100m', '48Mi') });
    await agent.assign({ upsert: [more] });
    const grown = await agent.until('both', isDone(more));
    await untilPodHas(grown, { cpu: '512', quota: '50000', memory: String(176 * 2 ** 20) });
    const less = resized(more, { main: amounts('100m', '32Mi'), other: amounts('100m', '32Mi') });
    await agent.assign({ upsert: [less] });
    const shrunk = await agent.until('both', isDone(less));
    await untilPodHas(shrunk, { cpu: '204', quota: '20000', memory: String(64 * 2 ** 20) });
    assert.deepEqual(await inForce(shrunk, 'main'), { cpu: '102', quota: '10000', memory: String(32 * 2 ** 20) });
    assert.ok(shrunk.status?.containerStatuses?.every(({ restartCount }) => restartCount === 0));

    await agent.assign({ remove: ['pods/default/both', 'pods/default/loose'] });
    await agent.until('both', ({ gone }) => gone);
    await assert.rejects(podInForce(shrunk), /ENOENT/);
  });

  it('has other limits at once, the same container, and says so [conformance: in-place-pod-resize-burstable-pod-resized-with]', async () => {
    const pod = shellPod('grows', 'sleep 1000', {
      container: { resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } } },
    });
    await agent.assign({ upsert: [pod] });
    const first = await agent.until('grows', (one) => main(one)?.state.running !== undefined);
    const more = resized(pod, {
      main: { requests: { cpu: '200m', memory: '64Mi' }, limits: { cpu: '400m', memory: '128Mi' } },
    });
    await agent.assign({ upsert: [more] });
    const grown = await agent.until('grows', isDone(more));
    assert.equal(main(grown)?.containerID, main(first)?.containerID);
    assert.equal(main(grown)?.restartCount, 0);
    assert.deepEqual(main(grown)?.allocatedResources, { cpu: '200m', memory: '64Mi' });
    assert.deepEqual(await inForce(grown, 'main'), { cpu: '204', quota: '40000', memory: String(128 * 2 ** 20) });
    const less = resized(more, {
      main: { requests: { cpu: '1m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
    });
    await agent.assign({ upsert: [less] });
    const shrunk = await agent.until('grows', isDone(less));
    assert.deepEqual(await inForce(shrunk, 'main'), { cpu: '2', quota: '20000', memory: String(64 * 2 ** 20) });
    assert.equal(main(shrunk)?.containerID, main(first)?.containerID);
  });

  it('has the limits of the newest of 500 changes, and is the same container [conformance: pods-generation-500-updates]', async () => {
    const cpu = (change: number): string => `${100 + change}m`;
    let pod = shellPod('changes', 'sleep 1000', {
      container: { resources: { limits: { cpu: cpu(0), memory: '32Mi' } } },
    });
    await agent.assign({ upsert: [pod] });
    const first = await agent.until('changes', isReady);
    for (let change = 1; change <= 500; change += 1) {
      const amounts = { cpu: cpu(change), memory: '32Mi' };
      pod = resized(pod, { main: { requests: amounts, limits: amounts } });
      assert.equal((await agent.assign({ upsert: [pod] })).status, 200);
    }
    assert.equal(pod.metadata.generation, 501);
    const last = await agent.until('changes', isDone(pod));
    assert.deepEqual(
      [main(last)?.containerID, main(last)?.restartCount, isReady(last)],
      [main(first)?.containerID, 0, true],
    );
    assert.equal((await inForce(last, 'main')).quota, '60000');
  });

  it('is started again where its policy says so, with the new limits', async () => {
    const pod = shellPod('restarts', 'trap "exit 0" TERM; while true; do sleep 0.1; done', {
      container: {
        resources: { requests: { memory: '32Mi' }, limits: { memory: '64Mi' } },
        resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
      },
      spec: { restartPolicy: 'OnFailure' },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('restarts', (one) => main(one)?.state.running !== undefined);
    const more = resized(pod, { main: { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } } });
    await agent.assign({ upsert: [more] });
    const again = await agent.until('restarts', (one) => isDone(more)(one) && main(one)?.restartCount === 1);
    assert.ok(main(again)?.state.running);
    assert.equal((await inForce(again, 'main')).memory, String(128 * 2 ** 20));
  });

  it('keeps what it has where there is no room, across a restart of the agent, and gets more when there is', async () => {
    const wide = shellPod('wide', 'sleep 1000', { container: { resources: { requests: { cpu: '4' } } } });
    const waits = shellPod('waits', 'sleep 1000', { container: { resources: { requests: { cpu: '1' } } } });
    await agent.assign({ upsert: [wide, waits] });
    await agent.until('wide', (one) => main(one)?.state.running !== undefined);
    await agent.until('waits', (one) => main(one)?.state.running !== undefined);
    const pending = (reason: string) => (one: PodReport) =>
      one.status?.conditions?.some((c) => c.type === 'PodResizePending' && c.reason === reason) ?? false;
    const most = resized(waits, { main: { requests: { cpu: '9' } } });
    await agent.assign({ upsert: [most] });
    await agent.until('waits', pending('Infeasible'));
    const more = resized(most, { main: { requests: { cpu: '5' } } });
    await agent.assign({ upsert: [more] });
    await agent.until('waits', pending('Deferred'));
    await agent.kill();
    agent = await startAgent(host);
    const still = await agent.until('waits', pending('Deferred'));
    assert.deepEqual(main(still)?.allocatedResources, { cpu: '1' });
    assert.equal((await inForce(still, 'main')).cpu, '1024');
    await agent.assign({ remove: ['pods/default/wide'] });
    const grown = await agent.until('waits', isDone(more));
    assert.equal((await inForce(grown, 'main')).cpu, '5120');
    assert.equal(main(grown)?.restartCount, 0);
  });

  it('is not held to less memory than it uses, and says why', async () => {
    const hold = 'x=$(printf "%40000000s" a); touch /tmp/holds; sleep 1000; exit $?';
    const pod = shellPod('holds', hold, {
      container: { resources: { requests: { memory: '16Mi' }, limits: { memory: '256Mi' } } },
    });
    await agent.assign({ upsert: [pod] });
    await agent.until('holds', (one) => main(one)?.state.running !== undefined);
    const less = resized(pod, { main: { requests: { memory: '16Mi' }, limits: { memory: '17Mi' } } });
    await agent.exec('holds', ['/bin/sh', '-c', 'until test -e /tmp/holds; do sleep 0.1; done']);
    await agent.assign({ upsert: [less] });
    const refused = await agent.until(
      'holds',
      (one) => one.status?.conditions?.some((c) => c.type === 'PodResizeInProgress' && c.reason === 'Error') ?? false,
    );
    assert.ok(main(refused)?.state.running);
    assert.equal((await inForce(refused, 'main')).memory, String(256 * 2 ** 20));
  });
});
