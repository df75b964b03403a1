/** Pods of their own, in Git, that change while they run: what they may take, when they end, and who looks into them. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ContainerStatus, StoredPod } from '../../../contracts/objects/index.ts';
import { isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { eventually } from '../fleet.ts';
import type { Theme } from './theme.ts';

/** cpu and memory of a container, requests and limits, each in that order. */
type Sizes = readonly (readonly [requests: readonly [string, string], limits: readonly [string, string] | undefined])[];

const guaranteed = (...sizes: readonly (readonly [string, string])[]): Sizes => sizes.map((size) => [size, size]);

export const livePods: Theme = (fleet, round) => {
  const namespace = `live-${round}`;
  const file = (name: string): string => `live-${round}/${name}.yaml`;

  const flow = ([cpu, memory]: readonly [string, string]): string => `{cpu: ${cpu}, memory: ${memory}}`;
  function manifest(name: string, sizes: Sizes, spec: readonly string[] = []): string {
    return [
      'apiVersion: v1',
      'kind: Pod',
      `metadata: {name: ${name}, namespace: ${namespace}}`,
      'spec:',
      '  terminationGracePeriodSeconds: 1',
      ...spec.map((line) => `  ${line}`),
      '  containers:',
      ...sizes.flatMap(([requests, limits], index) => [
        `    - name: c${index + 1}`,
        '      image: registry.lab/busybox:1',
        '      command: [sh, -c, "exec sleep 100000"]',
        `      resources: {requests: ${flow(requests)}${limits ? `, limits: ${flow(limits)}` : ''}}`,
      ]),
      '',
    ].join('\n');
  }
  /** Pushes, and answers what the hook said of it. */
  async function put(name: string, text: string): Promise<string> {
    await fleet().write(file('namespace'), `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${namespace}}\n`);
    await fleet().write(file(name), text);
    return (await fleet().commitAndPush(`Change ${name} (${round})`)).stderr;
  }
  const remove = (name: string): Promise<void> => fleet().removeFiles(file(name));
  const find = async (name: string): Promise<StoredPod | undefined> =>
    (await fleet().list('Pod', namespace)).find(({ metadata }) => metadata.name === name);
  const until = (what: string, name: string, test: (pod: StoredPod) => boolean): Promise<StoredPod> =>
    eventually(what, 60, async () => {
      const pod = await find(name);
      return pod && test(pod) ? pod : false;
    });
  const ids = ({ status }: StoredPod): unknown => status?.containerStatuses?.map(({ containerID }) => containerID);

  /** The pod once its node has in force what the manifest says. */
  async function has(name: string, sizes: Sizes): Promise<StoredPod> {
    return until(`${name} has its new sizes`, name, ({ metadata, status }) => {
      const isSized = (of: ContainerStatus, index: number): boolean => {
        const [requests, limits] = sizes[index] ?? [];
        const inForce = (list: Readonly<Record<string, string>> | undefined): unknown =>
          list && [list['cpu'], list['memory']];
        return (
          JSON.stringify([inForce(of.resources?.requests), inForce(of.resources?.limits)]) ===
          JSON.stringify([requests, limits])
        );
      };
      return (
        status?.observedGeneration === metadata.generation &&
        status?.containerStatuses?.length === sizes.length &&
        status.containerStatuses.every(isSized) &&
        status.conditions?.some(({ type }) => type.startsWith('PodResize')) === false
      );
    });
  }

  it('resizes all containers of a Guaranteed pod by a commit: more, less, and both [conformance: in-place-pod-resize-guaranteed-pods-with-multiple, in-place-pod-resize-guaranteed-pods-with-multiple-2, in-place-pod-resize-guaranteed-pods-with-multiple-3, in-place-pod-resize-read-and-replace-endpoints]', async () => {
    const steps = [
      guaranteed(['20m', '20Mi'], ['30m', '30Mi'], ['10m', '20Mi']),
      guaranteed(['30m', '30Mi'], ['40m', '40Mi'], ['20m', '30Mi']),
      guaranteed(['20m', '20Mi'], ['20m', '30Mi'], ['10m', '20Mi']),
      guaranteed(['30m', '30Mi'], ['10m', '20Mi'], ['20m', '20Mi']),
    ];
    const [first = [], ...changes] = steps;
    await put('guaranteed', manifest('guaranteed', first));
    const before = await until('it runs', 'guaranteed', isReady);
    assert.equal(before.metadata.generation, 1);
    for (const sizes of changes) {
      assert.match(
        await put('guaranteed', manifest('guaranteed', sizes)),
        /Pod\/live-\d+\/guaranteed \(resized in place\)/,
      );
      const after = await has('guaranteed', sizes);
      assert.deepEqual(ids(after), ids(before));
      assert.equal(after.status?.qosClass, 'Guaranteed');
    }
    const refused = put(
      'guaranteed',
      manifest('guaranteed', [[['10m', '20Mi'], undefined], ...guaranteed(['10m', '20Mi'])]),
    );
    await assert.rejects(refused, /ImmutableField/);
    await fleet().git(['reset', '-q', '--hard', 'origin/main']);
    await remove('guaranteed');
  });

  it('resizes six containers of a Burstable pod at once, and gives them limits [conformance: in-place-pod-resize-burtable-pod-with-multiple]', async () => {
    const six = Array.from({ length: 6 });
    const small: Sizes = six.map(() => [['5m', '10Mi'], undefined]);
    const large: Sizes = six.map((_, index) => [
      [`${6 + index}m`, '12Mi'],
      ['50m', '30Mi'],
    ]);
    await put('burstable', manifest('burstable', small));
    const before = await until('it runs', 'burstable', isReady);
    await put('burstable', manifest('burstable', large));
    assert.deepEqual(ids(await has('burstable', large)), ids(before));
    await remove('burstable');
  });

  it('counts the changes of a pod, and ends it at a deadline that it was given while it ran [conformance: pods-generation-updates, pods-activedeadlineseconds]', async () => {
    const sizes: Sizes = [[['5m', '10Mi'], undefined]];
    await put('deadline', manifest('deadline', sizes));
    const before = await until('it runs', 'deadline', isReady);
    const tolerates = 'tolerations: [{key: example.com/a, operator: Exists}]';
    await put('deadline', manifest('deadline', sizes, [tolerates]));
    const second = await until('its node knows of it', 'deadline', ({ status }) => status?.observedGeneration === 2);
    assert.deepEqual([before.metadata.generation, second.metadata.generation], [1, 2]);
    assert.deepEqual(ids(second), ids(before));
    await put('deadline', manifest('deadline', sizes, [tolerates, 'activeDeadlineSeconds: 1']));
    const ended = await until('it is over', 'deadline', ({ status }) => status?.phase === 'Failed');
    assert.deepEqual([ended.status?.reason, ended.metadata.generation], ['DeadlineExceeded', 3]);
    assert.equal(ended.metadata.uid, before.metadata.uid);
    await remove('deadline');
  });

  it('lets people look into a pod with containers that no manifest has [conformance: ephemeral-container-creation, ephemeral-container-update-ephemeral-containers, pods-generation-graceful-delete]', async () => {
    const slow = manifest('looked-at', [[['5m', '10Mi'], undefined]], ['terminationGracePeriodSeconds: 20']).replace(
      '  terminationGracePeriodSeconds: 1\n',
      '',
    );
    await put('looked-at', slow);
    const before = await until('it runs', 'looked-at', isReady);
    const debug = (name: string, ...words: readonly string[]) =>
      fleet().plumb(
        'debug',
        'pod/looked-at',
        '-n',
        namespace,
        '--image',
        'registry.lab/busybox:1',
        '-c',
        name,
        ...words,
      );
    const first = await debug('look', '--target', 'c1', '--', 'sh', '-c', 'cat /proc/1/cmdline; exit 0');
    assert.equal(first.code, 0, first.stderr);
    const log = await eventually('its log is there', 60, async () => {
      const { stdout } = await fleet().plumb('logs', 'looked-at', '-n', namespace, '-c', 'look');
      return stdout !== '' && stdout;
    });
    assert.match(log, /sleep/);
    const second = await debug('stays', '--', 'sleep', '100000');
    assert.equal(second.code, 0, second.stderr);
    const looked = await until('both are told of', 'looked-at', ({ status }) => {
      const [one, other] = status?.ephemeralContainerStatuses ?? [];
      return one?.state.terminated?.exitCode === 0 && other?.state.running !== undefined;
    });
    assert.deepEqual(ids(looked), ids(before));
    const plan = await fleet().plumb('plan', '--live');
    assert.doesNotMatch(plan.stdout, /looked-at/);
    await fleet().plumb('delete', 'pod/looked-at', '-n', namespace);
    const going = await until(
      'it is told to end',
      'looked-at',
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
    );
    assert.equal(going.metadata.uid, before.metadata.uid);
    assert.equal(going.metadata.generation, looked.metadata.generation + 1);
    await remove('looked-at');
    await fleet().plumb('delete', 'pod/looked-at', '-n', namespace, '--grace-period', '1');
    await eventually('it is gone', 60, async () => (await find('looked-at')) === undefined);
    await fleet().removeFiles(`live-${round}`);
  });
};
