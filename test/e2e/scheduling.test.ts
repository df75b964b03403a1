/** Placement on real hosts: what the rules of the manifests say, and what people are told when they cannot be met. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { conditionIsTrue, findCondition, parseMilli, type StoredPod } from '../../contracts/objects/index.ts';
import { isReady } from '../../reconciler/core/workloads/pod-state.ts';
import { eventually, Fleet } from './fleet.ts';

const REPEAT = Number(process.env['PLUMB_E2E_REPEAT'] ?? '1');
const GPU = 'example.com/gpu';
const SLOT = 'example.com/slot';
const SLOTS = 4;
/** Priorities of the classes `level-1` and so on. */
const LEVELS = [1, 2, 3, 4];

interface Workload {
  readonly name: string;
  readonly replicas: number;
  readonly requests?: string;
  /** Lines of the pod's spec and the container, and labels, as YAML flow. */
  readonly pod?: readonly string[];
  readonly container?: readonly string[];
  readonly labels?: string;
  /** Its pods are still there for so long when they are deleted, to be looked at. */
  readonly lingerSeconds?: number;
}

function deployment({
  name,
  replicas,
  requests = 'cpu: 10m, memory: 8Mi',
  pod = [],
  container = [],
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
    ...(requests.includes('example.com/') ? [`            limits: {${requests}}`] : []),
    ...container.map((line) => `          ${line}`),
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
    // Two zones, one device on each host of the first, and slots on one of them.
    for (const [node, zone, capacity] of [
      ['node-1', 'a', `${GPU}: "1", ${SLOT}: "${SLOTS}"`],
      ['node-2', 'a', `${GPU}: "1"`],
      ['node-3', 'b', `${GPU}: "0"`],
    ] as const) {
      const file = `machines/${node}.yaml`;
      const text = await readFile(path.join(fleet.checkout, file), 'utf8');
      await fleet.write(file, `${text}  labels: {topology.kubernetes.io/zone: ${zone}}\n  capacity: {${capacity}}\n`);
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
        ...LEVELS.flatMap((level) => [
          '---',
          'apiVersion: scheduling.k8s.io/v1',
          'kind: PriorityClass',
          `metadata: {name: level-${level}}`,
          `value: ${level}`,
        ]),
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

      it('places by selectors, room and ports, and says of what fits nowhere why it waits [conformance: scheduler-node-selector-matching, scheduler-node-selector-not-matching, scheduler-resource-limits, scheduling-hostport-and-protocol-match-hostips, conformance-tests-minimum-number-of-nodes]', async () => {
        const nodes = await eventually('three nodes take pods', 30, async () => {
          const found = await fleet.list('Node');
          return (
            found.filter(({ spec }) => !spec.unschedulable && (spec.taints ?? []).length === 0).length === 3 && found
          );
        });
        // More than half of any host, so that a second one has no room beside the first.
        const cpu = Math.max(...nodes.map(({ status }) => parseMilli(status?.allocatable?.['cpu'] ?? '0')));
        const most = `cpu: ${Math.ceil(cpu * 0.6)}m`;
        const [there, nowhere, fills, large] = [named('there'), named('nowhere'), named('fills'), named('large')];
        const ports = [named('port-of-all'), named('port-of-one')];
        const lastZone = 'nodeSelector: {topology.kubernetes.io/zone: b}';
        const port = (hostIP: string): readonly string[] => [
          `ports: [{containerPort: 8080, hostPort: 31${80 + round}${hostIP}}]`,
        ];
        await push(
          { name: there, replicas: 1, pod: [lastZone] },
          { name: nowhere, replicas: 1, pod: ['nodeSelector: {example.com/there: "no"}'] },
          {
            name: fills,
            replicas: 3,
            requests: most,
            pod: [
              'affinity:',
              '  podAntiAffinity:',
              '    requiredDuringSchedulingIgnoredDuringExecution:',
              `      - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: ${fills}}}}`,
            ],
          },
          { name: ports[0] ?? '', replicas: 1, pod: [lastZone], container: port('') },
          { name: ports[1] ?? '', replicas: 1, pod: [lastZone], container: port(', hostIP: 127.0.0.1') },
        );
        assert.deepEqual(await perNode(there, 1), { 'node-3': 1 });
        const [without] = await pendingOf(nowhere, 1);
        assert.match(told(without) ?? '', /^0\/3 nodes are available: 3 node\(s\) didn't match Pod's node affinity/);
        await perNode(fills, 3);
        await push({ name: large, replicas: 1, requests: most });
        assert.match(told((await pendingOf(large, 1))[0]) ?? '', /^0\/3 nodes are available: 3 Insufficient cpu\./);
        const [first, second] = await eventually('one of them has the port', 30, async () => {
          const pods = (await Promise.all(ports.map((name) => fleet.pods(name)))).flat();
          const on = pods.filter((pod) => isReady(pod));
          const off = pods.filter((pod) => pod.spec.nodeName === undefined && told(pod) !== undefined);
          return on.length === 1 && off.length === 1 && [on[0], off[0]];
        });
        assert.equal(first?.spec.nodeName, 'node-3');
        assert.match(told(second) ?? '', /1 node\(s\) didn't have free ports for the requested pod ports/);
        await remove(there, nowhere, fills, large, ...ports);
      });

      it('takes the place of the least urgent, and of no more than it needs [conformance: pod-preemption-verification, scheduler-basic-preemption, scheduler-preemption-for-critical-pod]', async () => {
        const names = LEVELS.map((level) => named(`level-${level}`));
        const critical = named('critical');
        const level = (at: number, replicas: number): Workload => ({
          name: names[at - 1] ?? '',
          replicas,
          requests: `${SLOT}: 1`,
          pod: [`priorityClassName: level-${at}`],
        });
        /** How many pods of each level run, and what became of the rest. */
        const running = (...wanted: readonly number[]): Promise<unknown> =>
          eventually(`${wanted.join(', ')} pods run`, 60, async () => {
            const counts = await Promise.all(
              [...names, critical].map(async (name) => (await fleet.pods(name)).filter((pod) => isReady(pod)).length),
            );
            return counts.join() === [...wanted, ...Array<number>(counts.length - wanted.length).fill(0)].join();
          });
        const uids = async (at: number): Promise<readonly string[]> =>
          (await fleet.pods(names[at - 1] ?? '')).map(({ metadata }) => metadata.uid);
        await push(level(1, SLOTS));
        await running(4);
        await push(level(2, 1), level(3, 1));
        await running(2, 1, 1);
        const third = await uids(3);
        await push(level(4, 2));
        await running(0, 1, 1, 2);
        assert.equal((await pendingOf(names[0] ?? '', 4)).length, 4);
        await push({ ...level(4, 1), name: critical, pod: ['priorityClassName: system-cluster-critical'] });
        await running(0, 0, 1, 2, 1);
        assert.deepEqual(await uids(3), third, 'it was never in the way');
        await remove(...names, critical);
      });

      it('empties a tainted host after what its pods tolerate, and not where the taint is gone by then [conformance: pod-eviction-toleration-limits, taint-pod-eviction-on-taint-removal]', async () => {
        const key = `example.com/evict-${round}`;
        const pinned = (name: string, node: string, tolerationSeconds: number): Workload => ({
          name: named(name),
          replicas: 1,
          pod: [
            `nodeSelector: {kubernetes.io/hostname: ${node}}`,
            ...(tolerationSeconds === 0
              ? []
              : [
                  `tolerations: [{key: ${key}, operator: Exists, effect: NoExecute, tolerationSeconds: ${tolerationSeconds}}]`,
                ]),
          ],
        });
        // The one that stays would go before the last one, if the taint were still counted: the commit without it is to be in force by then.
        const workloads = [
          pinned('at-once', 'node-2', 0),
          pinned('short', 'node-2', 2),
          pinned('long', 'node-2', 25),
          pinned('stays', 'node-1', 20),
        ];
        await push(...workloads);
        const uids = new Map<string, string>();
        for (const { name } of workloads) uids.set(name, (await fleet.podsReady(name, 1))[0]?.metadata.uid ?? '');
        const gone = new Set<string>();
        const look = async (): Promise<void> => {
          for (const [name, uid] of uids) {
            const pod = (await fleet.pods(name)).find(({ metadata }) => metadata.uid === uid);
            if (pod?.metadata.deletionTimestamp !== undefined || !pod) gone.add(name);
          }
        };
        const machines = ['node-1', 'node-2'].map((node) => `machines/${node}.yaml`);
        const texts = await Promise.all(machines.map((file) => readFile(path.join(fleet.checkout, file), 'utf8')));
        const write = async (message: string, ...tainted: readonly boolean[]): Promise<void> => {
          for (const [at, file] of machines.entries())
            await fleet.write(
              file,
              `${texts[at]}${tainted[at] ? `  taints: [{key: ${key}, effect: NoExecute}]\n` : ''}`,
            );
          await fleet.commitAndPush(message);
        };
        await write('Taint two hosts', true, true);
        await eventually('the one that tolerates nothing goes', 30, async () => {
          await look();
          return gone.size > 0;
        });
        await write('Leave one of them', false, true);
        await eventually('the last one on the tainted host goes', 60, async () => {
          await look();
          return gone.has(named('long'));
        });
        assert.deepEqual([...gone], ['at-once', 'short', 'long'].map(named));
        assert.equal((await fleet.podsReady(named('stays'), 1))[0]?.metadata.uid, uids.get(named('stays')));
        await write('Leave both', false, false);
        await remove(...workloads.map(({ name }) => name));
      });

      it('lets a drain take what a budget leaves, and a Job is none the worse for it [conformance: poddisruptionbudget-block-an-eviction-until-the-pdb, poddisruptionbudget-status-updates, ensure-pod-failure-policy-allows-to-ignore-failure]', async () => {
        const [held, moved] = [named('held'), named('moved')];
        const preferred = [
          'affinity:',
          '  nodeAffinity:',
          '    preferredDuringSchedulingIgnoredDuringExecution:',
          '      - {weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-1]}]}}',
        ];
        const budget = (minAvailable: number): Promise<void> =>
          fleet.write(
            `apps/${held}-budget.yaml`,
            `apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: ${held}}\nspec: {minAvailable: ${minAvailable}, selector: {matchLabels: {app: ${held}}}}\n`,
          );
        const allowed = (wanted: number): Promise<unknown> =>
          eventually(`the budget allows ${wanted}`, 30, async () => {
            const found = (await fleet.list('PodDisruptionBudget')).find(({ metadata }) => metadata.name === held);
            const { observedGeneration, disruptionsAllowed, currentHealthy, expectedPods } = found?.status ?? {};
            return (
              observedGeneration === found?.metadata.generation &&
              [disruptionsAllowed, currentHealthy, expectedPods].join() === [wanted, 2, 2].join()
            );
          });
        // On the first host it waits to be moved; anywhere else it ends.
        const job = [
          'apiVersion: batch/v1',
          'kind: Job',
          `metadata: {name: ${moved}}`,
          'spec:',
          '  backoffLimit: 0',
          '  podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}',
          '  template:',
          `    metadata: {labels: {app: ${moved}}}`,
          '    spec:',
          ...preferred.map((line) => `      ${line}`),
          '      restartPolicy: Never',
          '      terminationGracePeriodSeconds: 1',
          '      containers:',
          '        - name: main',
          '          image: registry.lab/busybox:1',
          '          command: [sh, -c, \'[ "$NODE" != node-1 ] || sleep 600\']',
          '          env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]',
          '          resources: {requests: {cpu: 10m, memory: 8Mi}}',
          '',
        ].join('\n');
        await fleet.write(`apps/${moved}.yaml`, job);
        await budget(1);
        await push({ name: held, replicas: 2, pod: preferred });
        assert.deepEqual(await perNode(held, 2), { 'node-1': 2 });
        await eventually('the Job runs', 30, async () => (await fleet.pods(moved))[0]?.status?.phase === 'Running');
        await allowed(1);
        await budget(2);
        await fleet.commitAndPush('Allow no disruption');
        await allowed(0);

        const before = (await fleet.pods(held)).map(({ metadata }) => metadata.uid);
        await fleet.plumb('node', 'drain', 'node-1', '--commit');
        await fleet.push();
        const done = await eventually('the Job completes elsewhere', 60, async () => {
          const found = (await fleet.list('Job')).find(({ metadata }) => metadata.name === moved);
          return conditionIsTrue(found?.status?.conditions, 'Complete') && found;
        });
        assert.deepEqual([done?.status?.succeeded, done?.status?.failed], [1, 0]);
        const waiting = await fleet.plumb('node', 'drain', 'node-1', '--wait', '--timeout', '1');
        assert.deepEqual([waiting.code, waiting.stderr.includes(held)], [1, true], waiting.stderr);
        assert.deepEqual(
          (await fleet.podsReady(held, 2)).map(({ metadata }) => metadata.uid),
          before,
        );
        await budget(1);
        await fleet.commitAndPush('Allow one disruption');
        assert.equal((await fleet.plumb('node', 'drain', 'node-1', '--wait', '--timeout', '60')).code, 0);
        const after = await fleet.podsReady(held, 2);
        for (const { metadata, spec } of after)
          assert.deepEqual([before.includes(metadata.uid), spec.nodeName === 'node-1'], [false, false]);
        await fleet.plumb('node', 'uncordon', 'node-1', '--commit');
        await fleet.removeFiles(`apps/${held}-budget.yaml`, `apps/${moved}.yaml`);
        await remove(held);
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
