/**
 * Volumes on a share: which folder a claim gets, who makes it and what becomes of it. Source of names and defaults:
 * kubernetes-csi/csi-driver-nfs docs/driver-parameters.md, kubernetes-sigs/nfs-subdir-external-provisioner.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  PersistentVolumeClaimManifest,
  StorageClassManifest,
  type PersistentVolumeClaim,
  type StorageClass,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { Claim, type TendedVolume } from '../../../contracts/agent/index.ts';
import { homeOf } from '../../../contracts/objects/made-volumes.ts';
import { shareFolder, shareWork } from '../../../contracts/objects/nfs-volumes.ts';
import { persistentVolumeController } from '../../../reconciler/controllers/persistentvolume.ts';
import { persistentVolumeClaimController } from '../../../reconciler/controllers/persistentvolumeclaim.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { recoveredVolumes } from '../../../reconciler/core/nodes/recovered-volumes.ts';
import { DELETE_DATA, SELECTED_NODE, withAnnotations } from '../../../reconciler/core/volumes/names.ts';
import { StorageClasses } from '../../../reconciler/core/volumes/class.ts';
import { shareVolume, tendedVolume } from '../../../reconciler/core/volumes/share-volume.ts';
import { cluster, node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

const SUBDIR = 'k8s-sigs.io/nfs-subdir-external-provisioner';

function claim(metadata: object = {}, spec: object = {}): PersistentVolumeClaim {
  return PersistentVolumeClaimManifest.parse({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'shop', ...metadata },
    spec: {
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'nfs',
      ...spec,
    },
  });
}
function stored(metadata: object = {}): StoredPersistentVolumeClaim {
  const one = claim(metadata);
  return { ...one, metadata: { ...one.metadata, uid: 'u1' } } as StoredPersistentVolumeClaim;
}
function storageClass(parameters: object = {}, fields: object = {}): StorageClass {
  return StorageClassManifest.parse({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'nfs' },
    provisioner: 'nfs.csi.k8s.io',
    parameters: { server: 'files.lan', share: '/srv', ...parameters },
    ...fields,
  });
}

describe('the folder of a claim', () => {
  const labels = { labels: { app: 'db' }, annotations: { 'nfs.io/storage-path': 'old/place' } };
  const cases: readonly (readonly [string, object, object, object, string])[] = [
    ['is named as its volume', {}, {}, {}, '/srv/pvc-u1'],
    ['is that of a class', { subDir: '/${pvc.metadata.namespace}/${pvc.metadata.name}/' }, {}, {}, '/srv/shop/data'],
    ['may name the volume', { subDir: 'a-${pv.metadata.name}' }, {}, {}, '/srv/a-pvc-u1'],
    ['is below the top of a server', { share: '/' }, {}, {}, '/pvc-u1'],
    ['has the long name of nfs-subdir-external-provisioner', {}, { provisioner: SUBDIR }, {}, '/srv/shop-data-pvc-u1'],
    [
      'is made of labels and annotations',
      { pathPattern: '${.PVC.labels.app}/${.PVC.annotations.nfs.io/storage-path}' },
      { provisioner: SUBDIR },
      labels,
      '/srv/db/old/place',
    ],
  ];
  for (const [what, parameters, fields, metadata, path] of cases)
    it(what, () => {
      const made = shareVolume(stored(metadata), storageClass(parameters, fields), 'n1');
      assert.ok(typeof made !== 'string');
      assert.deepEqual(made.spec.nfs, { server: 'files.lan', path, readOnly: false });
      assert.equal(`${shareFolder(made)?.share.replace(/\/$/, '')}/${shareFolder(made)?.folder}`, path);
    });

  it('leads nowhere else, whatever a claim says', () => {
    const wanted = storageClass({ pathPattern: '${.PVC.annotations.path}' }, { provisioner: SUBDIR });
    for (const path of ['../other', 'a/../../b', '.plumbline/x', 'a//b', 'a\nb', ' '.repeat(2000), 'x'.repeat(256), ''])
      assert.equal(typeof shareVolume(stored({ annotations: { path } }), wanted, 'n1'), 'string', JSON.stringify(path));
  });

  const ends: readonly (readonly [object, object, string])[] = [
    [{}, {}, 'delete'],
    [{ onDelete: 'retain' }, {}, 'retain'],
    [{}, { provisioner: SUBDIR }, 'archive'],
    [{ archiveOnDelete: 'false' }, { provisioner: SUBDIR }, 'delete'],
    [{ archiveOnDelete: 'false', onDelete: 'retain' }, { provisioner: SUBDIR }, 'retain'],
  ];
  for (const [parameters, fields, end] of ends)
    it(`comes to ${end} with ${JSON.stringify({ ...parameters, ...fields })}`, () => {
      const made = shareVolume(stored(), storageClass(parameters, fields), 'n1');
      assert.ok(typeof made !== 'string');
      assert.equal(shareFolder(made)?.onDelete, end);
    });
});

class Share extends World {
  constructor(fields: object = {}, parameters: object = {}) {
    super([persistentVolumeClaimController, persistentVolumeController]);
    this.put(cluster());
    this.put(storageClass(parameters, fields));
  }
  volume(): StoredPersistentVolume | undefined {
    return this.list('PersistentVolume')[0];
  }
  claim(): PersistentVolumeClaim | undefined {
    return this.get(objectKey('PersistentVolumeClaim', 'shop', 'data'));
  }
  state(): string {
    const { status } = this.claim() ?? {};
    return `${status?.phase ?? '-'} ${status?.conditions?.[0]?.reason ?? '-'}`;
  }
  /** What a node's agent says of the volume. */
  say(from: string, is: TendedVolume['is'], message?: string): boolean {
    const volume = this.volume();
    assert.ok(volume);
    const word = { name: volume.metadata.name, is, ...(message !== undefined && { message }) };
    const news = tendedVolume(volume, from, word, this.now);
    if (news) this.apply({ steps: [{ do: news.op, object: news.object }] });
    this.settle();
    return news !== undefined;
  }
  end(): void {
    const { uid = '' } = this.claim()?.metadata ?? {};
    this.apply({ steps: [{ do: 'delete', key: objectKey('PersistentVolumeClaim', 'shop', 'data'), uid }] });
    this.settle();
  }
}

function bound(metadata: object = {}, parameters: object = {}, fields: object = {}): Share {
  const w = new Share(fields, parameters);
  w.put(node('n1'));
  w.put(claim(metadata));
  w.settle();
  assert.ok(w.say('n1', 'made'));
  assert.equal(w.claim()?.status?.phase, 'Bound');
  return w;
}

describe('a claim of a share', () => {
  it('is bound once a node has made its folder, and not before', () => {
    const w = new Share();
    w.put(node('n1'));
    w.put(claim());
    w.settle();
    assert.deepEqual([w.state(), w.claim()?.spec.volumeName], ['Pending Provisioning', undefined]);
    const volume = w.volume();
    assert.ok(volume);
    assert.deepEqual([homeOf(volume), shareWork(volume)], ['n1', 'make']);
    assert.ok(!w.say('n2', 'made'), 'another node is not believed');
    assert.ok(!w.say('n1', 'removed'));
    assert.ok(w.say('n1', 'made'));
    assert.deepEqual([w.claim()?.status?.phase, w.volume()?.status?.phase], ['Bound', 'Bound']);
    assert.equal(shareWork(w.volume() ?? volume), undefined, 'it is not made a second time');
    assert.ok(!w.say('n1', 'made'));
    assert.equal(w.settle(), 0);
  });

  it('says why its folder is not made, and another node is asked', () => {
    const w = new Share();
    w.put(node('n1'));
    w.put(node('n2', { ready: 'Unknown' }));
    w.put(node('n3'));
    w.put(claim());
    w.settle();
    w.say('n1', 'failed', 'no mount.nfs');
    assert.equal(w.state(), 'Pending ProvisioningFailed');
    assert.equal(w.claim()?.status?.conditions?.[0]?.message, 'node n1: no mount.nfs');
    assert.ok(!w.say('n1', 'failed', 'no mount.nfs'), 'that is no news');
    w.advance(10_000);
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), 'n3');
    assert.ok(!w.say('n1', 'made'));
    assert.ok(w.say('n3', 'made'));
    assert.equal(w.claim()?.status?.phase, 'Bound');
  });

  it('is made by the node of its first pod where its class waits for one', () => {
    const w = new Share({ volumeBindingMode: 'WaitForFirstConsumer' });
    w.put(node('n1'));
    w.put(node('n2'));
    w.put(claim());
    w.settle();
    assert.equal(w.state(), 'Pending WaitForFirstConsumer');
    w.put(withAnnotations(w.claim() as StoredPersistentVolumeClaim, { [SELECTED_NODE]: 'n2' }));
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), 'n2');
  });

  it('waits for a node, and is made by another one when its own falls silent', () => {
    const w = new Share();
    w.put(claim());
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), undefined);
    w.put(node('n1'));
    w.advance(10_000);
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), 'n1');
    w.put(node('n1', { ready: 'Unknown' }));
    w.put(node('n2'));
    w.advance(10_000);
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), 'n2');
  });

  it('has pods wait until it is bound, and then on any node', () => {
    const w = new Share();
    w.put(node('n1'));
    w.put(node('n2'));
    w.put(claim());
    w.put(pod('p', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] }, { namespace: 'shop' }));
    const schedule = (): string | undefined => {
      w.settle();
      w.apply({ steps: PendingPods.of(w).pass(w.now, 100).steps });
      w.settle();
      return w.get(objectKey('Pod', 'shop', 'p'))?.spec.nodeName;
    };
    assert.equal(schedule(), undefined);
    w.say('n1', 'made');
    assert.ok(schedule());
  });

  it('that went before its folder was made leaves no volume, and nothing is removed', () => {
    const w = new Share();
    w.put(node('n1'));
    w.put(claim({ annotations: { [DELETE_DATA]: 'true' } }));
    w.settle();
    w.end();
    assert.deepEqual([w.claim(), w.volume()], [undefined, undefined]);
  });

  it('grows at once where its class allows it', () => {
    const w = bound({}, {}, { allowVolumeExpansion: true });
    const larger = claim({}, { resources: { requests: { storage: '2Gi' } }, volumeName: w.claim()?.spec.volumeName });
    w.put({ ...larger, metadata: { ...w.claim()?.metadata, ...larger.metadata } });
    w.settle();
    assert.deepEqual(w.volume()?.spec.capacity, { storage: '2Gi' });
  });
});

describe('the data of a claim of a share', () => {
  it('is kept when the claim goes', () => {
    const w = bound();
    w.end();
    assert.equal(w.volume()?.status?.phase, 'Released');
    assert.equal(w.volume()?.metadata.deletionTimestamp, undefined);
  });

  for (const onDelete of ['delete', 'archive'] as const)
    it(`goes (${onDelete}) once it was given up, when its node says so`, () => {
      const w = bound({ annotations: { [DELETE_DATA]: 'true' } }, { onDelete });
      w.end();
      const volume = w.volume();
      assert.ok(volume);
      assert.equal(shareWork(volume), 'remove');
      assert.ok(!w.say('n1', 'made'), 'an old word');
      assert.ok(!w.say('n2', 'removed'));
      assert.ok(w.say('n1', 'failed', 'no answer'));
      assert.ok(w.say('n1', 'removed'));
      assert.equal(w.volume(), undefined);
    });

  it('stays where its class says retain, and the volume goes', () => {
    const w = bound({ annotations: { [DELETE_DATA]: 'true' } }, { onDelete: 'retain' });
    w.end();
    assert.equal(w.volume(), undefined);
  });

  it('stays with a class that retains volumes', () => {
    const w = bound({ annotations: { [DELETE_DATA]: 'true' } }, {}, { reclaimPolicy: 'Retain' });
    w.end();
    assert.equal(w.volume()?.metadata.deletionTimestamp, undefined);
  });

  it('has another tender when the Node of its own is gone', () => {
    const w = bound();
    w.put(node('n2'));
    w.remove(objectKey('Node', undefined, 'n1'));
    w.settle();
    assert.equal(homeOf(w.volume() as StoredPersistentVolume), 'n2');
  });

  it('is found again after the loss of the store, as the node knows it that tells of it', () => {
    const before = bound().volume();
    assert.ok(before);
    const told = Claim.parse({
      ...before,
      metadata: {
        ...before.metadata,
        annotations: { ...before.metadata.annotations, 'plumbline.dev/data-given-up': 'x', other: 'y' },
      },
      spec: { ...before.spec, local: { path: '/etc' } },
    });
    const [found] = recoveredVolumes([{ node: 'n7', claims: [told], pods: [] }], () => storageClass());
    assert.ok(found);
    assert.deepEqual(found.spec.nfs, before.spec.nfs);
    assert.deepEqual([homeOf(found), found.spec.local, shareWork(found)], ['n7', undefined, undefined]);
    assert.deepEqual(
      [found.metadata.annotations?.['other'], found.metadata.annotations?.['plumbline.dev/data-given-up']],
      [undefined, undefined],
    );
    const w = new Share();
    w.put(node('n7'));
    w.put(found);
    w.put(claim());
    w.settle();
    assert.deepEqual(
      [w.claim()?.status?.phase, w.claim()?.spec.volumeName, w.list('PersistentVolume').length],
      ['Bound', before.metadata.name, 1],
    );
  });

  it('of a volume that nobody made is no node to tell of', () => {
    const told = Claim.parse({
      kind: 'PersistentVolume',
      metadata: { name: 'pvc-mine' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        claimRef: { namespace: 'shop', name: 'data' },
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'nfs',
        nfs: { server: 'evil.lan', path: '/' },
      },
    });
    assert.deepEqual(
      recoveredVolumes([{ node: 'n1', claims: [told], pods: [] }], () => storageClass()),
      [],
    );
  });

  it('is where and as its class says, whatever a node says, or is not believed', () => {
    const before = bound().volume();
    assert.ok(before);
    const words = (spec: object, annotations: object = {}): Claim =>
      Claim.parse({
        ...before,
        metadata: { ...before.metadata, annotations: { ...before.metadata.annotations, ...annotations } },
        spec: { ...before.spec, ...spec },
      });
    const found = (told: Claim, of: StorageClass | undefined = storageClass()) =>
      recoveredVolumes([{ node: 'n7', claims: [told], pods: [] }], () => of)[0];
    const nfs = before.spec.nfs;
    assert.ok(nfs);
    for (const [what, told, of] of [
      ['another server', words({ nfs: { ...nfs, server: 'evil.lan' } })],
      ['another share', words({ nfs: { ...nfs, path: '/etc/pvc-u1' } }, { 'plumbline.dev/nfs-share': '/etc' })],
      ['the folder of another', words({ nfs: { ...nfs, path: '/srv/pvc-u2' } })],
      ['a class of another provisioner', words({}), new StorageClasses([]).named('local')],
    ] as const)
      assert.equal(found(told, of), undefined, what);
    assert.deepEqual(
      recoveredVolumes([{ node: 'n7', claims: [words({})], pods: [] }], () => undefined),
      [],
    );
    const own = found(words({ mountOptions: ['suid', 'dev'], persistentVolumeReclaimPolicy: 'Retain' }));
    assert.deepEqual([own?.spec.mountOptions, own?.spec.persistentVolumeReclaimPolicy], [undefined, 'Delete']);
  });
});
