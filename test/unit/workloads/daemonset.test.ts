/**
 * DaemonSets run over a small store with nodes that come, go and change: what the world comes to, and what it never does
 * on the way.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DaemonSetManifest,
  findCondition,
  objectKey,
  RuntimeClassManifest,
  type DaemonSet,
  type Node,
  type RuntimeClass,
  type StoredDaemonSet,
  type StoredPod,
  type Taint,
} from '../../../contracts/objects/index.ts';
import { daemonSetController } from '../../../reconciler/controllers/daemonset.ts';
import { isDraining, planDrain } from '../../../reconciler/core/health/drain.ts';
import { planEviction } from '../../../reconciler/core/health/eviction.ts';
import { daemonSetHealth } from '../../../reconciler/core/health/daemonset.ts';
import { targetNode } from '../../../reconciler/core/workloads/daemon-pod.ts';
import { daemonBounds } from '../../../reconciler/core/workloads/daemon-rollout.ts';
import { FailedPods } from '../../../reconciler/core/workloads/failed-pods.ts';
import { isActive, isAvailable, isReady } from '../../../reconciler/core/workloads/pod-state.ts';
import { PODS_KNOWN } from '../../../reconciler/core/workloads/unheard.ts';
import { condition, node, pod, running } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const KEY = objectKey('DaemonSet', 'default', 'log');

function daemonSet(spec: object = {}, image = 'app:v1', podSpec: object = {}): DaemonSet {
  return DaemonSetManifest.parse({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'log' } },
      template: { metadata: { labels: { app: 'log' } }, spec: { containers: [{ name: 'app', image }], ...podSpec } },
      ...spec,
    },
  });
}

function world(object: DaemonSet, nodes: readonly string[] = ['a', 'b', 'c']): World {
  const w = new World([daemonSetController()]);
  for (const name of nodes) w.put(node(name));
  w.put(object);
  return w;
}
const log = (w: World): StoredDaemonSet => w.get(KEY) ?? assert.fail('no DaemonSet');
const active = (w: World): readonly StoredPod[] => w.list('Pod').filter(isActive);
/** `a: app:v1, b: app:v2`, of the pods that are active. */
const places = (w: World): string =>
  active(w)
    .map((p) => `${targetNode(p) ?? '?'}: ${p.spec.containers[0]?.image ?? ''}`)
    .sort()
    .join(', ');
const onNode = (w: World, name: string): readonly StoredPod[] => active(w).filter((p) => targetNode(p) === name);

/** A pod becomes what its node makes of it: bound and ready, or gone. */
function nodeCatchesUp(w: World, p: StoredPod): void {
  if (p.metadata.deletionTimestamp !== undefined) w.remove(objectKey('Pod', 'default', p.metadata.name));
  else if (p.status?.phase === 'Pending')
    w.put(running({ ...p, spec: { ...p.spec, nodeName: targetNode(p) ?? '' } }, true, w.now.toISOString()));
}
function converge(w: World): void {
  for (let i = 0, idle = 0; i < 300 && idle < 4; i++) {
    w.settle();
    for (const p of w.list('Pod')) nodeCatchesUp(w, p);
    w.advance(1000);
    idle = w.waiting === 0 ? idle + 1 : 0;
  }
  assert.equal(w.waiting, 0, 'it does not come to rest');
}
function change(w: World, wanted: DaemonSet): void {
  const { spec } = wanted;
  w.put({ ...log(w), spec });
}
function taint(w: World, name: string, ...taints: readonly Taint[]): void {
  w.put(node(name, { spec: { taints } }));
}
function started(object: DaemonSet = daemonSet(), nodes?: readonly string[]): World {
  const w = world(object, nodes);
  converge(w);
  return w;
}
function fail(w: World, p: StoredPod): void {
  w.put({ ...p, status: { phase: 'Failed', reason: 'Evicted' } });
}

describe('a DaemonSet whose pods have a RuntimeClass', () => {
  const gvisor = (scheduling: object): RuntimeClass =>
    RuntimeClassManifest.parse({
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'gvisor' },
      handler: 'runsc',
      scheduling,
    });
  const labelled = (name: string): Node => node(name, { labels: { sandbox: 'yes' } });

  it('has one on the nodes that the class is for, and on no other, also when class and nodes come later', () => {
    const w = world(daemonSet({}, 'app:v1', { runtimeClassName: 'gvisor' }), []);
    w.put(gvisor({ nodeSelector: { sandbox: 'yes' } }));
    w.put(node('a'));
    w.put(labelled('b'));
    w.settle();
    assert.equal(places(w), 'b: app:v1');
    assert.equal(log(w).status?.desiredNumberScheduled, 1);
    w.put(labelled('a'));
    w.settle();
    assert.equal(places(w), 'a: app:v1, b: app:v1');
    w.put(gvisor({ nodeSelector: { sandbox: 'no' } }));
    w.settle();
    assert.equal(log(w).status?.desiredNumberScheduled, 0);
  });

  it('comes to nodes whose taints the class tolerates', () => {
    const w = world(daemonSet({}, 'app:v1', { runtimeClassName: 'gvisor' }), []);
    w.put(gvisor({ tolerations: [{ key: 'sandbox', operator: 'Exists' }] }));
    w.put(node('a', { spec: { taints: [{ key: 'sandbox', effect: 'NoSchedule' }] } }));
    w.put(node('b', { spec: { taints: [{ key: 'other', effect: 'NoSchedule' }] } }));
    w.settle();
    assert.equal(places(w), 'a: app:v1');
  });
});

describe('a DaemonSet', () => {
  it('has a pod on each node, made for that node alone', () => {
    const w = started();
    assert.equal(places(w), 'a: app:v1, b: app:v1, c: app:v1');
    const [first] = active(w);
    assert.deepEqual(first?.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution, {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }],
    });
    const { status } = log(w);
    assert.deepEqual(status, {
      observedGeneration: 1,
      desiredNumberScheduled: 3,
      currentNumberScheduled: 3,
      numberMisscheduled: 0,
      numberReady: 3,
      updatedNumberScheduled: 3,
      numberAvailable: 3,
      numberUnavailable: 0,
    });
  });

  it('comes to a node that joins later, and leaves nothing behind for one that is gone', () => {
    const w = started();
    w.put(node('d'));
    converge(w);
    assert.match(places(w), /d: app:v1$/);
    for (const p of onNode(w, 'd')) w.remove(objectKey('Pod', 'default', p.metadata.name));
    w.settle();
    w.remove(objectKey('Node', undefined, 'd'));
    w.settle();
    assert.equal(places(w), 'a: app:v1, b: app:v1, c: app:v1');
  });

  it('makes a pod anew that was deleted', () => {
    const w = started();
    w.remove(objectKey('Pod', 'default', onNode(w, 'b')[0]?.metadata.name ?? ''));
    converge(w);
    assert.equal(onNode(w, 'b').length, 1);
  });

  it('waits for the old pod to be gone before it makes the next one', () => {
    const w = started();
    const [old] = onNode(w, 'b');
    assert.ok(old);
    w.put({ ...old, metadata: { ...old.metadata, deletionTimestamp: w.now.toISOString() } });
    w.settle();
    assert.equal(onNode(w, 'b').length, 0);
    converge(w);
    assert.equal(onNode(w, 'b').length, 1);
  });

  it('follows the labels of nodes', () => {
    const w = started(daemonSet({}, 'app:v1', { nodeSelector: { disk: 'ssd' } }));
    assert.equal(places(w), '');
    w.put({ ...node('b'), metadata: { name: 'b', labels: { disk: 'ssd' } } });
    converge(w);
    assert.equal(places(w), 'b: app:v1');
    w.put(node('b'));
    converge(w);
    assert.equal(places(w), '');
    assert.equal(log(w).status?.desiredNumberScheduled, 0);
  });

  it('is not looked at for a report of a node', () => {
    const w = started();
    const before = node('a');
    w.put({ ...before, status: { ...before.status, images: [{ names: ['x'], sizeBytes: 1 }] } });
    assert.equal(w.waiting, 0);
    w.put({ ...before, metadata: { ...before.metadata, labels: { a: 'b' } } });
    assert.equal(w.waiting, 0, 'a label that it does not ask for');
  });

  const ssd = [{ matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] }];
  const required = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: ssd } } };
  const dedicated = { key: 'dedicated', effect: 'NoSchedule' as const };
  const cases: readonly (readonly [string, object, readonly Taint[], readonly [string, string]])[] = [
    // What becomes of a node without a pod, and of one that has it.
    ['without a taint', {}, [], ['made', 'stays']],
    ['that is tainted NoSchedule', {}, [dedicated], ['none', 'stays']],
    ['that is tainted NoExecute', {}, [{ key: 'x', effect: 'NoExecute' }], ['none', 'goes']],
    ['whose taint is tolerated', { tolerations: [{ operator: 'Exists' }] }, [dedicated], ['made', 'stays']],
    ['that is cordoned', {}, [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }], ['made', 'stays']],
    ['that is drained', {}, [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }], ['made', 'stays']],
    ['that is silent', {}, [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }], ['made', 'stays']],
    ['short of disk', {}, [{ key: 'node.kubernetes.io/disk-pressure', effect: 'NoSchedule' }], ['made', 'stays']],
    [
      'without a network',
      {},
      [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }],
      ['none', 'stays'],
    ],
    [
      'without a network that it does not need',
      { hostNetwork: true },
      [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }],
      ['made', 'stays'],
    ],
    ['whose labels its affinity does not want', { affinity: required }, [], ['none', 'goes']],
    ['that is not its nodeName', { nodeName: 'other' }, [], ['none', 'goes']],
    ['that is its nodeName', { nodeName: 'a' }, [], ['made', 'stays']],
  ];
  for (const [name, podSpec, taints, [fresh, present]] of cases) {
    it(`on a node ${name}: ${fresh}; one that is there ${present}`, () => {
      const w = world(daemonSet({}, 'app:v1', podSpec), []);
      taint(w, 'a', ...taints);
      converge(w);
      assert.equal(active(w).length, fresh === 'made' ? 1 : 0);

      const late = world(daemonSet({}, 'app:v1', { tolerations: [{ operator: 'Exists' }] }), ['a']);
      converge(late);
      const [there] = active(late);
      taint(late, 'a', ...taints);
      change(late, daemonSet({ updateStrategy: { type: 'OnDelete' } }, 'app:v1', podSpec));
      converge(late);
      assert.equal(active(late)[0]?.metadata.uid === there?.metadata.uid, present === 'stays');
    });
  }

  it('is neither drained nor evicted by a silence of its node', () => {
    const w = started();
    const [p] = onNode(w, 'a');
    assert.ok(p);
    const drained = w.put(node('a', { spec: { taints: [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }] } }));
    assert.ok(isDraining(drained));
    const { steps } = planDrain({ node: drained, pods: [p], budgets: [], now: w.now });
    assert.deepEqual(
      steps.map((step) =>
        step.do === 'updateStatus' && step.object.kind === 'Node'
          ? findCondition(step.object.status?.conditions, 'Drained')?.status
          : step.do,
      ),
      ['True'],
    );
    const silent = w.put(
      node('a', { spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] } }),
    );
    const sight = { graceLeftMs: undefined, taintAgeMs: () => 3_600_000 };
    assert.deepEqual(planEviction(p, silent, sight, w.now), { steps: [] });
  });

  it('makes none on a node whose pods are not known since the store was lost', () => {
    const w = world(daemonSet({}, 'app:v1', { tolerations: [{ operator: 'Exists' }] }), []);
    w.put({ ...node('a'), status: { conditions: [condition(PODS_KNOWN, 'False')] } });
    converge(w);
    assert.equal(places(w), '');
    w.put({ ...node('a'), status: { conditions: [condition(PODS_KNOWN, 'True')] } });
    converge(w);
    assert.equal(places(w), 'a: app:v1');
  });

  it('replaces a failed pod at once, the next ones later each time', () => {
    const w = started(daemonSet(), ['a']);
    const waited: number[] = [];
    for (let i = 0; i < 5; i++) {
      const [p] = onNode(w, 'a');
      assert.ok(p);
      fail(w, p);
      const at = w.monotonic;
      while (w.get(objectKey('Pod', 'default', p.metadata.name))?.metadata.deletionTimestamp === undefined) {
        w.settle();
        if (w.list('Pod').some(({ metadata }) => metadata.deletionTimestamp !== undefined)) break;
        w.advance(500);
      }
      waited.push(w.monotonic - at);
      for (let k = 0; k < 2; k++) {
        for (const one of w.list('Pod')) nodeCatchesUp(w, one);
        w.settle();
      }
    }
    assert.deepEqual(waited, [0, 1000, 2000, 4000, 8000]);
    assert.equal(w.events.filter(({ reason }) => reason === 'FailedDaemonPod').length, 5);
  });

  it('keeps the oldest of several pods on a node, and adopts what nobody owns', () => {
    const w = started(daemonSet(), ['a']);
    const [own] = active(w);
    w.advance(1000);
    w.put(running(pod('stray', { nodeName: 'a' }, { labels: { app: 'log' } }), true));
    converge(w);
    assert.deepEqual(
      active(w).map(({ metadata }) => metadata.uid),
      [own?.metadata.uid],
    );
  });

  it('lets go of a pod whose labels it does not want any more', () => {
    const w = started(daemonSet(), ['a']);
    const [p] = active(w);
    assert.ok(p);
    w.put({ ...p, metadata: { ...p.metadata, labels: { app: 'other' } } });
    converge(w);
    assert.deepEqual(w.get(objectKey('Pod', 'default', p.metadata.name))?.metadata.ownerReferences, []);
    assert.equal(active(w).length, 2);
  });

  it('does nothing while it is being deleted', () => {
    const w = started();
    const metadata = { ...log(w).metadata, deletionTimestamp: w.now.toISOString(), finalizers: ['x.io/y'] };
    w.put({ ...log(w), metadata });
    w.remove(objectKey('Pod', 'default', active(w)[0]?.metadata.name ?? ''));
    converge(w);
    assert.equal(active(w).length, 2);
  });
});

describe('an update of a DaemonSet', () => {
  it('goes from node to node, and numbers its templates', () => {
    const w = started();
    change(w, daemonSet({}, 'app:v2'));
    w.settle();
    assert.equal(active(w).length, 2, 'one pod is replaced at first');
    converge(w);
    assert.equal(places(w), 'a: app:v2, b: app:v2, c: app:v2');
    const revisions = w.list('ControllerRevision').map(({ revision }) => revision);
    assert.deepEqual(revisions.sort(), [1, 2]);
    assert.equal(log(w).status?.updatedNumberScheduled, 3);
  });

  it('that is taken back in its middle restarts only what it had changed', () => {
    const w = started();
    const before = new Map(active(w).map((p) => [targetNode(p), p.metadata.uid]));
    change(w, daemonSet({}, 'app:broken'));
    w.settle();
    // The first new pod never becomes ready, and holds up the others.
    for (const p of w.list('Pod')) if (p.metadata.deletionTimestamp !== undefined) nodeCatchesUp(w, p);
    w.settle();
    assert.equal(active(w).filter((p) => p.spec.containers[0]?.image === 'app:broken').length, 1);
    change(w, daemonSet());
    converge(w);
    assert.equal(places(w), 'a: app:v1, b: app:v1, c: app:v1');
    assert.equal(active(w).filter((p) => before.get(targetNode(p)) === p.metadata.uid).length, 2);
    assert.deepEqual(
      w
        .list('ControllerRevision')
        .map(({ revision }) => revision)
        .sort(),
      [2, 3],
    );
  });

  it('replaces pods only when they are deleted, where it is told so', () => {
    const w = started(daemonSet({ updateStrategy: { type: 'OnDelete' } }));
    change(w, daemonSet({ updateStrategy: { type: 'OnDelete' } }, 'app:v2'));
    converge(w);
    assert.equal(places(w), 'a: app:v1, b: app:v1, c: app:v1');
    assert.match(daemonSetHealth(log(w), w).message, /^3 of 3 nodes have an available pod; on 3 it has an earlier/);
    w.remove(objectKey('Pod', 'default', onNode(w, 'b')[0]?.metadata.name ?? ''));
    converge(w);
    assert.equal(places(w), 'a: app:v1, b: app:v2, c: app:v1');
  });

  it('passes over a node that takes no new pods', () => {
    const w = started();
    taint(w, 'a', { key: 'dedicated', effect: 'NoSchedule' });
    change(w, daemonSet({}, 'app:v2'));
    converge(w);
    assert.equal(places(w), 'a: app:v1, b: app:v2, c: app:v2');
    taint(w, 'a');
    converge(w);
    assert.equal(places(w), 'a: app:v2, b: app:v2, c: app:v2');
  });

  it('keeps as many templates as it is told', () => {
    const w = started(daemonSet({ revisionHistoryLimit: 1 }));
    for (const image of ['app:v2', 'app:v3', 'app:v4']) {
      change(w, daemonSet({ revisionHistoryLimit: 1 }, image));
      converge(w);
    }
    assert.deepEqual(
      w
        .list('ControllerRevision')
        .map(({ revision }) => revision)
        .sort(),
      [3, 4],
    );
  });

  const shares: readonly (readonly [object, number, { surge: number; unavailable: number }])[] = [
    [{}, 10, { surge: 0, unavailable: 1 }],
    [{ maxUnavailable: '25%' }, 10, { surge: 0, unavailable: 3 }],
    [{ maxUnavailable: '100%' }, 3, { surge: 0, unavailable: 3 }],
    [{ maxSurge: '10%', maxUnavailable: 0 }, 11, { surge: 2, unavailable: 0 }],
    [{ maxSurge: 2, maxUnavailable: 0 }, 1, { surge: 2, unavailable: 0 }],
    [{ maxUnavailable: '10%' }, 0, { surge: 0, unavailable: 1 }],
  ];
  for (const [rollingUpdate, desired, bounds] of shares) {
    it(`${JSON.stringify(rollingUpdate)} of ${desired} nodes is ${JSON.stringify(bounds)}`, () => {
      const { spec } = daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });
      assert.deepEqual(daemonBounds(spec, desired), bounds);
    });
  }
});

describe('whatever happens, and in whatever order', () => {
  const NODES = ['a', 'b', 'c', 'd'];
  const happening = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), which: fc.nat(9) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('node' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('break' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('image' as const), which: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('taint' as const), which: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), which: fc.nat(9) }) },
  );
  const strategies = fc.constantFrom(
    { maxUnavailable: 1 },
    { maxUnavailable: 2 },
    { maxUnavailable: '50%' },
    { maxUnavailable: 0, maxSurge: 1 },
    { maxUnavailable: 0, maxSurge: '50%' },
  );

  it('the update never takes more nodes than it may, no node has two pods beyond a surge, and all ends well', () => {
    fc.assert(
      fc.property(
        strategies,
        fc.constantFrom(0, 3),
        fc.array(happening, { maxLength: 60 }),
        (rollingUpdate, minReadySeconds, happenings) => {
          const spec = { minReadySeconds, updateStrategy: { type: 'RollingUpdate', rollingUpdate } };
          const bounds = daemonBounds(daemonSet(spec).spec, NODES.length);
          const w = started(daemonSet(spec), NODES);
          const serving = (): ReadonlySet<string> =>
            new Set(
              active(w)
                .filter((p) => isAvailable(p, minReadySeconds, w.now))
                .map((p) => targetNode(p) ?? ''),
            );
          for (const one of happenings) {
            const pods = w.list('Pod');
            const chosen = pods[one.which % Math.max(1, pods.length)];
            if (one.do === 'pass') {
              const before = serving();
              w.step(one.which);
              const after = serving();
              const lost = [...before].filter((name) => !after.has(name));
              const without = NODES.filter((name) => !after.has(name) && isTaking(w, name));
              if (lost.length > 0)
                assert.ok(without.length <= bounds.unavailable, `${without.join()} have no available pod`);
              for (const name of NODES) {
                const most = bounds.surge > 0 ? 2 : 1;
                assert.ok(onNode(w, name).length <= most, `${onNode(w, name).length} pods on ${name}`);
                const ready = onNode(w, name).filter(isReady);
                assert.ok(ready.length <= most);
              }
            } else if (one.do === 'node' && chosen) nodeCatchesUp(w, chosen);
            else if (one.do === 'break' && chosen) w.put(running(chosen, false, w.now.toISOString()));
            else if (one.do === 'fail' && chosen) fail(w, chosen);
            else if (one.do === 'image') change(w, daemonSet(spec, `app:v${one.which}`));
            else if (one.do === 'taint') {
              const name = NODES[one.which] ?? 'a';
              taint(w, name, ...(isTaking(w, name) ? [{ key: 'dedicated', effect: 'NoSchedule' as const }] : []));
            } else if (one.do === 'wait') w.advance(1000);
          }
          for (const name of NODES) taint(w, name);
          for (const p of w.list('Pod'))
            if (p.status?.phase === 'Running') w.put(running(p, true, w.now.toISOString()));
          for (let i = 0; i < 30 && !isWell(w); i++) {
            converge(w);
            w.advance(60_000);
          }
          const image = log(w).spec.template.spec.containers[0]?.image ?? '';
          assert.equal(places(w), NODES.map((name) => `${name}: ${image}`).join(', '));
          assert.equal(w.conflicts, 0);
        },
      ),
      { numRuns: 200 },
    );
  });

  const isTaking = (w: World, name: string): boolean =>
    (w.get(objectKey('Node', undefined, name))?.spec.taints ?? []).length === 0;
  const isWell = (w: World): boolean => daemonSetHealth(log(w), w).status === 'Healthy' && w.waiting === 0;
});

describe('the back-off of failed pods', () => {
  it('doubles up to a quarter of an hour, and is forgotten after twice that', () => {
    const failed = new FailedPods();
    const waits: number[] = [];
    let now = 0;
    for (let i = 0; i < 13; i++) {
      waits.push(failed.waitMs('a', now));
      now += failed.waitMs('a', now);
      failed.replaced('a', now);
    }
    assert.deepEqual(
      waits.map((ms) => ms / 1000),
      [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900],
    );
    assert.equal(failed.waitMs('b', now), 0);
    now += 31 * 60_000;
    failed.replaced('a', now);
    assert.equal(failed.waitMs('a', now), 1000);
  });
});
