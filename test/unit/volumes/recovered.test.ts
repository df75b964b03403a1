/** Volumes after the store was lost: each node is believed in what is its own. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Claim } from '../../../contracts/agent/index.ts';
import {
  objectKey,
  PersistentVolumeClaimManifest,
  type PersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { enforcedBytes } from '../../../contracts/objects/local-volumes.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import { persistentVolumeController } from '../../../reconciler/controllers/persistentvolume.ts';
import { persistentVolumeClaimController } from '../../../reconciler/controllers/persistentvolumeclaim.ts';
import { AssignmentTracker } from '../../../reconciler/core/nodes/assignment-tracker.ts';
import { recoveredVolumes as recover } from '../../../reconciler/core/nodes/recovered-volumes.ts';
import type { NodeWord } from '../../../reconciler/core/nodes/node-word.ts';
import { StorageClasses } from '../../../reconciler/core/volumes/class.ts';
import { localVolume } from '../../../reconciler/core/volumes/local-volume.ts';
import { node } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const claim = PersistentVolumeClaimManifest.parse({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data', namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
});
function volume(uid: string, on = 'n1', className = 'local'): PersistentVolume {
  const local = new StorageClasses([]).named(className);
  assert.ok(local);
  return localVolume({ ...claim, metadata: { ...claim.metadata, uid } } as StoredPersistentVolumeClaim, local, on);
}
const word = (name: string, ...objects: readonly object[]): NodeWord => ({
  node: name,
  claims: objects.flatMap((object) => Claim.safeParse(object).data ?? []),
  pods: [],
});

const recoveredVolumes = (words: readonly NodeWord[]): ReturnType<typeof recover> => recover(words, () => undefined);

describe('volumes that nodes tell of', () => {
  it('are bound to the claims of their names again, and no new one is made', () => {
    const world = new World([persistentVolumeClaimController, persistentVolumeController]);
    world.put(node('n1'));
    for (const found of recoveredVolumes([word('n1', volume('a'))])) world.put(found);
    world.put(claim);
    world.settle();
    assert.equal(world.get(objectKey('PersistentVolumeClaim', 'default', 'data'))?.spec.volumeName, 'pvc-a');
    assert.equal(world.list('PersistentVolume').length, 1);
  });

  it('are on the node that tells of them, whatever it says, and nothing else is believed', () => {
    const told = volume('a', 'n9');
    const [found] = recoveredVolumes([
      word('n1', {
        ...told,
        metadata: { ...told.metadata, annotations: { 'plumbline.dev/data-given-up': 'a' } },
        spec: { ...told.spec, hostPath: { path: '/etc' }, local: { path: '/' } },
      }),
    ]);
    assert.ok(found);
    assert.deepEqual(
      [homeOf(found), found.spec.local?.path, found.spec.hostPath, found.spec.claimRef?.uid],
      ['n1', '/var/lib/plumbline/volumes/pvc-a/data', undefined, undefined],
    );
    assert.deepEqual(Object.keys(found.metadata.annotations ?? {}), ['pv.kubernetes.io/provisioned-by']);
  });

  it('are held to their size as before', () => {
    const [found] = recoveredVolumes([word('n1', volume('a', 'n1', 'local-enforced'))]);
    assert.equal(found && enforcedBytes(found), 2 ** 30);
  });

  it('have a name that leads nowhere else', () => {
    for (const name of ['pvc-../x', 'x', 'pvc-'])
      assert.deepEqual(recoveredVolumes([word('n1', { ...volume('a'), metadata: { name } })]), []);
  });

  it('are there once, though two nodes tell of one', () => {
    const found = recoveredVolumes([word('n2', volume('a')), word('n1', volume('a'))]);
    assert.deepEqual(found.map(homeOf), ['n1']);
  });
});

describe('the assignment of a node', () => {
  it('has its volumes, whether a pod leads to them or not, and those of no other', () => {
    const world = new World();
    const tracker = new AssignmentTracker('i');
    const stored = world.put(volume('a'));
    assert.deepEqual(tracker.observe('put', stored, 0), ['n1']);
    tracker.observe('put', world.put(volume('b', 'n2')), 0);
    assert.deepEqual(
      tracker.wholeDelta('n1').upsert.map(({ metadata }) => metadata.name),
      ['pvc-a'],
    );
    assert.deepEqual(tracker.observe('delete', stored, 0), ['n1']);
    assert.deepEqual(tracker.wholeDelta('n1').upsert, []);
  });
});
