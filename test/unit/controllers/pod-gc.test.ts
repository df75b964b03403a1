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
});
