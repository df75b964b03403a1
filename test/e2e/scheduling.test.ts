/** Placement on real hosts: what the rules of the manifests say, and what people are told when they cannot be met. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findCondition, type StoredPod } from '../../contracts/objects/index.ts';
import { eventually, Fleet } from './fleet.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const GPU = 'example.com/gpu';

interface Workload {
  readonly name: string;
  readonly replicas: number;
  readonly requests?: string;
  /** Members of the pod's spec and labels, as YAML flow. */
  readonly pod?: readonly string[];
  readonly labels?: string;
  /** Its pods are still there for so long when they are deleted, to be looked at. */
  readonly lingerSeconds?: number;
}

function deployment({
  name,
  replicas,
  requests = 'cpu: 10m, memory: 8Mi',
  pod = [],
  labels = '',
  lingerSeconds = 0,
}: Workload): string {
  return [
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    `  replicas: ${replicas}`,
    '  strategy: {type: Recreate}',
    '  selector:',
    `    matchLabels: {app: ${name}}`,
    '  template:',
    '    metadata:',
    `      labels: {app: ${name}${labels}}`,
    '    spec:',
    ...pod.map((line) => `      ${line}`),
    `      terminationGracePeriodSeconds: ${Math.max(1, lingerSeconds)}`,
    '      containers:',
    '        - name: web',
    '          image: registry.lab/hello:1',
    ...(lingerSeconds > 0 ? [`          lifecycle: {preStop: {sleep: {seconds: ${lingerSeconds}}}}`] : []),
    '          resources:',
    `            requests: {${requests}}`,
    ...(requests.includes(GPU) ? [`            limits: {${requests}}`] : []),
    '',
  ].join('\n');
}

describe('scheduling', () => {
  let fleet: Fleet;

  before(async () => {
    fleet = await Fleet.start({
      name: 'e2esch',
      subnet: '198.18.20.0/24',
      podCIDR: '198.18.224.0/20',
      serviceCIDR: '198.19.192.0/19',
      nodes: 3,
    });
    // Two zones, and one device on each host of the first.
    for (const [node, zone, gpus] of [
      ['node-1', 'a', '1'],
      ['node-2', 'a', '1'],
      ['node-3', 'b', '0'],
    ] as const) {
      const file = `machines/${node}.yaml`;
      const text = await readFile(path.join(fleet.checkout, file), 'utf8');
      await fleet.write(
        file,
        `${text}  labels: {topology.kubernetes.io/zone: ${zone}}\n  capacity: {${GPU}: "${gpus}"}\n`,
      );
    }
    await fleet.write(
      'classes.yaml',
      [
        'apiVersion: scheduling.k8s.io/v1',
        'kind: PriorityClass',
        'metadata: {name: urgent}',
        'value: 1000',
        '---',
        'apiVersion: scheduling.k8s.io/v1',
        'kind: PriorityClass',
        'metadata: {name: batch}',
        'value: -10',
        '',
      ].join('\n'),
    );
    await fleet.commitAndPush('Zones, devices and priorities');
    await eventually(
      'the hosts have their devices',
      30,
      async () => (await fleet.list('Node')).filter((n) => n.status?.allocatable?.[GPU] === '1').length === 2,
    );
  });
  after(async () => {
    await fleet?.close();
  });

  async function perNode(app: string, count: number): Promise<Record<string, number>> {
    const pods = await fleet.podsReady(app, count);
    const counts: Record<string, number> = {};
    for (const { spec } of pods) counts[spec.nodeName ?? ''] = (counts[spec.nodeName ?? ''] ?? 0) + 1;
    return counts;
  }
  async function pendingOf(app: string, count: number): Promise<readonly StoredPod[]> {
    return eventually(`${count} pods of ${app} are told why they have no node`, 30, async () => {
      const pods = (await fleet.pods(app)).filter(
        (p) => findCondition(p.status?.conditions, 'PodScheduled')?.status === 'False',
      );
      return pods.length === count && pods;
    });
  }
  const told = (pod: StoredPod | undefined): string | undefined =>
    findCondition(pod?.status?.conditions, 'PodScheduled')?.message;

  async function remove(...apps: readonly string[]): Promise<void> {
    await fleet.removeFiles(...apps.map((app) => `apps/${app}.yaml`));
    for (const app of apps) await eventually(`${app} is gone`, 60, async () => (await fleet.pods(app)).length === 0);
  }

  for (let round = 1; round <= REPEAT; round += 1) {
    const named = (name: string): string => `${name}-${round}`;
    const push = async (...workloads: readonly Workload[]): Promise<void> => {
      for (const workload of workloads) await fleet.write(`apps/${workload.name}.yaml`, deployment(workload));
      await fleet.commitAndPush(`Add ${workloads.map(({ name }) => name).join(', ')}`);
    };

    describe(`round ${round}`, () => {
      it('spreads over zones as the constraint says', async () => {
        const name = named('spread');
        await push({
          name,
          replicas: 6,
          pod: [
            'topologySpreadConstraints:',
            `  - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: ${name}}}}`,
          ],
        });
        const counts = await perNode(name, 6);
        assert.equal(counts['node-3'], 3, 'half of them in the zone of one host');
        assert.equal((counts['node-1'] ?? 0) + (counts['node-2'] ?? 0), 3);
        await remove(name);
      });

      it('keeps pods apart, and says of the one too many why it waits', async () => {
        const name = named('apart');
        await push({
          name,
          replicas: 4,
          pod: [
            'affinity:',
            '  podAntiAffinity:',
            '    requiredDuringSchedulingIgnoredDuringExecution:',
            `      - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: ${name}}}}`,
          ],
        });
        const [waiting] = await pendingOf(name, 1);
        assert.equal(told(waiting), "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.");
        const running = await eventually('three run', 60, async () => {
          const pods = (await fleet.pods(name)).filter((p) => p.status?.phase === 'Running');
          return pods.length === 3 && pods;
        });
        assert.equal(new Set(running.map((p) => p.spec.nodeName)).size, 3);
        await remove(name);
      });

      it('gives a device to the more urgent pod, and the other one waits for the next [conformance: verify-the-disruptiontarget-condition-is-added-to]', async () => {
        const [batch, urgent] = [named('batch'), named('urgent')];
        await push({
          name: batch,
          replicas: 2,
          requests: `${GPU}: 1`,
          pod: ['priorityClassName: batch'],
          lingerSeconds: 5,
        });
        assert.deepEqual(await perNode(batch, 2), { 'node-1': 1, 'node-2': 1 });
        await push({ name: urgent, replicas: 1, requests: `${GPU}: 1`, pod: ['priorityClassName: urgent'] });
        const why = await eventually('the victim is told so before it is gone', 30, async () => {
          const going = (await fleet.pods(batch)).find((p) => p.metadata.deletionTimestamp !== undefined);
          return going && (findCondition(going.status?.conditions, 'DisruptionTarget') ?? 'nothing');
        });
        assert.ok(why !== 'nothing', 'it has the condition when it is being deleted');
        assert.deepEqual([why.status, why.reason], ['True', 'PreemptionByScheduler']);
        const [winner] = await fleet.podsReady(urgent, 1);
        assert.equal(
          findCondition(winner?.status?.conditions, 'PodScheduled')?.status,
          'True',
          'though it was refused first',
        );
        const [waiting] = await pendingOf(batch, 1);
        assert.match(told(waiting) ?? '', /^0\/3 nodes are available: 3 Insufficient example.com\/gpu\./);
        const still = (await fleet.pods(batch)).filter(
          (p) => p.spec.nodeName !== undefined && p.metadata.deletionTimestamp === undefined,
        );
        assert.equal(still.length, 1);
        assert.notEqual(still[0]?.spec.nodeName, winner?.spec.nodeName);
        await remove(urgent);
        await perNode(batch, 2);
        await remove(batch);
      });

      it('starts a gang when all of it has room, and none of it before', async () => {
        const [holder, gang] = [named('holder'), named('gang')];
        await push({ name: holder, replicas: 1, requests: `${GPU}: 1` });
        await perNode(holder, 1);
        const group = [
          'apiVersion: scheduling.x-k8s.io/v1alpha1',
          'kind: PodGroup',
          `metadata: {name: ${gang}}`,
          'spec: {minMember: 2}',
          '---',
          '',
        ].join('\n');
        await fleet.write(
          `apps/${gang}.yaml`,
          group +
            deployment({
              name: gang,
              replicas: 2,
              requests: `${GPU}: 1`,
              labels: `, scheduling.x-k8s.io/pod-group: ${gang}`,
            }),
        );
        await fleet.commitAndPush('A gang of two');
        for (const pod of await pendingOf(gang, 2)) {
          assert.match(
            told(pod) ?? '',
            new RegExp(`^pod group default/${gang} needs 2 pods placed together, 1 can be: `),
          );
          assert.equal(pod.spec.nodeName, undefined);
        }
        await remove(holder);
        assert.deepEqual(await perNode(gang, 2), { 'node-1': 1, 'node-2': 1 });
        await eventually(
          'the group is said to run',
          30,
          async () =>
            (await fleet.list('PodGroup')).find(({ metadata }) => metadata.name === gang)?.status?.phase === 'Running',
        );
        await remove(gang);
      });
    });
  }
});
