/** What is deleted and held, over the small store, with every controller running. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  keyOf,
  objectKey,
  type ConfigMap,
  type Kind,
  type KubeObject,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import type { DeletionPropagation } from '../../../reconciler/core/step.ts';
import { cluster, deployment, pod, running, service } from './objects.ts';
import { World } from './world.ts';

const X = 'example.com/x';

function map(namespace = 'default', finalizers?: string[]): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'map', namespace, ...(finalizers && { finalizers }) },
    data: {},
  };
}

function remove(w: World, object: Stored, propagation?: DeletionPropagation): void {
  const { uid } = object.metadata;
  w.apply({ steps: [{ do: 'delete', key: keyOf(object), uid, ...(propagation && { propagation }) }] });
  w.settle();
}
const left = (w: World, kind: Kind): string[] => w.list<Kind>(kind).map(({ metadata }) => metadata.name);

describe('an object that a finalizer holds', () => {
  it('goes when the settings give the finalizer up', () => {
    const w = new World(allControllers());
    w.put(cluster());
    remove(w, w.put(map('default', [X])));
    assert.deepEqual(left(w, 'ConfigMap'), ['map']);
    w.put(cluster({ sync: { abandonedFinalizers: [X] } }));
    w.settle();
    assert.deepEqual(left(w, 'ConfigMap'), []);
  });

  it('of a finalizer given up before goes at once', () => {
    const w = new World(allControllers());
    w.put(cluster({ sync: { abandonedFinalizers: [X] } }));
    remove(w, w.put(map('default', [X, 'example.com/kept'])));
    assert.deepEqual(
      w.list('ConfigMap').map(({ metadata }) => metadata.finalizers),
      [['example.com/kept']],
    );
  });
});

describe('a Service that waits for its slices', () => {
  it('goes after them, and they are not made anew', () => {
    const w = new World(allControllers());
    w.put(cluster());
    w.put(running(pod('p', { nodeName: 'n' }, { labels: { app: 'web' } }), true, undefined, '198.18.1.1'));
    const web = w.put(service('web'));
    w.settle();
    assert.equal(left(w, 'EndpointSlice').length, 1);
    remove(w, w.get(keyOf(web)) ?? assert.fail(), 'Foreground');
    assert.deepEqual([left(w, 'EndpointSlice'), left(w, 'Service')], [[], []]);
  });
});

describe('a Namespace that is deleted', () => {
  const TEAM = objectKey('Namespace', undefined, 'team');
  const inTeam = <T extends KubeObject>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, namespace: 'team' },
  });
  const team = (w: World): Stored => {
    w.put(cluster());
    const made = w.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } } as const);
    w.put(map('team'));
    w.settle();
    return w.get(keyOf(made)) ?? assert.fail();
  };
  const isMarked = (w: World, kind: Kind): boolean[] =>
    w.list<Kind>(kind, 'team').map(({ metadata }) => metadata.deletionTimestamp !== undefined);

  it('takes its pods first, then all else, and goes last', () => {
    const w = new World(allControllers());
    const home = team(w);
    const held = w.put(inTeam(pod('p', { nodeName: 'n' }, { finalizers: [X] })));
    remove(w, home);
    assert.deepEqual([isMarked(w, 'Pod'), isMarked(w, 'ConfigMap')], [[true], [false]]);
    w.apply({ steps: [{ do: 'delete', key: keyOf(held), uid: held.metadata.uid, gone: true }] });
    w.settle();
    assert.deepEqual([isMarked(w, 'Pod'), isMarked(w, 'ConfigMap')], [[true], [false]], 'the finalizer holds it');
    const ended = w.get(keyOf(held)) ?? assert.fail();
    w.apply({ steps: [{ do: 'update', object: { ...ended, metadata: { ...ended.metadata, finalizers: [] } } }] });
    w.settle();
    assert.deepEqual(
      [left(w, 'Pod'), left(w, 'ConfigMap'), left(w, 'Namespace')],
      [[], [], ['default', 'kube-system']],
    );
  });

  it('has no new pods in place of those that go', () => {
    const w = new World(allControllers());
    const home = team(w);
    w.put(inTeam(deployment()));
    w.settle();
    assert.equal(left(w, 'Pod').length, 3);
    remove(w, home);
    assert.deepEqual([left(w, 'Pod'), left(w, 'Deployment'), left(w, 'ReplicaSet')], [[], [], []]);
    assert.equal(w.get(TEAM), undefined);
  });

  it('waits for no Event, which may be told at any moment', () => {
    const w = new World(allControllers());
    const home = team(w);
    w.put({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'team', finalizers: [X] },
      involvedObject: { apiVersion: 'v1', kind: 'ConfigMap', name: 'map', namespace: 'team' },
      type: 'Normal',
      reason: 'Told',
      message: '',
      count: 1,
      firstTimestamp: w.now.toISOString(),
      lastTimestamp: w.now.toISOString(),
      source: { component: 'test' },
    });
    remove(w, home);
    assert.equal(w.get(TEAM), undefined);
  });

  it('that was deleted again in the meantime waits for what held it alone', () => {
    const w = new World(allControllers());
    w.put(cluster());
    const home = w.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', finalizers: [X] } } as const);
    w.settle();
    for (let times = 0; times < 2; times += 1) remove(w, w.get(keyOf(home)) ?? assert.fail());
    assert.deepEqual(w.get(keyOf(home))?.metadata.finalizers, [X]);
  });
});

describe('a Namespace that a finalizer holds', () => {
  it('is Terminating, and what is in it goes meanwhile', () => {
    const w = new World(allControllers());
    w.put(cluster());
    const team = w.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', finalizers: [X] } } as const);
    w.put(map('team'));
    w.put(map());
    w.settle();
    remove(w, w.get(keyOf(team)) ?? assert.fail());
    const held = w.get(objectKey('Namespace', undefined, 'team')) ?? assert.fail();
    assert.equal(held.status?.phase, 'Terminating');
    assert.deepEqual(
      w.list('ConfigMap').map(({ metadata }) => metadata.namespace),
      ['default'],
    );
    w.apply({ steps: [{ do: 'update', object: { ...held, metadata: { ...held.metadata, finalizers: [] } } }] });
    w.settle();
    assert.deepEqual(left(w, 'Namespace'), ['default', 'kube-system']);
  });
  it('goes alone and is made anew when it is `default`, with all that is in it, and what is new', () => {
    const w = new World(allControllers());
    w.put(cluster());
    const home = w.put({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'default', finalizers: [X] },
    } as const);
    const kept = w.put(map());
    w.settle();
    remove(w, w.get(keyOf(home)) ?? assert.fail());
    const held = w.get(keyOf(home)) ?? assert.fail();
    assert.equal(held.status?.phase, 'Active');
    const more = { ...map(), metadata: { name: 'more', namespace: 'default' } };
    assert.ok(admit({ operation: 'create', object: more, by: 'git', view: w, now: w.now }).admitted);
    w.apply({ steps: [{ do: 'update', object: { ...held, metadata: { ...held.metadata, finalizers: [] } } }] });
    w.settle();
    const made = w.get(keyOf(home)) ?? assert.fail();
    assert.notEqual(made.metadata.uid, home.metadata.uid);
    assert.equal(made.metadata.deletionTimestamp, undefined);
    assert.equal(w.get(keyOf(kept))?.metadata.uid, kept.metadata.uid);
  });
});
