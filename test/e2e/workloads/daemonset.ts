/** DaemonSets: one pod on each node that should have one, whatever happens to pods, nodes, templates and the store. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import type { StoredOf, StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import { loseStore } from '../redis.ts';
import type { Theme } from './theme.ts';

interface Written {
  readonly image?: string;
  /** Members of the spec and of the pod's spec, as YAML flow. */
  readonly spec?: string;
  readonly pod?: string;
  readonly requests?: string;
}

export const daemonSets: Theme = (fleet, round) => {
  const namespace = `daemon-${round}`;
  const file = `daemon-${round}/agent.yaml`;
  const nodes = (): readonly string[] => fleet().lab.nodes.map(({ name }) => name);

  function manifest({ image = 'hello:1', spec = '', pod = '', requests = 'cpu: 10m, memory: 8Mi' }: Written): string {
    return [
      'apiVersion: v1',
      'kind: Namespace',
      `metadata: {name: ${namespace}}`,
      '---',
      'apiVersion: apps/v1',
      'kind: DaemonSet',
      `metadata: {name: agent, namespace: ${namespace}}`,
      'spec:',
      '  selector:',
      '    matchLabels: {app: agent}',
      ...(spec === '' ? [] : [`  ${spec}`]),
      '  template:',
      '    metadata:',
      '      labels: {app: agent}',
      '    spec:',
      ...(pod === '' ? [] : [`      ${pod}`]),
      '      terminationGracePeriodSeconds: 1',
      '      containers:',
      '        - name: agent',
      `          image: registry.lab/${image}`,
      '          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}',
      `          resources: {requests: {${requests}}}`,
      '',
    ].join('\n');
  }
  async function put(message: string, written: Written): Promise<void> {
    await fleet().write(file, manifest(written));
    await fleet().commitAndPush(message);
  }
  async function daemonSet(): Promise<StoredOf<'DaemonSet'> | undefined> {
    return (await fleet().list('DaemonSet', namespace)).at(0);
  }
  const pods = (): Promise<readonly StoredPod[]> => fleet().list('Pod', namespace);
  const imageOf = (pod: StoredPod): string | undefined => pod.spec.containers[0]?.image;

  /** Its pods once there is just one on each of these nodes, ready, and of that image. */
  function runningOn(wanted: readonly string[], image = 'hello:1'): Promise<readonly StoredPod[]> {
    return eventually(`a pod of ${image} on ${wanted.join(', ') || 'no node'}`, 60, async () => {
      const found = await pods();
      const good = found.filter(
        (pod) =>
          pod.metadata.deletionTimestamp === undefined && isReady(pod) && imageOf(pod) === `registry.lab/${image}`,
      );
      const on = good.map(({ spec }) => spec.nodeName ?? '').sort();
      return found.length === good.length && on.join() === [...wanted].sort().join() && good;
    });
  }
  const uids = (found: readonly StoredPod[]): string[] => found.map(({ metadata }) => metadata.uid).sort();
  async function remove(): Promise<void> {
    await fleet().removeFiles(file);
    await eventually('nothing is left of it', 60, async () => (await pods()).length === 0);
  }

  it('runs on every node, and a pod that is deleted comes back [conformance: daemonset-creation]', async () => {
    await put('Run a daemon', {});
    const [first, ...others] = await runningOn(nodes());
    assert.ok(first);
    assert.equal((await fleet().plumb('status', '--wait', '--timeout', '60')).code, 0);
    await fleet().plumb('delete', `pod/${first.metadata.name}`, '-n', namespace);
    const after = await eventually('another pod on its node', 60, async () => {
      const found = await runningOn(nodes());
      return !uids(found).includes(first.metadata.uid) && found;
    });
    for (const pod of others) assert.ok(uids(after).includes(pod.metadata.uid), 'the others were left alone');
    await remove();
  });

  it('makes a failed pod anew, later each time [conformance: daemonset-failedpodcreation]', async () => {
    const [node = ''] = nodes();
    // Bound without the scheduler, so that the node itself has to refuse it.
    await put('Run a daemon that does not fit', { pod: `nodeName: ${node}`, requests: 'cpu: 1000' });
    const reasons = new Map<string, string | undefined>();
    await eventually('three pods were refused, one after the other', 60, async () => {
      for (const { metadata, status } of await pods())
        if (status?.phase === 'Failed') reasons.set(metadata.uid, status.reason);
      return reasons.size >= 3;
    });
    assert.deepEqual([...new Set(reasons.values())], ['OutOfcpu']);
    const told = (await fleet().list('Event', namespace)).filter(({ reason }) => reason === 'FailedDaemonPod');
    assert.ok(told.length > 0, 'an event tells of it');
    await put('Let it fit', { pod: `nodeName: ${node}` });
    await runningOn([node]);
    await remove();
  });

  it('follows the labels of nodes [conformance: daemonset-nodeselection]', async () => {
    const [node = ''] = nodes();
    const machine = `machines/${node}.yaml`;
    const before = await readFile(path.join(fleet().checkout, machine), 'utf8');
    const label = async (labels: string): Promise<void> => {
      await fleet().write(machine, `${before}  labels: {${labels}}\n`);
      await fleet().commitAndPush(`Label ${node} ${labels}`);
    };
    await put('Run a daemon on blue nodes', { pod: `nodeSelector: {color-${round}: blue}` });
    await eventually('it is looked at', 30, async () => (await daemonSet())?.status?.desiredNumberScheduled === 0);
    assert.deepEqual(await pods(), []);
    await label(`color-${round}: blue`);
    await runningOn([node]);
    await label(`color-${round}: green`);
    await runningOn([]);
    await put('Run it on green nodes', { pod: `nodeSelector: {color-${round}: green}` });
    await runningOn([node]);
    await fleet().write(machine, before);
    await remove();
  });

  it('replaces its pods node by node [conformance: daemonset-rollingupdate]', async () => {
    await put('Run a daemon', {});
    const before = uids(await runningOn(nodes()));
    await put('Update it', { image: 'hello:2' });
    let fewest = Number.POSITIVE_INFINITY;
    await eventually('the update is through', 90, async () => {
      const found = await pods();
      fewest = Math.min(fewest, found.filter((pod) => isReady(pod)).length);
      const { status, metadata } = (await daemonSet()) ?? {};
      return (
        status?.observedGeneration === metadata?.generation &&
        status?.updatedNumberScheduled === nodes().length &&
        status.numberAvailable === nodes().length
      );
    });
    const after = uids(await runningOn(nodes(), 'hello:2'));
    assert.ok(after.every((uid) => !before.includes(uid)));
    assert.ok(fewest >= nodes().length - 1, `${fewest} ready pods at a time`);
    const revisions = await fleet().list('ControllerRevision', namespace);
    assert.deepEqual(revisions.map(({ revision }) => revision).sort(), [1, 2]);
    const hashes = new Set((await pods()).map(({ metadata }) => metadata.labels?.['controller-revision-hash']));
    assert.deepEqual(
      [...hashes],
      revisions
        .filter(({ revision }) => revision === 2)
        .map(({ metadata }) => metadata.labels?.['controller-revision-hash']),
    );
    await remove();
  });

  it('that is rolled back restarts only what was changed [conformance: daemonset-rollback]', async () => {
    await put('Run a daemon', {});
    const before = await runningOn(nodes());
    await put('Break it', { image: 'hello:broken' });
    const broken = await eventually('one pod is broken', 60, async () =>
      (await pods()).find(
        (pod) =>
          imageOf(pod) === 'registry.lab/hello:broken' &&
          pod.status?.containerStatuses?.some((c) => c.restartCount > 0),
      ),
    );
    assert.equal((await pods()).filter((pod) => imageOf(pod) === 'registry.lab/hello:broken').length, 1);
    await fleet().git(['revert', '--no-edit', 'HEAD']);
    assert.equal((await fleet().push()).code, 0);
    const after = await runningOn(nodes());
    const kept = before.filter(({ spec }) => spec.nodeName !== broken.spec.nodeName);
    assert.equal(kept.length, nodes().length - 1);
    for (const pod of kept) assert.ok(uids(after).includes(pod.metadata.uid), `the pod on ${pod.spec.nodeName}`);
    await remove();
  });

  it('restarts no pod when the store is lost', async () => {
    await put('Run a daemon', {});
    const before = await runningOn(nodes());
    await loseStore(fleet());
    await eventually('the state is rebuilt', 60, async () => {
      const status = (await daemonSet())?.status;
      return status?.updatedNumberScheduled === nodes().length && status.numberAvailable === nodes().length;
    });
    const after = await runningOn(nodes());
    assert.deepEqual(uids(after), uids(before));
    const restarts = (found: readonly StoredPod[]): number[] =>
      found.flatMap(({ status }) => status?.containerStatuses?.map(({ restartCount }) => restartCount) ?? []);
    assert.deepEqual(restarts(after), restarts(before));
    await remove();
  });

  it('as in the example repository writes down the load of every node', async () => {
    const example = path.join(import.meta.dirname, '../../../examples-repo/apps/node-logger.yaml');
    const name = `node-logger-${round}`;
    const text = (await readFile(example, 'utf8')).replaceAll('node-logger', name);
    await fleet().write(`${name}.yaml`, text);
    await fleet().commitAndPush('Log the load of nodes');
    await fleet().podsReady(name, nodes().length);
    await eventually('it tells the load of its node', 60, async () => {
      const { stdout } = await fleet().plumb('logs', `daemonset/${name}`);
      return nodes().some((node) => stdout.startsWith(`${node} load `));
    });
    await fleet().removeFiles(`${name}.yaml`);
    await eventually('nothing is left of it', 60, async () => (await fleet().pods(name)).length === 0);
  });
};
