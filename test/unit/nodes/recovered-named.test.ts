import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  keyOf,
  objectKey,
  type KubeObject,
  type PodTemplateSpec,
  type StatefulSet,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { Claim, type PodReport } from '../../../contracts/agent/index.ts';
import { statefulSetController } from '../../../reconciler/controllers/statefulset.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { podDefaultsOf } from '../../../reconciler/core/nodes/claimed-template.ts';
import { latePods } from '../../../reconciler/core/nodes/late-pods.ts';
import { placesFound } from '../../../reconciler/core/nodes/recovered-named.ts';
import { recoverState, type RecoveredState } from '../../../reconciler/core/nodes/recovered-state.ts';
import type { NodeWord } from '../../../reconciler/core/nodes/node-word.ts';
import { filledFor } from '../../../reconciler/core/workloads/stateful-pod.ts';
import { templateHash } from '../../../reconciler/core/workloads/template.ts';
import { HEARD_ORDINALS_ANNOTATION } from '../../../reconciler/core/workloads/unheard.ts';
import { cluster, machine } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { CLAIMED, statefulSet } from '../workloads/stateful.ts';
import { stored } from './stored.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const db = statefulSet();
const earlier = statefulSet({}, 'db:v0').spec.template;
const revisionName = (template: PodTemplateSpec): string => `db-${templateHash(template)}`;

/** The pod of an ordinal as its node holds it. */
function claimed(
  ordinal: number,
  node: string,
  {
    set = db,
    template = set.spec.template,
    uid = `uid-db-${ordinal}`,
    spec = {},
  }: { set?: StatefulSet; template?: PodTemplateSpec; uid?: string; spec?: object } = {},
): Claim {
  const filled = filledFor(set, { name: revisionName(template), template }, ordinal);
  return Claim.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `db-${ordinal}`,
      namespace: 'default',
      uid,
      creationTimestamp: '2026-02-01T00:00:00Z',
      labels: filled.metadata.labels,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'what-it-was', controller: true },
      ],
    },
    spec: { ...filled.spec, ...spec, nodeName: node },
  });
}
const told = (node: string, claims: readonly Claim[]): NodeWord => ({
  node,
  claims: [Claim.parse({ kind: 'Node', metadata: { name: node, uid: 'u' }, spec: {} }), ...claims],
  pods: claims.map((claim): PodReport => ({
    namespace: 'default',
    name: claim.metadata.name,
    uid: (claim.metadata as { uid: string }).uid,
    gone: false,
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  })),
});

function recovered(
  words: readonly NodeWord[],
  { set = db, written = set, silent = [] }: { set?: StatefulSet; written?: object; silent?: readonly string[] } = {},
): RecoveredState {
  const state: DesiredState = new Map(
    [cluster(), set].map((object: KubeObject) => [
      keyOf(object),
      {
        key: keyOf(object),
        object,
        written: object === set ? { ...written } : { ...object },
        position: { file: 'all.yaml', line: 1, column: 1 },
      },
    ]),
  );
  return recoverState({
    words,
    silent,
    machines: ['a', 'b', 'c'].map((name) => machine(name, { maxPods: 20 })),
    source: { name: 'main', url: 'git', branch: 'main' },
    appliedRevision: 'f'.repeat(40),
    applied: state,
    templates: new Map([[objectKey('StatefulSet', 'default', 'db'), [db.spec.template, earlier]]]),
    incarnation: 'i',
    now: NOW,
  });
}

/** What the controller makes of it: names of pods that it makes, of those that it ends, and those that stay. */
function goesOn({ objects }: RecoveredState): { world: World; made: string[]; ended: string[]; stayed: string[] } {
  const world = new World([statefulSetController]);
  const before = new Set(objects.flatMap(({ kind, metadata }) => (kind === 'Pod' ? [metadata.uid] : [])));
  for (const object of objects) world.put(object);
  world.settle();
  const pods = world.list('Pod');
  const of = (keep: (pod: StoredOf<'Pod'>) => boolean): string[] =>
    pods.filter(keep).map(({ metadata }) => metadata.name);
  return {
    world,
    made: of(({ metadata }) => !before.has(metadata.uid)),
    ended: of(({ metadata }) => metadata.deletionTimestamp !== undefined),
    stayed: of(({ metadata }) => before.has(metadata.uid) && metadata.deletionTimestamp === undefined),
  };
}

describe('a StatefulSet after the store was lost', () => {
  it('has its pods again, and its controller has nothing to do', () => {
    const { made, ended, stayed, world } = goesOn(
      recovered([told('a', [claimed(0, 'a'), claimed(2, 'a')]), told('b', [claimed(1, 'b')])]),
    );
    assert.deepEqual([made, ended, stayed], [[], [], ['db-0', 'db-1', 'db-2']]);
    const set = world.list('StatefulSet')[0];
    assert.ok(world.list('Pod').every(({ metadata }) => metadata.ownerReferences?.[0]?.uid === set?.metadata.uid));
    assert.equal(set?.status?.currentRevision, revisionName(db.spec.template));
  });

  it('has the earlier revision that pods below a partition have, so that one of them is made anew from that', () => {
    const set = statefulSet({
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
    });
    const state = recovered([told('a', [claimed(0, 'a', { template: earlier }), claimed(2, 'a')])], { set });
    const { world, made } = goesOn(state);
    assert.deepEqual(made, ['db-1']);
    const image = world.get(objectKey('Pod', 'default', 'db-1'))?.spec.containers[0]?.image;
    assert.equal(image, 'db:v0');
    assert.deepEqual(
      world
        .list('ControllerRevision')
        .map(({ metadata, revision }) => [metadata.name, revision])
        .sort(),
      [
        [revisionName(earlier), 1],
        [revisionName(db.spec.template), 2],
      ].sort(),
    );
  });

  it('has the claims of its pods again, before anything acts', () => {
    const set = statefulSet(CLAIMED);
    const { objects } = recovered([told('a', [claimed(0, 'a', { set })]), told('b', [claimed(2, 'b', { set })])], {
      set,
    });
    assert.deepEqual(objects.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(keyOf), [
      'persistentvolumeclaims/default/data-db-0',
      'persistentvolumeclaims/default/data-db-2',
    ]);
    const pod = objects.find(({ kind, metadata }) => kind === 'Pod' && metadata.name === 'db-0');
    assert.equal(pod?.metadata.deletionTimestamp, undefined);
  });

  it('holds back pods that a silent node may have, and ends none', () => {
    const state = recovered([told('a', [claimed(0, 'a')]), told('b', [claimed(4, 'b')])], { silent: ['c'] });
    const { made, ended } = goesOn(state);
    assert.deepEqual([made, ended], [[], []]);
    const set = state.objects.find(({ kind }) => kind === 'StatefulSet');
    assert.equal(set?.metadata.annotations?.[HEARD_ORDINALS_ANNOTATION], '0,4');
  });

  it('ends a pod that Git does not have as it is before it makes another of its name', () => {
    const { made, ended, world } = goesOn(recovered([told('a', [claimed(0, 'a', { spec: { hostNetwork: true } })])]));
    assert.deepEqual([made, ended], [[], ['db-0']]);
    const pod = world.get(objectKey('Pod', 'default', 'db-0'));
    assert.deepEqual([pod?.metadata.uid, pod?.spec.nodeName, pod?.spec.hostNetwork], ['uid-db-0', 'a', false]);
  });

  it('has as many pods as run, where Git leaves the number to others', () => {
    const written = { ...db, spec: { selector: db.spec.selector, template: db.spec.template } };
    const set = statefulSet({ replicas: undefined });
    const words = [told('a', [claimed(0, 'a'), claimed(3, 'a')]), told('b', [claimed(1, 'b'), claimed(2, 'b')])];
    const { made, ended, stayed } = goesOn(recovered(words, { set, written }));
    assert.deepEqual([made, ended, stayed.length], [[], [], 4]);
  });

  it('is not made large by one node that names a place far off', () => {
    assert.equal(placesFound([0, 1, 2_000_000_000], 0), 6);
    assert.equal(placesFound([4], 1), 5);
    assert.equal(placesFound([], 3), 0);
  });
});

describe('pods of a StatefulSet on a node that told late', () => {
  const set = stored<'StatefulSet'>(db);
  const late = (claims: readonly Claim[], kept: readonly PodTemplateSpec[] = []) =>
    latePods({
      word: { node: 'a', claims, pods: [] },
      known: { podCIDR: undefined, internalIP: undefined },
      makers: [set],
      defaults: podDefaultsOf([]),
      earlier: () => kept,
      podsOf: () => [],
      has: () => false,
      now: NOW,
    }).map(({ metadata }) => [metadata.name, metadata.uid, metadata.deletionTimestamp !== undefined]);

  it('are followed, those of an earlier revision too', () => {
    assert.deepEqual(late([claimed(1, 'a')]), [['db-1', 'uid-db-1', false]]);
    assert.deepEqual(late([claimed(1, 'a', { template: earlier })], [earlier]), [['db-1', 'uid-db-1', false]]);
  });
  it('end there before another of their name is made, where they are others than Git has', () => {
    assert.deepEqual(late([claimed(1, 'a', { template: earlier })]), [['db-1', 'uid-db-1', true]]);
    assert.deepEqual(late([claimed(1, 'a', { spec: { hostNetwork: true } })]), [['db-1', 'uid-db-1', true]]);
  });
});
