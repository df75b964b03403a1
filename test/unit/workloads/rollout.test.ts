/**
 * Deployments and ReplicaSets run together over a small store: what the world comes to, and what it never does on the
 * way.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  findCondition,
  objectKey,
  type Deployment,
  type StoredDeployment,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { deploymentController } from '../../../reconciler/controllers/deployment.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { replicaSetController } from '../../../reconciler/controllers/replicaset.ts';
import { MOST_AT_ONCE } from '../../../reconciler/core/workloads/owned-pods.ts';
import { planReplicaSet } from '../../../reconciler/core/workloads/replicaset.ts';
import { isActive, isAvailable } from '../../../reconciler/core/workloads/pod-state.ts';
import { bounds } from '../../../reconciler/core/workloads/rollout-numbers.ts';
import { World } from '../controllers/world.ts';
import { deployment, pod, running } from '../controllers/objects.ts';

const KEY = objectKey('Deployment', 'default', 'web');

function world(spec?: object): World {
  const w = new World([deploymentController, replicaSetController(new NodeMonitor())]);
  w.put(deployment(spec));
  return w;
}

const web = (w: World): StoredDeployment => w.get(KEY) ?? assert.fail('no deployment');
const activePods = (w: World): readonly StoredPod[] => w.list('Pod').filter(isActive);
const images = (w: World): string[] =>
  activePods(w)
    .map((p) => p.spec.containers[0]?.image ?? '')
    .sort();

/** Every pod gets a node and becomes ready; pods being deleted go. */
function nodesCatchUp(w: World): void {
  for (const p of w.list('Pod')) {
    if (p.metadata.deletionTimestamp !== undefined) w.remove(objectKey('Pod', p.metadata.namespace, p.metadata.name));
    else if (p.status?.phase === 'Pending')
      w.put(running({ ...p, spec: { ...p.spec, nodeName: 'n1' } }, true, w.now.toISOString()));
  }
}

/** Until nothing has happened for longer than any minReadySeconds here. */
function rollOut(w: World): void {
  for (let i = 0, idle = 0; i < 200; i++) {
    w.settle();
    nodesCatchUp(w);
    w.advance(1000);
    idle = w.waiting === 0 ? idle + 1 : 0;
    if (idle > 5) return;
  }
  assert.fail('the rollout did not end');
}

function change(w: World, edit: (d: Deployment) => Deployment): void {
  w.put(edit(web(w)));
}
const withImage =
  (image: string) =>
  (d: Deployment): Deployment => ({ ...d, spec: { ...d.spec, template: deployment({}, image).spec.template } });
const withReplicas =
  (replicas: number) =>
  (d: Deployment): Deployment => ({ ...d, spec: { ...d.spec, replicas } });

describe('a Deployment', () => {
  it('starts its pods, becomes available, and then rests', () => {
    const w = world();
    rollOut(w);
    const rs = w.list('ReplicaSet');
    assert.equal(rs.length, 1);
    assert.match(rs[0]?.metadata.name ?? '', /^web-[bcdfghjklmnpqrstvwxz2456789]{10}$/);
    assert.equal(rs[0]?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
    assert.equal(activePods(w).length, 3);
    assert.ok(activePods(w).every((p) => new RegExp(`^${rs[0]?.metadata.name}-.{5}$`).test(p.metadata.name)));
    assert.equal(web(w).metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
    const { status } = web(w);
    assert.deepEqual(
      [
        status?.replicas,
        status?.updatedReplicas,
        status?.readyReplicas,
        status?.availableReplicas,
        status?.unavailableReplicas,
      ],
      [3, 3, 3, 3, 0],
    );
    assert.equal(findCondition(status?.conditions, 'Available')?.reason, 'MinimumReplicasAvailable');
    assert.equal(findCondition(status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable');
    assert.equal(w.conflicts, 0);
    assert.ok(
      w.events.some(
        (e) =>
          e.reason === 'ScalingReplicaSet' && e.message === `Scaled up replica set ${rs[0]?.metadata.name} from 0 to 3`,
      ),
    );

    const before = web(w).metadata.resourceVersion;
    w.resync();
    w.resync();
    w.settle(10);
    assert.equal(web(w).metadata.resourceVersion, before);
  });

  it('moves to a new image and back, reusing the first ReplicaSet under a new revision', () => {
    const w = world();
    rollOut(w);
    const first = w.list('ReplicaSet')[0]?.metadata.name;
    change(w, withImage('app:v2'));
    rollOut(w);
    assert.deepEqual(images(w), ['app:v2', 'app:v2', 'app:v2']);
    assert.equal(web(w).metadata.annotations?.['deployment.kubernetes.io/revision'], '2');
    change(w, withImage('app:v1'));
    rollOut(w);
    assert.deepEqual(images(w), ['app:v1', 'app:v1', 'app:v1']);
    assert.equal(w.list('ReplicaSet').length, 2);
    const reused = w.list('ReplicaSet').find((rs) => rs.metadata.name === first);
    assert.equal(reused?.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
    assert.equal(reused.metadata.annotations['deployment.kubernetes.io/revision-history'], '1');
    assert.equal(web(w).metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
    assert.equal(w.conflicts, 0);
  });

  it('keeps revisionHistoryLimit old ReplicaSets, the newest', () => {
    const w = world({ revisionHistoryLimit: 1 });
    for (const image of ['app:v1', 'app:v2', 'app:v3', 'app:v4']) {
      change(w, withImage(image));
      rollOut(w);
    }
    const left = w
      .list('ReplicaSet')
      .map((rs) => rs.spec.template.spec.containers[0]?.image)
      .sort();
    assert.deepEqual(left, ['app:v3', 'app:v4']);
  });

  it('recreates: no new pod before the last old one is gone', () => {
    const w = world({ strategy: { type: 'Recreate' } });
    rollOut(w);
    change(w, withImage('app:v2'));
    w.settle();
    assert.deepEqual(images(w), []);
    assert.equal(w.list('Pod').length, 3, 'old pods are still going');
    const [one, ...rest] = w.list('Pod');
    for (const p of rest) w.remove(objectKey('Pod', 'default', p.metadata.name));
    w.settle();
    assert.deepEqual(images(w), []);
    w.remove(objectKey('Pod', 'default', one?.metadata.name ?? ''));
    rollOut(w);
    assert.deepEqual(images(w), ['app:v2', 'app:v2', 'app:v2']);
  });

  it('while paused takes a new number but no new template', () => {
    const w = world();
    rollOut(w);
    change(w, (d) => withReplicas(5)(withImage('app:v2')({ ...d, spec: { ...d.spec, paused: true } })));
    rollOut(w);
    assert.deepEqual(images(w), Array(5).fill('app:v1'));
    assert.equal(findCondition(web(w).status?.conditions, 'Progressing')?.reason, 'DeploymentPaused');
    change(w, (d) => ({ ...d, spec: { ...d.spec, paused: false } }));
    rollOut(w);
    assert.deepEqual(images(w), Array(5).fill('app:v2'));
  });

  it('shares a new number out over old and new pods in the middle of a rollout', () => {
    const w = world({ replicas: 10, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
    rollOut(w);
    change(w, withImage('app:broken'));
    w.settle();
    assert.deepEqual(
      w
        .list('ReplicaSet')
        .map((rs) => rs.spec.replicas)
        .sort((a, b) => a - b),
      [5, 8],
    );
    change(w, withReplicas(15));
    w.settle();
    assert.deepEqual(
      w
        .list('ReplicaSet')
        .map((rs) => rs.spec.replicas)
        .sort((a, b) => a - b),
      [7, 11],
      'as in the Kubernetes documentation',
    );
  });

  it('goes over to a third template before the second is there, and leaves nothing of the second', () => {
    const w = world({ replicas: 4, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } });
    rollOut(w);
    change(w, withImage('app:broken'));
    w.settle();
    assert.deepEqual([...new Set(images(w))], ['app:broken', 'app:v1']);
    change(w, withImage('app:v3'));
    w.settle();
    // Pods that are not available cost nothing: those of the second template go first.
    assert.deepEqual([images(w).filter((image) => image === 'app:v1').length, images(w).length <= 5], [3, true]);
    rollOut(w);
    assert.deepEqual(images(w), Array(4).fill('app:v3'));
    assert.equal(web(w).metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
  });

  it('counts pods that are being deleted and have not ended (KEP-3973)', () => {
    const w = world();
    rollOut(w);
    assert.equal(web(w).status?.terminatingReplicas, 0);
    change(w, withReplicas(1));
    w.settle();
    assert.deepEqual([web(w).status?.replicas, web(w).status?.terminatingReplicas], [1, 2]);
    nodesCatchUp(w);
    w.settle();
    assert.equal(web(w).status?.terminatingReplicas, 0);
  });

  it('is as available as Kubernetes says: replicas less maxUnavailable', () => {
    const w = world({ replicas: 4, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } } });
    w.settle();
    const available = (): (string | undefined)[] => {
      const found = findCondition(web(w).status?.conditions, 'Available');
      return [found?.status, found?.reason];
    };
    assert.deepEqual(available(), ['False', 'MinimumReplicasUnavailable']);
    for (const p of w.list('Pod').slice(0, 2))
      w.put(running({ ...p, spec: { ...p.spec, nodeName: 'n1' } }, true, w.now.toISOString()));
    w.settle();
    assert.deepEqual(available(), ['True', 'MinimumReplicasAvailable']);
  });

  it('while paused is not late, and has its whole time when it goes on', () => {
    const w = world({ progressDeadlineSeconds: 30 });
    const progress = (): string | undefined => findCondition(web(w).status?.conditions, 'Progressing')?.reason;
    w.settle();
    change(w, (d) => ({ ...d, spec: { ...d.spec, paused: true } }));
    w.settle();
    w.advance(60_000);
    w.settle();
    assert.equal(progress(), 'DeploymentPaused');
    change(w, (d) => ({ ...d, spec: { ...d.spec, paused: false } }));
    w.settle();
    assert.equal(progress(), 'DeploymentResumed');
    w.advance(29_000);
    w.settle();
    assert.equal(progress(), 'DeploymentResumed');
    w.advance(2_000);
    w.settle();
    assert.equal(progress(), 'ProgressDeadlineExceeded');
  });

  it('says ProgressDeadlineExceeded when nothing moves for too long, and recovers', () => {
    const w = world({ progressDeadlineSeconds: 30 });
    w.settle();
    assert.equal(findCondition(web(w).status?.conditions, 'Progressing')?.status, 'True');
    w.advance(31_000);
    w.settle();
    const stuck = findCondition(web(w).status?.conditions, 'Progressing');
    assert.deepEqual([stuck?.status, stuck?.reason], ['False', 'ProgressDeadlineExceeded']);
    rollOut(w);
    assert.equal(findCondition(web(w).status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable');
  });

  it('waits minReadySeconds before it counts a pod', () => {
    const w = world({ minReadySeconds: 20 });
    w.settle();
    nodesCatchUp(w);
    w.settle();
    assert.equal(web(w).status?.readyReplicas, 3);
    assert.equal(web(w).status?.availableReplicas, 0);
    w.advance(20_000);
    w.settle();
    assert.equal(web(w).status?.availableReplicas, 3);
  });

  it('adopts a ReplicaSet of its own that lost its owner, and leaves others alone', () => {
    const w = world();
    rollOut(w);
    const rs = w.list('ReplicaSet')[0] ?? assert.fail();
    w.put({ ...rs, metadata: { ...rs.metadata, ownerReferences: [] } });
    w.settle();
    assert.equal(w.list('ReplicaSet').length, 1);
    assert.equal(w.list('ReplicaSet')[0]?.metadata.ownerReferences?.[0]?.uid, web(w).metadata.uid);
  });

  it('passes over a name that another ReplicaSet has', () => {
    const w = world();
    rollOut(w);
    const rs = w.list('ReplicaSet')[0] ?? assert.fail();
    const other = new World([deploymentController]);
    other.put({
      ...rs,
      metadata: { name: rs.metadata.name, namespace: 'default' },
      spec: { ...rs.spec, template: deployment({}, 'other').spec.template },
    });
    other.put(deployment());
    other.settle();
    assert.equal(other.list('ReplicaSet').length, 2);
  });
});

describe('a ReplicaSet', () => {
  it('replaces a failed pod, keeping only the newest failed one', () => {
    const w = world({ replicas: 1 });
    for (let i = 0; i < 4; i++) {
      rollOut(w);
      const p = activePods(w)[0] ?? assert.fail();
      w.put({ ...p, status: { phase: 'Failed', reason: 'Evicted' } });
      w.advance(1000);
    }
    rollOut(w);
    assert.equal(activePods(w).length, 1);
    assert.equal(w.list('Pod').filter((p) => p.status?.phase === 'Failed').length, 1);
  });

  it('is made by as many pods at a time as a pass can hold, whatever a manifest asks for', () => {
    const w = world({ replicas: 2 });
    w.settle();
    const [replicaSet] = w.list('ReplicaSet');
    assert.ok(replicaSet);
    const look = (replicas: number): number => {
      const { steps } = planReplicaSet({
        replicaSet: { ...replicaSet, spec: { ...replicaSet.spec, replicas } },
        pods: activePods(w),
        related: () => activePods(w),
        now: w.now,
        suffix: (length) => w.context.ids.suffix(length),
        nameTaken: () => false,
      });
      return steps.filter((step) => step.do === 'create').length;
    };
    assert.equal(look(102), 100);
    assert.equal(look(2 ** 31 - 1), MOST_AT_ONCE);
  });

  it('rolls where finalizers of its template change, and its pods have them', () => {
    const w = world({ replicas: 1 });
    rollOut(w);
    change(w, (d) => ({
      ...d,
      spec: {
        ...d.spec,
        template: { ...d.spec.template, metadata: { ...d.spec.template.metadata, finalizers: ['example.com/drain'] } },
      },
    }));
    rollOut(w);
    assert.deepEqual(
      activePods(w).map(({ metadata }) => metadata.finalizers),
      [['example.com/drain']],
    );
  });

  it('lets go of a pod whose labels no longer match, and takes one that does', () => {
    const w = world({ replicas: 2 });
    rollOut(w);
    const [p] = activePods(w);
    assert.ok(p);
    w.put({ ...p, metadata: { ...p.metadata, labels: { app: 'debug' } } });
    rollOut(w);
    assert.deepEqual(w.get(objectKey('Pod', 'default', p.metadata.name))?.metadata.ownerReferences, []);
    assert.equal(activePods(w).length, 3);
    w.put(pod('stray', {}, { labels: w.list('ReplicaSet')[0]?.spec.template.metadata.labels }));
    rollOut(w);
    assert.equal(activePods(w).length, 3, 'one of the matching three went');
  });
});

describe('property: a rollout', () => {
  const strategy = fc.record({
    maxSurge: fc.oneof(
      fc.nat(4),
      fc.nat(100).map((n) => `${n}%`),
    ),
    maxUnavailable: fc.oneof(
      fc.nat(4),
      fc.nat(100).map((n) => `${n}%`),
    ),
  });

  it('never has more pods than maxSurge allows, never takes one below minAvailable, and ends', () => {
    fc.assert(
      fc.property(
        fc.record({ replicas: fc.integer({ min: 1, max: 9 }), strategy, minReadySeconds: fc.constantFrom(0, 0, 3) }),
        fc.infiniteStream(fc.nat(1000)),
        ({ replicas, strategy: rollingUpdate, minReadySeconds }, dice) => {
          const w = world({ replicas, minReadySeconds, strategy: { type: 'RollingUpdate', rollingUpdate } });
          rollOut(w);
          const limit = bounds(web(w).spec);
          const roll = (sides: number): number => (dice.next().value as number) % sides;
          const available = (): number => activePods(w).filter((p) => isAvailable(p, minReadySeconds, w.now)).length;
          change(w, withImage('app:v2'));
          for (let turn = 0; turn < 120; turn++) {
            if (turn === 40) change(w, withImage('app:v3'));
            const pods = w.list('Pod');
            const p = pods[roll(Math.max(1, pods.length))];
            switch (roll(4)) {
              case 0:
                if (p?.metadata.deletionTimestamp !== undefined) w.remove(objectKey('Pod', 'default', p.metadata.name));
                else if (p && p.status?.phase !== 'Running')
                  w.put(running({ ...p, spec: { ...p.spec, nodeName: `n${roll(3)}` } }, true, w.now.toISOString()));
                break;
              case 1:
                w.advance(1000);
                break;
              default: {
                const before = available();
                w.step(roll(20));
                const after = available();
                assert.ok(
                  after >= Math.min(before, limit.minAvailable),
                  `${after} available of at least ${limit.minAvailable}, had ${before}`,
                );
              }
            }
            assert.ok(
              activePods(w).length <= limit.maxTotal,
              `${activePods(w).length} pods of at most ${limit.maxTotal}`,
            );
          }
          rollOut(w);
          assert.deepEqual(images(w), Array(replicas).fill('app:v3'));
          assert.equal(w.conflicts, 0);
          w.resync();
          w.settle(60);
        },
      ),
      { numRuns: 100, includeErrorInReport: true },
    );
  });
});

describe('pods that their node refuses', () => {
  it('are followed by others in no storm, and do not pile up', () => {
    const w = world({ replicas: 2 });
    let made = 0;
    const seen = new Set<string>();
    for (let second = 0; second < 60; second += 1) {
      w.settle();
      for (const p of w.list('Pod')) {
        if (!seen.has(p.metadata.uid)) made += 1;
        seen.add(p.metadata.uid);
        if (p.metadata.deletionTimestamp !== undefined)
          w.remove(objectKey('Pod', p.metadata.namespace, p.metadata.name));
        else if (p.status?.phase === 'Pending')
          w.put({ ...p, status: { phase: 'Failed', reason: 'OutOfcpu', message: 'm' } });
      }
      w.advance(1000);
    }
    assert.equal(made, 12);
    assert.ok(w.list('Pod').length <= 3);
  });
  it('hold up a new one no longer than their pause, however the wall clock steps', () => {
    const w = world({ replicas: 1 });
    w.settle();
    for (const p of w.list('Pod')) w.put({ ...p, status: { phase: 'Failed', reason: 'NodePorts', message: 'm' } });
    w.now = new Date(w.now.getTime() - 3_600_000);
    w.settle();
    assert.equal(activePods(w).length, 0);
    assert.ok([...w.timers.values()].every((at) => at - w.now.getTime() <= 10_000));
  });
});
