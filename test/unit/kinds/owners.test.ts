/** Up and down the chain of owners. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type KubeObject, type OwnerReference, type Stored } from '../../../contracts/objects/index.ts';
import { controllerKeys } from '../../../reconciler/controllers/owned-keys.ts';
import {
  childrenOf,
  controllerIn,
  descendantsOf,
  ownerChain,
  podsOf,
  replicasOf,
} from '../../../reconciler/core/kinds/owners.ts';
import { controllerOf, controllerRef, ownerKey } from '../../../reconciler/core/workloads/owners.ts';
import { pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { EXAMPLES } from './examples.ts';

/** A Deployment with its ReplicaSet and two pods. */
function app(): { world: World; deployment: Stored; set: Stored; first: Stored } {
  const world = new World();
  const owned = <T extends KubeObject>(object: T, owner: Stored): Stored =>
    world.put({ ...object, metadata: { ...object.metadata, ownerReferences: [controllerRef(owner)] } });
  const deployment = world.put(EXAMPLES.Deployment);
  const set = owned({ ...EXAMPLES.ReplicaSet, metadata: { name: 'web-1', namespace: 'default' } }, deployment);
  const first = owned(pod('web-1-a'), set);
  owned(pod('web-1-b'), set);
  return { world, deployment, set, first };
}
const names = (objects: readonly Stored[]): string[] => objects.map(({ metadata }) => metadata.name);

describe('the chain of owners', () => {
  it('leads from a pod to what Git wrote', () => {
    const { world, first } = app();
    assert.deepEqual(names(ownerChain(world, first)), ['web-1', 'web']);
  });

  it('leads down to the pods', () => {
    const { world, deployment, first } = app();
    assert.deepEqual(names(childrenOf(world, deployment)), ['web-1']);
    assert.deepEqual(names(descendantsOf(world, deployment)), ['web-1', 'web-1-a', 'web-1-b']);
    assert.deepEqual(names(podsOf(world, deployment)), ['web-1-a', 'web-1-b']);
    assert.deepEqual(names(podsOf(world, first)), ['web-1-a']);
  });

  it('ends where another object has the name of the owner', () => {
    const { world, set, first } = app();
    const other = { ...controllerRef(set), uid: 'of-an-earlier-one' };
    assert.equal(controllerIn(world, 'default', other), undefined);
    assert.deepEqual(ownerChain(world, { ...first, metadata: { ...first.metadata, ownerReferences: [other] } }), []);
  });

  it('ends at a reference to a kind that owns no such objects, even one that leads back', () => {
    const { world, set, first } = app();
    const turned = world.put({ ...set, metadata: { ...set.metadata, ownerReferences: [controllerRef(first)] } });
    assert.deepEqual(names(ownerChain(world, first)), ['web-1']);
    assert.equal(controllerOf(turned.metadata)?.kind, 'Pod');
  });

  it('takes a kind of another group for no owner of ours, and a cluster-scoped owner without a namespace', () => {
    const { world, set, first } = app();
    const foreign = { ...controllerRef(set), apiVersion: 'example.com/v1' };
    assert.equal(controllerIn(world, 'default', foreign), undefined);
    const turned = { ...first, metadata: { ...first.metadata, ownerReferences: [foreign] } };
    assert.deepEqual(controllerKeys('ReplicaSet', turned, world), []);
    const node = world.put(EXAMPLES.Node);
    assert.equal(controllerIn(world, 'default', controllerRef(node)), node);
    // An object without a namespace has no owner in one.
    const owners: readonly [string | undefined, OwnerReference, string | undefined][] = [
      ['default', controllerRef(set), keyOf(set)],
      ['default', foreign, undefined],
      ['default', controllerRef(node), keyOf(node)],
      [undefined, controllerRef(node), keyOf(node)],
      [undefined, controllerRef(set), undefined],
    ];
    for (const [namespace, reference, key] of owners) assert.equal(ownerKey(namespace, reference), key);
  });

  it('has how many pods each of them wants, where its kind is scaled', () => {
    const { deployment, set, first } = app();
    assert.deepEqual([deployment, set, first, EXAMPLES.Service].map(replicasOf), [3, 3, undefined, undefined]);
  });
});

describe('what an object without a controller is a matter of', () => {
  const cases = [
    ['the workloads whose selector wants it', 'ReplicaSet', { app: 'web' }, 1],
    ['none, where none does', 'ReplicaSet', { app: 'other' }, 0],
    ['a Service by its own kind of selector', 'Service', { app: 'web' }, 1],
    ['none of a kind without a selector', 'ConfigMap', { app: 'web' }, 0],
  ] as const;
  for (const [name, kind, labels, count] of cases) {
    it(name, () => {
      const world = new World();
      for (const object of [EXAMPLES.ReplicaSet, EXAMPLES.Service, EXAMPLES.ConfigMap]) world.put<KubeObject>(object);
      const lone = world.put(pod('lone', {}, { labels }));
      assert.equal(controllerKeys(kind, lone, world).length, count);
    });
  }
});
