/** Deployments: how one template follows another, and what happens when something else is wanted in the middle of it. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { StoredOf, StoredPod } from '../../../contracts/objects/index.ts';
import { isActive, isFinished, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

interface Written {
  readonly name: string;
  readonly replicas?: number;
  /** A tag that the registry has not is an update that stands still. */
  readonly version?: string;
  /** Members of the spec and of the metadata, as YAML flow. */
  readonly spec?: string;
  readonly metadata?: string;
}
const ABSENT = 'absent';
const imageOf = (pod: StoredPod): string => pod.spec.containers[0]?.image.split(':')[1] ?? '';

export const deployments: Theme = (fleet, round) => {
  const namespace = `deploy-${round}`;
  const file = (name: string): string => `deploy-${round}/${name}.yaml`;

  function manifest({ name, replicas = 2, version = '1', spec = '', metadata = '' }: Written): string {
    return [
      'apiVersion: apps/v1',
      'kind: Deployment',
      `metadata: {name: ${name}, namespace: ${namespace}${metadata}}`,
      'spec:',
      `  replicas: ${replicas}`,
      '  selector:',
      '    matchLabels: {app: web}',
      ...(spec === '' ? [] : [`  ${spec}`]),
      '  template:',
      '    metadata:',
      '      labels: {app: web}',
      '    spec:',
      '      terminationGracePeriodSeconds: 1',
      '      containers:',
      '        - name: web',
      `          image: registry.lab/hello:${version}`,
      '          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}',
      '          resources: {requests: {cpu: 10m, memory: 8Mi}}',
      '',
    ].join('\n');
  }
  async function put(message: string, written: Written): Promise<void> {
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await fleet().write(file(written.name), manifest(written));
    await fleet().commitAndPush(message);
  }
  const pods = (): Promise<readonly StoredPod[]> => fleet().list('Pod', namespace);
  async function remove(): Promise<void> {
    await fleet().removeFiles(`deploy-${round}`);
    await eventually('nothing is left of it', 60, async () => (await pods()).length === 0);
  }
  /** Sizes of its ReplicaSets, as wanted, by the version that they run; those without pods left out. */
  async function sizes(): Promise<Readonly<Record<string, number>>> {
    const sets = await fleet().list('ReplicaSet', namespace);
    return Object.fromEntries(
      sets
        .filter(({ spec, status }) => spec.replicas > 0 || (status?.replicas ?? 0) > 0)
        .map(({ spec }) => [spec.template.spec.containers[0]?.image.split(':')[1] ?? '', spec.replicas]),
    );
  }
  const areSizes = async (wanted: Readonly<Record<string, number>>): Promise<boolean> => {
    const found = await sizes();
    return (
      Object.keys(found).length === Object.keys(wanted).length &&
      Object.entries(wanted).every(([version, size]) => found[version] === size)
    );
  };
  /** Its pods once there are just so many, ready, and of that version. */
  function running(count: number, version: string): Promise<readonly StoredPod[]> {
    return eventually(`${count} pods of version ${version}`, 60, async () => {
      const found = await pods();
      const good = found.filter((pod) => isActive(pod) && isReady(pod) && imageOf(pod) === version);
      return found.length === count && good.length === count && good;
    });
  }
  const deployment = async (name: string): Promise<StoredOf<'Deployment'> | undefined> =>
    (await fleet().list('Deployment', namespace)).find(({ metadata }) => metadata.name === name);

  it('that recreates has no new pod before the old ones are gone [conformance: deployment-recreate]', async () => {
    const spec = 'strategy: {type: Recreate}';
    await put('Run version 1', { name: 'web', spec });
    await running(2, '1');
    await put('Recreate it', { name: 'web', version: '2', spec });
    let most = 0;
    await eventually('version 2 runs', 60, async () => {
      const versions = new Set((await pods()).filter((pod) => !isFinished(pod)).map(imageOf));
      most = Math.max(most, versions.size);
      return versions.has('2');
    });
    assert.equal(most, 1, 'versions at one time');
    await running(2, '2');
    await remove();
  });

  it('replaces the pods of a ReplicaSet that it adopts [conformance: deployment-rollingupdate]', async () => {
    await put('Run the first', { name: 'first', metadata: ', finalizers: [orphan]' });
    const before = await running(2, '1');
    await fleet().removeFiles(file('first'));
    await eventually('it is gone, and its pods stay', 30, async () => (await deployment('first')) === undefined);
    const uids = (found: readonly StoredPod[]): string[] => found.map(({ metadata }) => metadata.uid).sort();
    assert.deepEqual(uids(await running(2, '1')), uids(before));
    await put('Run the second', { name: 'second', version: '2' });
    await running(2, '2');
    const owner = (await deployment('second'))?.metadata;
    const sets = await fleet().list('ReplicaSet', namespace);
    assert.deepEqual(
      sets.map(({ metadata }) => metadata.ownerReferences?.[0]?.uid),
      [owner?.uid, owner?.uid],
    );
    await eventually('the first one counts none any more', 30, () => areSizes({ '2': 2 }));
    // The adopted one counts in its history.
    assert.equal(owner?.annotations?.['deployment.kubernetes.io/revision'], '2');
    await remove();
  });

  it('keeps as many old ReplicaSets as it is told [conformance: deployment-revisionhistorylimit]', async () => {
    const spec = 'revisionHistoryLimit: 0';
    await put('Run version 1', { name: 'web', replicas: 1, spec });
    await running(1, '1');
    await put('Run version 2', { name: 'web', replicas: 1, version: '2', spec });
    await running(1, '2');
    await eventually('one ReplicaSet is left', 30, async () => {
      const sets = await fleet().list('ReplicaSet', namespace);
      return sets.length === 1 && sets[0]?.spec.template.spec.containers[0]?.image === 'registry.lab/hello:2';
    });
    await remove();
  });

  it('that is scaled in the middle of an update keeps its shares [conformance: deployment-proportional-scaling]', async () => {
    const spec = 'strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}';
    await put('Run version 1', { name: 'web', replicas: 5, spec });
    await running(5, '1');
    await put('Update to what is not there', { name: 'web', replicas: 5, version: ABSENT, spec });
    // Five, and three more; of those that serve two may be missing.
    await eventually('the update stands still', 60, () => areSizes({ '1': 3, [ABSENT]: 5 }));
    await put('Scale it', { name: 'web', replicas: 10, version: ABSENT, spec });
    // Five more, of thirteen in all: three fifths and two.
    await eventually('both have their share', 60, () => areSizes({ '1': 5, [ABSENT]: 8 }));
    await eventually('all that can run does', 60, async () => {
      const ready = (await pods()).filter((pod) => isActive(pod) && isReady(pod));
      return ready.length === 5 && ready.every((pod) => imageOf(pod) === '1');
    });
    await remove();
  });

  it('leaves an update that a newer one overtakes [conformance: deployment-rollover]', async () => {
    const spec = 'strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}';
    await put('Run version 1', { name: 'web', spec });
    await running(2, '1');
    await put('Update to what is not there', { name: 'web', version: ABSENT, spec });
    await eventually('its first pod cannot start', 60, () => areSizes({ '1': 2, [ABSENT]: 1 }));
    await put('Update to version 2', { name: 'web', version: '2', spec });
    let fewest = Number.POSITIVE_INFINITY;
    await eventually('version 2 runs', 60, async () => {
      fewest = Math.min(fewest, (await pods()).filter((pod) => isActive(pod) && isReady(pod)).length);
      return areSizes({ '2': 2 });
    });
    assert.ok(fewest >= 2, `${fewest} ready pods at a time`);
    await running(2, '2');
    await remove();
  });
};
