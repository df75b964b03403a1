import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  type StatefulSet,
  type StoredPod,
  type StoredStatefulSet,
} from '../../../contracts/objects/index.ts';
import { statefulSetController } from '../../../reconciler/controllers/statefulset.ts';
import { revisionOf } from '../../../reconciler/core/workloads/stateful-pod.ts';
import { HEARD_ORDINALS_ANNOTATION, PODS_HELD, PODS_KNOWN } from '../../../reconciler/core/workloads/unheard.ts';
import { condition, node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { reported, statefulSet } from './stateful.ts';

const KEY = objectKey('StatefulSet', 'default', 'db');

class Lab {
  readonly world = new World([statefulSetController]);

  constructor(set: StatefulSet = statefulSet()) {
    this.put(set);
  }

  get set(): StoredStatefulSet {
    return this.world.get(KEY) as StoredStatefulSet;
  }
  get pods(): readonly StoredPod[] {
    return this.world.list('Pod');
  }
  get names(): readonly string[] {
    return this.pods.map(({ metadata }) => metadata.name);
  }

  put(set: StatefulSet): this {
    const status = this.world.get(KEY)?.status;
    const annotations = { ...this.world.get(KEY)?.metadata.annotations, ...set.metadata.annotations };
    this.world.put({ ...set, metadata: { ...set.metadata, annotations }, ...(status && { status }) });
    this.world.settle();
    return this;
  }
  pod(name: string): StoredPod {
    const found = this.world.get(objectKey('Pod', 'default', name));
    assert.ok(found, `pod ${name} is there`);
    return found;
  }
  report(name: string, phase: 'Pending' | 'Running' | 'Failed' | 'Succeeded', ready = false): this {
    this.world.put(reported(onNode(this.pod(name)), phase, ready, this.world.now.toISOString()));
    this.world.settle();
    return this;
  }
  /** Lets pods run, become ready and end until nothing changes. */
  run(): this {
    for (let round = 0; round < 100; round += 1) {
      const going = this.pods.find(({ metadata }) => metadata.deletionTimestamp !== undefined);
      const starting = this.pods.find(({ status }) => status?.phase === 'Pending');
      if (going) this.gone(going.metadata.name);
      else if (starting) this.report(starting.metadata.name, 'Running', true);
      else return this;
    }
    throw new Error('it does not come to rest');
  }
  /** A person deletes it. */
  delete(name: string): this {
    const { uid } = this.pod(name).metadata;
    this.world.apply({ steps: [{ do: 'delete', key: objectKey('Pod', 'default', name), uid }] });
    this.world.settle();
    return this;
  }
  /** Its node says that nothing of it is left. */
  gone(name: string): this {
    const { uid } = this.pod(name).metadata;
    this.world.apply({ steps: [{ do: 'delete', key: objectKey('Pod', 'default', name), uid, gone: true }] });
    this.world.settle();
    return this;
  }
  ending(): readonly string[] {
    return this.pods.flatMap(({ metadata }) => (metadata.deletionTimestamp === undefined ? [] : [metadata.name]));
  }
  images(): readonly string[] {
    return this.pods.map(({ metadata, spec }) => `${metadata.name}=${spec.containers[0]?.image ?? ''}`);
  }
}

function onNode(one: StoredPod): StoredPod {
  return one.spec.nodeName === undefined ? { ...one, spec: { ...one.spec, nodeName: 'n1' } } : one;
}

describe('pods of a StatefulSet', () => {
  it('have names, host names and labels of their own', () => {
    const lab = new Lab(statefulSet({ ordinals: { start: 5 } })).run();
    assert.deepEqual(lab.names, ['db-5', 'db-6', 'db-7']);
    const { metadata, spec } = lab.pod('db-6');
    assert.deepEqual([spec.hostname, spec.subdomain], ['db-6', 'db']);
    assert.equal(metadata.labels?.['apps.kubernetes.io/pod-index'], '6');
    assert.equal(metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'db-6');
    assert.equal(metadata.labels?.['controller-revision-hash'], lab.set.status?.updateRevision);
  });

  it('are made one after the other when each is ready', () => {
    const lab = new Lab();
    assert.deepEqual(lab.names, ['db-0']);
    lab.report('db-0', 'Running', false);
    assert.deepEqual(lab.names, ['db-0']);
    lab.report('db-0', 'Running', true);
    assert.deepEqual(lab.names, ['db-0', 'db-1']);
  });

  it('are made one after the other when each has been ready for minReadySeconds', () => {
    const lab = new Lab(statefulSet({ minReadySeconds: 10 })).report('db-0', 'Running', true);
    lab.world.advance(9_999);
    lab.world.settle();
    assert.deepEqual(lab.names, ['db-0']);
    lab.world.advance(1);
    lab.world.settle();
    assert.deepEqual(lab.names, ['db-0', 'db-1']);
    assert.deepEqual([lab.set.status?.readyReplicas, lab.set.status?.availableReplicas], [1, 1]);
  });

  it('are all made at once where they may', () =>
    assert.deepEqual(new Lab(statefulSet({ podManagementPolicy: 'Parallel' })).names, ['db-0', 'db-1', 'db-2']));

  it('are made in bounded numbers, however many are wanted', () => {
    const lab = new Lab(statefulSet({ podManagementPolicy: 'Parallel', replicas: 700 }));
    assert.equal(lab.names.length, 700);
    const huge = new World([statefulSetController]);
    huge.put(statefulSet({ podManagementPolicy: 'Parallel', replicas: 2 ** 31 - 1 }));
    huge.step();
    assert.equal(huge.list('Pod').length, 500);
  });

  it('go in reverse order, one after the other, the last one first', () => {
    const lab = new Lab().run().put(statefulSet({ replicas: 1 }));
    assert.deepEqual(lab.ending(), ['db-2']);
    lab.gone('db-2');
    assert.deepEqual(lab.ending(), ['db-1']);
    lab.gone('db-1');
    assert.deepEqual([lab.names, lab.ending()], [['db-0'], []]);
  });

  it('go all at once where they may', () =>
    assert.deepEqual(
      new Lab(statefulSet({ podManagementPolicy: 'Parallel' }))
        .run()
        .put(statefulSet({ podManagementPolicy: 'Parallel', replicas: 0 }))
        .ending(),
      ['db-0', 'db-1', 'db-2'],
    ));

  it('do not go while one of lower ordinal is not ready', () => {
    const lab = new Lab()
      .run()
      .report('db-0', 'Running', false)
      .put(statefulSet({ replicas: 1 }));
    assert.deepEqual(lab.ending(), []);
    assert.deepEqual(lab.report('db-0', 'Running', true).ending(), ['db-2']);
  });

  it('move to the ordinals that are wanted when those change', () => {
    const lab = new Lab()
      .run()
      .put(statefulSet({ ordinals: { start: 2 } }))
      .run();
    assert.deepEqual(lab.names, ['db-2', 'db-3', 'db-4']);
  });

  for (const phase of ['Failed', 'Succeeded'] as const)
    it(`are made anew when they are ${phase}, once the old one is gone`, () => {
      const lab = new Lab().run();
      const { uid } = lab.pod('db-1').metadata;
      lab.report('db-1', phase);
      assert.deepEqual(lab.ending(), ['db-1']);
      assert.equal(lab.pod('db-1').metadata.uid, uid);
      lab.gone('db-1').run();
      assert.notEqual(lab.pod('db-1').metadata.uid, uid);
    });

  it('are made anew a while after their node refused them', () => {
    const lab = new Lab();
    lab.world.put({ ...onNode(lab.pod('db-0')), status: { phase: 'Failed', reason: 'NodePorts' } });
    lab.world.settle();
    assert.deepEqual(lab.ending(), []);
    lab.world.advance(10_000);
    lab.world.settle();
    assert.deepEqual(lab.ending(), ['db-0']);
  });

  it('are never two of one ordinal: one that ends keeps its name until its node has ended it', () => {
    const lab = new Lab().run();
    const { uid } = lab.pod('db-1').metadata;
    lab.delete('db-1');
    lab.world.advance(3_600_000);
    lab.world.resync();
    lab.world.settle();
    assert.deepEqual(lab.names, ['db-0', 'db-1', 'db-2']);
    assert.equal(lab.pod('db-1').metadata.uid, uid);
  });

  it('wait for a name that another pod has, and say so', () => {
    const world = new World([statefulSetController]);
    world.put(pod('db-0'));
    world.put(statefulSet());
    world.settle();
    assert.match(world.events.at(-1)?.message ?? '', /create Pod db-0 .* another pod has that name/);
    world.remove(objectKey('Pod', 'default', 'db-0'));
    world.settle();
    assert.equal(world.list('Pod')[0]?.metadata.ownerReferences?.[0]?.name, 'db');
  });

  it('are adopted by name and labels, and let go of without them', () => {
    const world = new World([statefulSetController]);
    world.put(pod('db-0', {}, { labels: { app: 'db' } }));
    world.put(pod('db-00', {}, { labels: { app: 'db' } }));
    world.put(statefulSet());
    world.settle();
    const owner = (name: string): string | undefined =>
      world.get(objectKey('Pod', 'default', name))?.metadata.ownerReferences?.[0]?.kind;
    assert.deepEqual([owner('db-0'), owner('db-00')], ['StatefulSet', undefined]);
    const adopted = world.get(objectKey('Pod', 'default', 'db-0')) as StoredPod;
    assert.equal(adopted.metadata.labels?.['apps.kubernetes.io/pod-index'], '0');
    world.put({ ...adopted, metadata: { ...adopted.metadata, labels: {} } });
    world.settle();
    assert.equal(owner('db-0'), undefined);
  });

  it('stay as they are while the StatefulSet is being deleted', () => {
    const lab = new Lab().run();
    const { set } = lab;
    lab.world.put({
      ...set,
      metadata: { ...set.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['orphan'] },
      spec: { ...set.spec, replicas: 0 },
    });
    lab.world.settle();
    assert.deepEqual([lab.names.length, lab.ending()], [3, []]);
  });
});

describe('an update of a StatefulSet', () => {
  const rolling = (rollingUpdate: object): object => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } });

  it('replaces the highest ordinal first, and goes on when it is ready', () => {
    const lab = new Lab().run().put(statefulSet({}, 'db:v2'));
    assert.deepEqual(lab.ending(), ['db-2']);
    lab.gone('db-2').report('db-2', 'Running', false);
    assert.deepEqual(lab.ending(), []);
    lab.report('db-2', 'Running', true);
    assert.deepEqual(lab.ending(), ['db-1']);
    const { currentRevision, updateRevision } = lab.set.status ?? {};
    assert.notEqual(currentRevision, updateRevision);
    lab.run();
    assert.deepEqual(lab.images(), ['db-0=db:v2', 'db-1=db:v2', 'db-2=db:v2']);
    const { status } = lab.set;
    assert.deepEqual(
      [status?.currentRevision, status?.updateRevision, status?.currentReplicas, status?.updatedReplicas],
      [updateRevision, updateRevision, 3, 3],
    );
  });

  it('leaves pods below the partition alone, and makes those anew from the revision that they had', () => {
    const lab = new Lab()
      .run()
      .put(statefulSet(rolling({ partition: 2 }), 'db:v2'))
      .run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v1', 'db-2=db:v2']);
    lab.delete('db-0').run();
    lab.delete('db-2').run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v1', 'db-2=db:v2']);
    assert.deepEqual([lab.set.status?.currentReplicas, lab.set.status?.updatedReplicas], [2, 1]);
    lab.put(statefulSet(rolling({ partition: 1 }), 'db:v2')).run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v2', 'db-2=db:v2']);
    lab.put(statefulSet({}, 'db:v2')).run();
    assert.equal(lab.set.status?.currentRevision, lab.set.status?.updateRevision);
  });

  it('counts the partition from the first ordinal', () => {
    const first = { ordinals: { start: 10 } };
    const lab = new Lab(statefulSet(first)).run();
    lab.put(statefulSet({ ...first, ...rolling({ partition: 1 }) }, 'db:v2')).run();
    assert.deepEqual(lab.images(), ['db-10=db:v1', 'db-11=db:v2', 'db-12=db:v2']);
  });

  for (const [maxUnavailable, at] of [
    [2, ['db-3', 'db-4']],
    ['40%', ['db-3', 'db-4']],
    ['10%', ['db-4']],
  ] as const)
    it(`replaces as many at once as may be unavailable: ${maxUnavailable} of 5`, () => {
      const spec = { replicas: 5, ...rolling({ maxUnavailable }) };
      assert.deepEqual(new Lab(statefulSet(spec)).run().put(statefulSet(spec, 'db:v2')).ending(), at);
    });

  it('waits for a person with OnDelete', () => {
    const spec = { updateStrategy: { type: 'OnDelete' } };
    const lab = new Lab(statefulSet(spec)).run().put(statefulSet(spec, 'db:v2')).run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v1', 'db-2=db:v1']);
    lab.delete('db-1').run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v2', 'db-2=db:v1']);
  });

  it('halts at a pod that does not become ready, and after a rollback goes on when a person deleted it', () => {
    const lab = new Lab().run().put(statefulSet({}, 'db:broken')).gone('db-2').report('db-2', 'Running', false);
    lab.put(statefulSet({}, 'db:v1'));
    assert.deepEqual([lab.ending(), lab.images()[2]], [[], 'db-2=db:broken']);
    lab.delete('db-2').run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v1', 'db-2=db:v1']);
  });

  it('leaves a broken revision by itself where pods are Parallel, one at a time', () => {
    const spec = { podManagementPolicy: 'Parallel' };
    const lab = new Lab(statefulSet(spec, 'db:broken'));
    for (const name of lab.names) lab.report(name, 'Running', false);
    lab.put(statefulSet(spec));
    assert.deepEqual(lab.ending(), ['db-2']);
    lab.run();
    assert.deepEqual(lab.images(), ['db-0=db:v1', 'db-1=db:v1', 'db-2=db:v1']);
  });

  it('does not end a pod that is available while another one is not, where pods are Parallel', () => {
    const spec = { podManagementPolicy: 'Parallel' };
    const lab = new Lab(statefulSet(spec)).run().report('db-0', 'Running', false).put(statefulSet(spec, 'db:v2'));
    assert.deepEqual(lab.ending(), ['db-0']);
  });

  it('keeps revisions of templates that pods have, and as many others as the limit says', () => {
    const lab = new Lab(statefulSet({ revisionHistoryLimit: 1 })).run();
    for (const version of [2, 3, 4]) lab.put(statefulSet({ revisionHistoryLimit: 1 }, `db:v${version}`)).run();
    const revisions = lab.world.list('ControllerRevision');
    assert.deepEqual(revisions.map(({ revision }) => revision).sort(), [3, 4]);
    assert.deepEqual(
      new Set(lab.pods.map(revisionOf)),
      new Set([revisions.find(({ revision }) => revision === 4)?.metadata.name]),
    );
  });

  it('goes back to a revision that is there, under its name', () => {
    const lab = new Lab().run();
    const first = lab.set.status?.updateRevision;
    lab.put(statefulSet({}, 'db:v2')).run().put(statefulSet()).run();
    assert.equal(lab.set.status?.updateRevision, first);
    assert.equal(lab.world.list('ControllerRevision').length, 2);
  });
});

describe('a StatefulSet that was rebuilt while nodes were silent', () => {
  const unheard = (known: 'True' | 'False') => {
    const made = node('n2');
    return { ...made, status: { ...made.status, conditions: [condition(PODS_KNOWN, known)] } };
  };
  const rebuilt = (heard: string, spec: object = {}): Lab => {
    const lab = new Lab(statefulSet({ replicas: 0 }));
    lab.world.put(unheard('False'));
    const set = statefulSet(spec);
    return lab.put({ ...set, metadata: { ...set.metadata, annotations: { [HEARD_ORDINALS_ANNOTATION]: heard } } });
  };

  it('makes no pod that may run there, for as long as it takes', () => {
    for (const podManagementPolicy of ['OrderedReady', 'Parallel']) {
      const lab = rebuilt('1', { podManagementPolicy });
      lab.world.advance(7 * 86_400_000);
      lab.world.resync();
      lab.world.settle();
      assert.deepEqual(lab.names, podManagementPolicy === 'Parallel' ? ['db-1'] : []);
      const held = lab.set.status?.conditions?.find(({ type }) => type === PODS_HELD);
      assert.match(held?.message ?? '', /node n2 did not answer.*plumb node rm n2 --commit/);
    }
  });

  it('ends none either: how many there are to be may not be known', () => {
    const lab = rebuilt('0-2').run();
    assert.equal(lab.names.length, 3);
    lab.put(statefulSet({ replicas: 1 }));
    assert.deepEqual(lab.ending(), []);
  });

  it('makes pods that have been seen since', () => {
    const lab = rebuilt('0').run();
    assert.deepEqual(lab.names, ['db-0']);
    const told = lab.pod('db-0');
    lab.world.put({ ...told, metadata: { ...told.metadata, name: 'db-1', uid: 'late' } });
    lab.world.settle();
    assert.equal(lab.set.metadata.annotations?.[HEARD_ORDINALS_ANNOTATION], '0,1');
    lab.delete('db-1').run();
    assert.deepEqual(lab.names, ['db-0', 'db-1']);
  });

  for (const [what, happen] of [
    ['is heard', (world: World) => world.put(unheard('True'))],
    ['is removed', (world: World) => world.remove(objectKey('Node', undefined, 'n2'))],
  ] as const)
    it(`makes all when the node ${what}`, () => {
      const lab = rebuilt('');
      happen(lab.world);
      lab.world.settle();
      lab.run();
      assert.deepEqual(lab.names, ['db-0', 'db-1', 'db-2']);
      assert.equal(lab.set.metadata.annotations?.[HEARD_ORDINALS_ANNOTATION], undefined);
      assert.equal(lab.set.status?.conditions, undefined);
    });

  it('cannot be made to hold much by what its annotation says', () => {
    const lab = rebuilt('0-9999999999,x,5-,-3,7-99999999999').run();
    assert.deepEqual(lab.names, ['db-0', 'db-1', 'db-2']);
  });
});
