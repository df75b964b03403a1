import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, type OwnerReference, type StoredPersistentVolumeClaim } from '../../../contracts/objects/index.ts';
import { statefulSetController } from '../../../reconciler/controllers/statefulset.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { World } from '../controllers/world.ts';
import { CLAIMED, reported, statefulSet } from './stateful.ts';

const policy = (whenDeleted: string, whenScaled: string): object => ({
  ...CLAIMED,
  podManagementPolicy: 'Parallel',
  persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
});
const SET = objectKey('StatefulSet', 'default', 'db');
const claimKey = (ordinal: number) => objectKey('PersistentVolumeClaim', 'default', `data-db-${ordinal}`);
const podKey = (ordinal: number) => objectKey('Pod', 'default', `db-${ordinal}`);

function started(spec: object, controllers = [statefulSetController, garbageCollector]): World {
  const world = new World(controllers);
  world.put(statefulSet(spec));
  world.settle();
  for (const pod of world.list('Pod'))
    world.put(reported({ ...pod, spec: { ...pod.spec, nodeName: 'n1' } }, 'Running', true));
  world.settle();
  return world;
}
function scale(world: World, spec: object): void {
  const status = world.get(SET)?.status;
  world.put({ ...statefulSet(spec), ...(status && { status }) });
  world.settle();
}
function gone(world: World, ordinal: number): void {
  const pod = world.get(podKey(ordinal));
  assert.ok(pod);
  world.apply({ steps: [{ do: 'delete', key: podKey(ordinal), uid: pod.metadata.uid, gone: true }] });
  world.settle();
}
const owners = (world: World, ordinal: number): readonly string[] | undefined =>
  world.get(claimKey(ordinal))?.metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`);

describe('claims of a StatefulSet', () => {
  it('are made before their pod, which names them', () => {
    const world = new World([statefulSetController]);
    world.put(statefulSet(CLAIMED));
    world.step();
    const claim = world.get(claimKey(0));
    assert.deepEqual(claim?.metadata.labels, { tier: 'data', app: 'db' });
    assert.equal(claim.spec.resources.requests['storage'], '1Gi');
    assert.ok(Number(claim.metadata.resourceVersion) < Number(world.get(podKey(0))?.metadata.resourceVersion));
    assert.deepEqual(world.get(podKey(0))?.spec.volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0', readOnly: false } },
    ]);
  });

  const retention: readonly (readonly [
    string,
    string,
    readonly string[] | undefined,
    readonly string[] | undefined,
  ])[] = [
    ['Retain', 'Retain', undefined, undefined],
    ['Delete', 'Retain', ['StatefulSet/db'], ['StatefulSet/db']],
    ['Retain', 'Delete', undefined, ['Pod/db-2']],
    ['Delete', 'Delete', ['StatefulSet/db'], ['Pod/db-2']],
  ];
  for (const [whenDeleted, whenScaled, before, after] of retention) {
    const spec = policy(whenDeleted, whenScaled);
    it(`belong to whom the policy says: ${whenDeleted} when deleted, ${whenScaled} when scaled`, () => {
      const world = started(spec);
      assert.deepEqual(owners(world, 2), before);
      scale(world, { ...spec, replicas: 2 });
      assert.deepEqual(owners(world, 2) ?? [], after ?? []);
      gone(world, 2);
      assert.equal(world.get(claimKey(2)) === undefined, whenScaled === 'Delete');
      world.remove(SET);
      world.settle();
      assert.equal(world.get(claimKey(0)) === undefined, whenDeleted === 'Delete');
    });
  }

  it('are found again by a pod that is made anew', () => {
    const world = started(CLAIMED);
    const { uid } = world.get(claimKey(0))?.metadata ?? {};
    gone(world, 0);
    assert.ok(world.get(podKey(0)));
    assert.equal(world.get(claimKey(0))?.metadata.uid, uid);
  });

  it('change their owner when the policy changes', () => {
    const world = started(policy('Delete', 'Retain'));
    scale(world, policy('Retain', 'Retain'));
    assert.deepEqual(owners(world, 0), []);
    scale(world, policy('Delete', 'Delete'));
    assert.deepEqual(owners(world, 0), ['StatefulSet/db']);
  });

  const ownedBy = (
    claim: StoredPersistentVolumeClaim,
    ownerReferences: OwnerReference[],
  ): StoredPersistentVolumeClaim => ({
    ...claim,
    metadata: { ...claim.metadata, ownerReferences },
  });
  it('are left to another controller, and to an earlier StatefulSet of the name', () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x', controller: true } as const;
    const earlier = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      name: 'db',
      uid: 'earlier',
      controller: true,
    } as const;
    for (const owner of [other, earlier]) {
      const world = new World([statefulSetController]);
      world.put(statefulSet(policy('Delete', 'Delete')));
      world.settle();
      world.put(ownedBy(world.get(claimKey(0)) as StoredPersistentVolumeClaim, [owner]));
      world.resync();
      world.settle();
      assert.deepEqual(world.get(claimKey(0))?.metadata.ownerReferences, [owner]);
    }
  });

  it('that are being deleted are waited for: the pod comes with a new one', () => {
    const world = new World([statefulSetController]);
    const made = started(CLAIMED).get(claimKey(0)) as StoredPersistentVolumeClaim;
    world.put({
      ...made,
      metadata: { ...made.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x'] },
    });
    world.put(statefulSet(CLAIMED));
    world.settle();
    assert.equal(world.list('Pod').length, 0);
    world.remove(claimKey(0));
    world.settle();
    assert.ok(world.get(podKey(0)));
    assert.equal(world.get(claimKey(0))?.metadata.deletionTimestamp, undefined);
  });

  it('that still go with an earlier pod are waited for', () => {
    const spec = policy('Retain', 'Delete');
    const world = started(spec, [statefulSetController]);
    scale(world, { ...spec, replicas: 2 });
    gone(world, 2);
    scale(world, spec);
    assert.equal(world.get(podKey(2)), undefined);
    world.remove(claimKey(2));
    world.settle();
    assert.ok(world.get(podKey(2)));
  });

  it('that were lost with the store are made again for pods that run', () => {
    const world = started(CLAIMED);
    world.remove(claimKey(0));
    world.settle();
    assert.ok(world.get(claimKey(0)));
  });
});
