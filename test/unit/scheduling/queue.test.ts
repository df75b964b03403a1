import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PriorityClass, StoredPod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { SchedulingQueue } from '../../../reconciler/core/scheduling/queue.ts';
import { node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const store = new World();
const START = store.now.getTime();

const stored = (name: string, spec: object = {}, metadata: object = {}): StoredPod =>
  store.put(pod(name, spec, metadata));
const asking = (cpu: string): object => ({
  containers: [{ name: 'app', image: 'app:v1', resources: { requests: { cpu } } }],
});
const names = (pods: readonly StoredPod[]): string[] => pods.map(({ metadata }) => metadata.name);
const after = (ms: number): object => ({ creationTimestamp: new Date(START + ms).toISOString() });

function queueOver(cluster: ClusterState): SchedulingQueue {
  const { profiles } = buildProfiles(undefined);
  const profile = profiles.get('default-scheduler') ?? assert.fail();
  const queue = new SchedulingQueue({
    cluster,
    profileOf: (p) => profiles.get(p.spec.schedulerName),
    queueSort: profile.queueSort,
  });
  cluster.subscribe((event) => {
    queue.event(event);
  });
  return queue;
}

describe('the scheduling queue', () => {
  it('gives higher priority first, then who came first', () => {
    const cluster = new ClusterState();
    const high: PriorityClass = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'high' },
      value: 10,
      globalDefault: false,
      preemptionPolicy: 'Never',
    };
    cluster.priorityClasses = new Map([['high', high]]);
    const queue = queueOver(cluster);
    queue.set(stored('younger', {}, after(1000)));
    queue.set(stored('b', {}, after(0)));
    queue.set(stored('a', {}, after(0)));
    queue.set(stored('urgent', { priorityClassName: 'high' }, after(9000)));
    assert.deepEqual(names(queue.pop(3, START)), ['urgent', 'a', 'b']);
    assert.deepEqual(names(queue.pop(3, START)), ['younger']);
    assert.deepEqual(names(queue.pop(3, START)), []);
  });

  it('keeps what fitted nowhere until an event that could help, and then for its back-off', () => {
    const cluster = new ClusterState();
    cluster.setNode(node('small', { allocatable: { cpu: '1', memory: '1Gi', pods: '10' } }));
    const queue = queueOver(cluster);
    const big = stored('big', asking('2'));
    queue.set(big);
    assert.deepEqual(names(queue.pop(1, START)), ['big']);
    queue.refused(big.metadata.uid, new Set(['NodeResourcesFit']));
    assert.equal(queue.counts.unschedulable, 1);

    cluster.setNode(node('small', { allocatable: { cpu: '1', memory: '1Gi', pods: '20' } }));
    assert.equal(queue.counts.unschedulable, 1, 'a node that is too small still is no help');
    cluster.setPod(stored('other', { ...asking('100m'), nodeName: 'small' }));
    assert.equal(queue.counts.unschedulable, 1, 'a pod that comes frees nothing');
    cluster.setNode(node('large', { allocatable: { cpu: '4', memory: '1Gi', pods: '10' } }));
    assert.deepEqual(queue.counts, { active: 0, backoff: 1, unschedulable: 0, gated: 0 });
    assert.equal(queue.nextInMs(START), 1000);
    assert.deepEqual(names(queue.pop(1, START + 999)), []);
    assert.deepEqual(names(queue.pop(1, START + 1000)), ['big']);
  });

  for (const { failures, waits } of [
    { failures: 1, waits: 1000 },
    { failures: 2, waits: 2000 },
    { failures: 4, waits: 8000 },
    { failures: 9, waits: 10_000 },
  ]) {
    it(`waits ${waits} ms after ${failures} failures`, () => {
      const queue = queueOver(new ClusterState());
      const p = stored(`p${failures}`);
      queue.set(p);
      let now = START;
      for (let i = 0; i < failures; i++) {
        now += queue.nextInMs(now) ?? 0;
        assert.equal(queue.pop(1, now).length, 1);
        queue.retry(p.metadata.uid);
      }
      assert.equal(queue.nextInMs(now), waits);
    });
  }

  const whileRoomIsMade: readonly {
    readonly event: string;
    readonly happens: (cluster: ClusterState) => void;
    readonly wakes: boolean;
  }[] = [
    {
      event: 'a pod leaves the node',
      happens: (cluster) => {
        cluster.removePod('on-n');
      },
      wakes: true,
    },
    {
      event: 'a pod there begins to terminate',
      happens: (cluster) => {
        cluster.terminate('on-n');
      },
      wakes: false,
    },
    {
      event: 'a pod leaves another node',
      happens: (cluster) => {
        cluster.removePod('on-m');
      },
      wakes: false,
    },
    {
      event: 'a node comes',
      happens: (cluster) => {
        cluster.setNode(node('new'));
      },
      wakes: true,
    },
    {
      event: 'a node changes',
      happens: (cluster) => {
        cluster.setNode(node('m', { labels: { disk: 'ssd' } }));
      },
      wakes: true,
    },
    {
      event: 'its node goes',
      happens: (cluster) => {
        cluster.removeNode('n');
      },
      wakes: true,
    },
    {
      event: 'a namespace changes',
      happens: (cluster) => {
        cluster.setNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'new' } });
      },
      wakes: false,
    },
    {
      event: 'Services change',
      happens: (cluster) => {
        cluster.setServices('default', []);
      },
      wakes: false,
    },
    {
      event: 'budgets change',
      happens: (cluster) => {
        cluster.setBudgets('default', []);
      },
      wakes: false,
    },
  ];
  for (const { event, happens, wakes } of whileRoomIsMade) {
    it(`${wakes ? 'tries' : 'leaves'} a pod for which room is made on a node when ${event}`, () => {
      const cluster = new ClusterState();
      for (const name of ['n', 'm']) {
        cluster.setNode(node(name));
        cluster.setPod(stored(`on-${name}`, { nodeName: name }, { uid: `on-${name}` }));
      }
      const queue = queueOver(cluster);
      const p = stored('expecting');
      queue.set(p);
      queue.pop(1, START);
      queue.refused(p.metadata.uid, new Set(['NodeResourcesFit']), cluster.number('n'));
      happens(cluster);
      assert.equal(queue.counts.active, wakes ? 1 : 0);
    });
  }

  it('tries again after five minutes even when nothing happens', () => {
    const queue = queueOver(new ClusterState());
    const p = stored('forgotten');
    queue.set(p);
    queue.pop(1, START);
    queue.refused(p.metadata.uid, new Set(['NodeAffinity']));
    assert.deepEqual(names(queue.pop(1, START + 299_000)), []);
    assert.deepEqual(names(queue.pop(1, START + 360_000)), ['forgotten']);
  });

  it('holds gated pods, tells each once, and lets them in when the last gate is lifted', () => {
    const queue = queueOver(new ClusterState());
    const gated = stored('gated', { schedulingGates: [{ name: 'example.com/a' }, { name: 'example.com/b' }] });
    queue.set(gated);
    assert.equal(queue.nextInMs(START), 0);
    assert.deepEqual(
      queue.takeGated().map(({ gate }) => gate),
      [
        {
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates: example.com/a, example.com/b',
        },
      ],
    );
    assert.deepEqual(queue.takeGated(), []);
    assert.equal(queue.nextInMs(START), undefined);
    assert.deepEqual(names(queue.pop(1, START)), []);
    queue.set({ ...gated, spec: { ...gated.spec, schedulingGates: [] } });
    assert.deepEqual(names(queue.pop(1, START)), ['gated']);
  });

  it('leaves pods of other schedulers alone, and drops those that went', () => {
    const queue = queueOver(new ClusterState());
    queue.set(stored('foreign', { schedulerName: 'theirs' }));
    const gone = stored('gone');
    queue.set(gone);
    queue.delete(gone.metadata.uid);
    assert.deepEqual(names(queue.pop(9, START)), []);
    assert.deepEqual(queue.counts, { active: 0, backoff: 0, unschedulable: 0, gated: 0 });
  });

  it('keeps the place of a pod whose status alone changed, with the newest object', () => {
    const queue = queueOver(new ClusterState());
    const p = stored('told');
    queue.set(p);
    queue.pop(1, START);
    queue.refused(p.metadata.uid, new Set(['NodeAffinity']));
    const told: StoredPod = { ...p, status: { phase: 'Pending' } };
    queue.set(told);
    assert.equal(queue.counts.unschedulable, 1);
    assert.equal(queue.pop(1, START + 400_000)[0], told);
  });
});
