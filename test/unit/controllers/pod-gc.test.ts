/** Pods whose machine is gone for good. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCondition, objectKey, type StoredPod } from '../../../contracts/objects/index.ts';
import { podGcController } from '../../../reconciler/controllers/pod-gc.ts';
import { machine, pod } from './objects.ts';
import { World } from './world.ts';

const HELD = { finalizers: ['example.com/x'] };
const podOf = (w: World, name: string): StoredPod | undefined => w.get(objectKey('Pod', 'default', name));

function machineRemoved(phases: Readonly<Record<string, 'Running' | 'Succeeded'>>, metadata: object = {}): World {
  const w = new World([podGcController]);
  w.put(machine('n1'));
  for (const [name, phase] of Object.entries(phases))
    w.put({ ...pod(name, { nodeName: 'n1' }, metadata), status: { phase } });
  w.settle();
  assert.equal(w.list('Pod').length, Object.keys(phases).length, 'not while there is a Machine');
  w.remove(objectKey('Machine', undefined, 'n1'));
  w.settle();
  return w;
}

describe('when the Machine of pods is removed', () => {
  it('they go', () => {
    const w = machineRemoved({ a: 'Running', b: 'Succeeded' });
    assert.deepEqual(w.list('Pod'), []);
    assert.equal(w.conflicts, 0);
  });

  it('one that a finalizer holds has failed, and is told why; one that had ended stays as it ended', () => {
    const w = machineRemoved({ ran: 'Running', ended: 'Succeeded' }, HELD);
    const ran = podOf(w, 'ran');
    assert.equal(ran?.status?.phase, 'Failed');
    assert.deepEqual(findCondition(ran.status.conditions, 'DisruptionTarget'), {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
      lastTransitionTime: w.now.toISOString(),
    });
    assert.deepEqual(podOf(w, 'ended')?.status, { phase: 'Succeeded' });
    for (const { metadata } of w.list('Pod')) assert.notEqual(metadata.deletionTimestamp, undefined);
  });

  const OF_SET = {
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'u', controller: true }],
  };

  it('one of a StatefulSet keeps its name until it has had its grace, and was told', () => {
    const w = machineRemoved({ 'db-0': 'Running', 'db-1': 'Succeeded' }, OF_SET);
    assert.equal(podOf(w, 'db-1'), undefined, 'it had ended');
    const held = podOf(w, 'db-0');
    assert.equal(held?.status?.phase, 'Running');
    assert.equal(findCondition(held.status.conditions, 'DisruptionTarget')?.reason, 'DeletionByPodGC');
    const ends = Date.parse(held.metadata.deletionTimestamp ?? '');
    assert.equal(ends - w.now.getTime(), held.spec.terminationGracePeriodSeconds * 1000);
    w.advance(held.spec.terminationGracePeriodSeconds * 1000 + 14_000);
    w.settle();
    assert.ok(podOf(w, 'db-0'));
    w.advance(1000);
    w.settle();
    assert.equal(podOf(w, 'db-0'), undefined);
    assert.equal(w.conflicts, 0);
  });

  it('one of a StatefulSet that was told to end long ago goes at once', () => {
    const told = { deletionTimestamp: '2020-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };
    assert.deepEqual(machineRemoved({ 'db-0': 'Running' }, { ...OF_SET, ...told }).list('Pod'), []);
  });
});
