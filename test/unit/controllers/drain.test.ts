/** Drains over the small store, with every controller running. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DRAIN_TAINT,
  findCondition,
  objectKey,
  PodDisruptionBudgetManifest,
  type Condition,
  type StoredNode,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { cluster, condition, deployment, machine, pod, running } from './objects.ts';
import { World } from './world.ts';

const DRAINING = { unschedulable: true, taints: [{ key: DRAIN_TAINT, effect: 'NoExecute' }] };
const nodeOf = (w: World, name: string): StoredNode =>
  w.get(objectKey('Node', undefined, name)) ?? assert.fail(`no node ${name}`);
const drained = (w: World, name: string): Condition | undefined =>
  findCondition(nodeOf(w, name).status?.conditions, 'Drained');
const said = (w: World, name: string): string => {
  const c = drained(w, name);
  return `${c?.status} ${c?.reason}: ${c?.message}`;
};
const going = (p: StoredPod): boolean => p.metadata.deletionTimestamp !== undefined;
const healthy = (w: World): number =>
  w.list('Pod').filter((p) => !going(p) && findCondition(p.status?.conditions, 'Ready')?.status === 'True').length;
const names = (pods: readonly StoredPod[]): string[] => pods.map((p) => p.metadata.name).sort();

function world(...machines: readonly string[]): World {
  const w = new World(allControllers());
  w.put(cluster({ network: { podCIDR: '198.18.128.0/20' } }));
  for (const name of machines) w.put(machine(name));
  w.settle();
  for (const name of machines) {
    w.put({
      ...nodeOf(w, name),
      status: {
        allocatable: { cpu: '4', memory: '4Gi', pods: '110' },
        conditions: [condition('Ready', 'True', { lastHeartbeatTime: w.now.toISOString() })],
      },
    });
  }
  w.settle();
  return w;
}
const budget = (spec: object): ReturnType<typeof PodDisruptionBudgetManifest.parse> & { metadata: { name: string } } =>
  PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  });

function removeGoing(w: World): void {
  for (const p of w.list('Pod').filter(going)) w.remove(objectKey('Pod', 'default', p.metadata.name));
}
function startBound(w: World, most = Infinity): void {
  w.list('Pod')
    .filter((p) => p.spec.nodeName !== undefined && p.status?.phase === 'Pending')
    .slice(0, most)
    .forEach((p) => w.put(running(p, true, w.now.toISOString())));
}
/** Scheduler and agents, until nothing moves any more. */
function work(w: World): void {
  for (let i = 0; i < 60; i++) {
    w.settle();
    w.apply(PendingPods.of(w).pass(w.now, Infinity));
    removeGoing(w);
    startBound(w);
    if (w.waiting === 0) break;
  }
  w.settle();
}

describe('a drain', () => {
  it('without budgets moves everything but what tolerates it', () => {
    const w = world('n1', 'n2');
    w.put(deployment({ replicas: 4 }));
    w.put({
      ...pod('stays', { tolerations: [{ operator: 'Exists' }] }),
      spec: { ...pod('stays', { tolerations: [{ operator: 'Exists' }] }).spec, nodeName: 'n1' },
    });
    work(w);
    w.put(machine('n1', DRAINING));
    work(w);
    assert.deepEqual(names(w.podsOnNode('n1')), ['stays']);
    assert.equal(w.podsOnNode('n2').length, 4);
    assert.equal(said(w, 'n1'), 'True NoPodsLeft: no pod is left that has to leave');
    w.put(machine('n1'));
    w.settle();
    assert.equal(drained(w, 'n1'), undefined, 'gone with the drain');
    assert.equal(w.conflicts, 0);
  });

  it('names each cause once where one budget keeps many pods', () => {
    const w = world('n1');
    w.put(deployment({ replicas: 4 }));
    w.put(budget({ minAvailable: 4 }));
    work(w);
    w.put(machine('n1', DRAINING));
    w.settle();
    assert.equal(
      said(w, 'n1'),
      `False DisruptionBudget: 4 pods are left; pods default/${names(w.podsOnNode('n1'))[0]} and 3 more: Cannot evict pod as it would violate the pod's disruption budget. ` +
        'The disruption budget web needs 4 healthy pods and has 4 currently',
    );
  });

  it('evicts as many as the budget allows, says what it waits for, and goes on when others are ready', () => {
    const w = world('n1', 'n2');
    w.put(deployment({ replicas: 4 }));
    w.put(budget({ minAvailable: 3 }));
    work(w);
    assert.equal(w.podsOnNode('n1').length, 2);
    w.put(machine('n1', DRAINING));
    w.settle();
    const [first] = w.podsOnNode('n1').filter(going);
    assert.equal(w.podsOnNode('n1').filter(going).length, 1);
    const [other] = w.podsOnNode('n1').filter((p) => !going(p));
    assert.equal(
      said(w, 'n1'),
      `False DisruptionBudget: 2 pods are left; pod default/${other?.metadata.name}: Cannot evict pod as it would violate the pod's disruption budget. ` +
        'The disruption budget web needs 3 healthy pods and has 3 currently',
    );
    assert.deepEqual(
      w.events.filter((e) => e.reason === 'EvictionByEvictionAPI').map((e) => e.regarding.metadata.name),
      [first?.metadata.name],
    );
    const { reason, message } = findCondition(first?.status?.conditions, 'DisruptionTarget') ?? {};
    assert.deepEqual([reason, message], ['EvictionByEvictionAPI', 'Eviction API: evicting']);
    assert.equal(findCondition(other?.status?.conditions, 'DisruptionTarget'), undefined);
    removeGoing(w);
    w.settle();
    assert.equal(w.podsOnNode('n1').length, 1, 'the next one waits until the first is replaced');
    w.apply(PendingPods.of(w).pass(w.now, Infinity));
    startBound(w);
    w.settle();
    assert.equal(w.podsOnNode('n1').filter(going).length, 1);
    assert.equal(said(w, 'n1'), 'False Evicting: 1 pod is left');
    work(w);
    assert.equal(said(w, 'n1'), 'True NoPodsLeft: no pod is left that has to leave');
    assert.equal(healthy(w), 4);
  });

  it('never ends against a budget that allows nothing, and ends when the budget goes', () => {
    const w = world('n1', 'n2');
    w.put(deployment({ replicas: 1 }));
    w.put(budget({ minAvailable: '100%' }));
    work(w);
    const name = w.list('Pod')[0]?.spec.nodeName ?? '';
    w.put(machine(name, DRAINING));
    work(w);
    assert.equal(w.podsOnNode(name).length, 1);
    assert.match(said(w, name), /^False DisruptionBudget: 1 pod is left; .* needs 1 healthy pods and has 1 currently$/);
    w.resync();
    const before = nodeOf(w, name).metadata.resourceVersion;
    w.settle(100);
    assert.equal(nodeOf(w, name).metadata.resourceVersion, before, 'nothing new to say');
    w.remove(objectKey('PodDisruptionBudget', 'default', 'web'));
    work(w);
    assert.equal(w.podsOnNode(name).length, 0);
  });

  it('does not hold back other NoExecute taints', () => {
    const w = world('n1', 'n2');
    w.put(deployment({ replicas: 2 }));
    w.put(budget({ maxUnavailable: 0 }));
    work(w);
    w.put(machine('n1', { ...DRAINING, taints: [...DRAINING.taints, { key: 'fire', effect: 'NoExecute' }] }));
    work(w);
    assert.equal(w.podsOnNode('n1').length, 0);
  });
});

describe('property: drains', () => {
  it('of several nodes at once never leave a budget short, in whatever order passes run, and end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        fc.array(fc.nat(1000), { minLength: 40, maxLength: 160 }),
        (replicas, spare, byShare, choices) => {
          const needed = Math.max(1, replicas - spare);
          const w = world('n1', 'n2', 'n3', 'n4');
          w.put(deployment({ replicas }));
          w.put(
            budget(
              byShare
                ? { maxUnavailable: `${Math.floor(((replicas - needed) * 100) / replicas)}%` }
                : { minAvailable: needed },
            ),
          );
          work(w);
          const least = w.list('PodDisruptionBudget')[0]?.status?.desiredHealthy ?? 0;
          for (const name of ['n1', 'n2', 'n3']) w.put(machine(name, DRAINING));
          for (const choice of choices) {
            switch (choice % 5) {
              case 0:
                w.apply(PendingPods.of(w).pass(w.now, Infinity));
                break;
              case 1:
                startBound(w, 1);
                break;
              case 2: {
                const gone = w.list('Pod').find(going);
                if (gone) w.remove(objectKey('Pod', 'default', gone.metadata.name));
                break;
              }
              default:
                w.step(choice);
            }
            assert.ok(healthy(w) >= least, `${healthy(w)} of ${replicas} are healthy, ${least} have to be`);
          }
          work(w);
          for (const name of ['n1', 'n2', 'n3'])
            assert.equal(drained(w, name)?.status, least < replicas ? 'True' : drained(w, name)?.status);
          assert.equal(healthy(w), replicas);
        },
      ),
      { numRuns: 60 },
    );
  });
});
