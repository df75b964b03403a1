import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PodReport, TendedVolume } from '../../../contracts/agent/index.ts';
import {
  objectKey,
  PersistentVolumeClaimManifest,
  StorageClassManifest,
  type PodStatus,
  type Stored,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { shareWork } from '../../../contracts/objects/nfs-volumes.ts';
import { turns } from '../../../reconciler/controllers/runtime/slices.ts';
import { StatusWriter } from '../../../reconciler/controllers/nodes/status-writer.ts';
import { shareVolume } from '../../../reconciler/core/volumes/share-volume.ts';
import { node, pod } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';
import { NODE_REPORT } from './fake-agent.ts';

const running: PodStatus = { phase: 'Running', podIP: '198.19.1.2' };

function found<T>(object: T | undefined): T {
  assert.ok(object);
  return object;
}

describe('StatusWriter', () => {
  let w: World;
  let writer: StatusWriter;
  beforeEach(async () => {
    w = await world();
    writer = new StatusWriter({ cache: w.cache, clock: w.clock, log: w.log });
  });
  afterEach(async () => {
    await writer.close();
    await w.close();
  });

  const make = async (count: number): Promise<readonly Stored[]> => {
    const results = await w.cache.write(
      Array.from({ length: count }, (_, n) => ({ op: 'create' as const, object: pod(`p-${n}`, { nodeName: 'n1' }) })),
    );
    return results.flatMap((result) => (result.ok ? [result.object as Stored] : []));
  };
  const report = ({ metadata: { name, uid } }: Stored, status: PodStatus): PodReport => ({
    namespace: 'default',
    name,
    uid,
    gone: false,
    status,
  });

  it("keeps no word of a node on a pod that is another's, so that it pushes out none of the pod's own node", async () => {
    const [p] = await make(1);
    assert.ok(p);
    const status = (): PodStatus | undefined => w.cache.get(objectKey('Pod', 'default', 'p-0'))?.status;
    writer.pod('n1', report(p, running));
    writer.pod('n2', report(p, { phase: 'Failed' }));
    await w.until(() => status() !== undefined, 'a status');
    assert.equal(status()?.phase, 'Running');
  });

  it('writes what the tender of a volume on a share says of it, and the room that a node has, and no word of others', async () => {
    const claim = PersistentVolumeClaimManifest.parse({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data', namespace: 'default' },
      spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } },
    });
    const nfs = StorageClassManifest.parse({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'nfs' },
      provisioner: 'nfs.csi.k8s.io',
      parameters: { server: 'files', share: '/srv' },
    });
    const stored = { ...claim, metadata: { ...claim.metadata, uid: 'u1' } } as StoredPersistentVolumeClaim;
    const made = shareVolume(stored, nfs, 'n1');
    assert.ok(typeof made !== 'string');
    await w.cache.write([
      { op: 'create', object: made },
      { op: 'create', object: node('n1') },
      { op: 'create', object: node('n2') },
    ]);
    const { name } = made.metadata;
    const volume = () => w.cache.get(objectKey('PersistentVolume', undefined, name));
    const say = (from: string, is: TendedVolume['is'], message: string, volumeRoom: number): void =>
      writer.node(from, {
        report: { ...NODE_REPORT, volumeRoom, tendedVolumes: [{ name, is, message }] },
        machine: { maxPods: 110 },
        heardAt: '2026-01-01T00:00:00Z',
      });
    const roomOf = (of: string): string | undefined =>
      w.cache.get(objectKey('Node', undefined, of))?.status?.volumeRoom;
    say('n2', 'made', '', 7);
    await w.until(() => roomOf('n2') === '7', 'what n2 said');
    say('n1', 'failed', 'no mount.nfs', 8);
    await w.until(() => volume()?.status?.message !== undefined, 'why it is not made');
    assert.equal(volume()?.status?.message, 'node n1: no mount.nfs');
    assert.equal(shareWork(found(volume())), 'make');
    say('n1', 'made', '', 9);
    await w.until(() => shareWork(found(volume())) === undefined, 'that it is made');
  });

  it('writes thousands of reports of one moment in rounds, and all of them', async () => {
    const pods = await make(250);
    const write = w.store.write.bind(w.store);
    const rounds: number[] = [];
    w.store.write = async (ops, signal) => {
      rounds.push(ops.length);
      return write(ops, signal);
    };
    for (const p of pods) writer.pod('n1', report(p, running));
    await w.until(() => w.cache.list('Pod').every(({ status }) => status?.phase === 'Running'), 'all statuses');
    assert.deepEqual(rounds, [100, 100, 50]);
  });

  it('lets others have their turn between two reports', async (t) => {
    const pods = await make(100);
    t.mock.getter(turns, 'isOver', () => true);
    const next = t.mock.method(turns, 'next');
    for (const p of pods) writer.pod('n1', report(p, running));
    await w.until(() => w.cache.list('Pod').every(({ status }) => status?.phase === 'Running'), 'all statuses');
    assert.ok(next.mock.callCount() >= pods.length, `${next.mock.callCount()} turns for ${pods.length} reports`);
  });
});
