import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ZONE_LABEL, type StoredPod } from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import type { VolumePlacement } from '../../../reconciler/core/scheduling/volume-placement.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

/** One disk in one zone; pods with the label `disk` need it. */
class OneDisk implements VolumePlacement {
  readonly reserved = new Map<string, string>();
  concerns: VolumePlacement['concerns'] = (shape) => 'disk' in shape.labels;
  roomTaken = (): undefined => undefined;
  refusal: VolumePlacement['refusal'] = (_shape, { metadata }) =>
    metadata.labels?.[ZONE_LABEL] === 'b'
      ? undefined
      : { reason: 'node(s) had volume node affinity conflict', detail: 'the disk is in zone b' };
  reserve(p: StoredPod, nodeName: string): void {
    this.reserved.set(p.metadata.name, nodeName);
  }
  release(p: StoredPod): void {
    this.reserved.delete(p.metadata.name);
  }
  bind(): [] {
    return [];
  }
}

describe('VolumeBinding', () => {
  const world = new World();
  const disk = new OneDisk();
  const cluster = new ClusterState();
  cluster.volumes = disk;
  for (const [name, zone] of [
    ['n1', 'a'],
    ['n2', 'b'],
  ] as const)
    cluster.setNode(node(name, { labels: { [ZONE_LABEL]: zone } }));
  const scheduler = new Scheduler(cluster, { profiles: buildProfiles(undefined).profiles, seed: 'x' });
  const withDisk = world.put(pod('with', {}, { labels: { disk: '1' } }));

  it('keeps a pod to where its volumes can be had, and reserves them', () => {
    assert.deepEqual(
      scheduler.refusal(withDisk).verdicts.map((v) => [v.node, v.plugin, v.reasons[0]?.detail]),
      [['n1', 'VolumeBinding', 'the disk is in zone b']],
    );
    const outcome = scheduler.place(withDisk);
    assert.equal(outcome.is === 'placed' && outcome.node, 'n2');
    assert.deepEqual([...disk.reserved], [['with', 'n2']]);
  });
  it('gives them back with the place', () => {
    scheduler.forget(withDisk);
    assert.equal(disk.reserved.size, 0);
  });
  it('leaves pods without such volumes alone', () => {
    const without = world.put(pod('without'));
    assert.equal(scheduler.refusal(without).verdicts.length, 0);
    assert.equal(scheduler.ranking(without, Infinity).length, 2);
    assert.equal(
      scheduler.ranking(withDisk, Infinity).length,
      1,
      'though they differ in nothing else that they ask of a node',
    );
  });
});
