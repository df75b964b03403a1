/**
 * Claims and volumes with their controllers. Source of the behaviour: Kubernetes,
 * pkg/controller/volume/persistentvolume.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CLAIM_PROTECTION,
  KINDS,
  objectKey,
  PersistentVolumeClaimManifest,
  PersistentVolumeManifest,
  StorageClassManifest,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import { ephemeralVolumeController } from '../../../reconciler/controllers/ephemeralvolume.ts';
import { enforcedBytes } from '../../../contracts/objects/local-volumes.ts';
import { persistentVolumeController } from '../../../reconciler/controllers/persistentvolume.ts';
import { persistentVolumeClaimController } from '../../../reconciler/controllers/persistentvolumeclaim.ts';
import { recoveredVolumes } from '../../../reconciler/core/nodes/recovered-volumes.ts';
import { claimHealth } from '../../../reconciler/core/health/storage.ts';
import { grownVolume, stuckGrowth } from '../../../reconciler/core/volumes/growth.ts';
import { DATA_DELETED, DELETE_DATA, SELECTED_NODE, withAnnotations } from '../../../reconciler/core/volumes/names.ts';
import { cluster, node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

function world(): World {
  return new World([persistentVolumeClaimController, persistentVolumeController, ephemeralVolumeController]);
}
function claim(name: string, spec: object = {}, metadata: object = {}): PersistentVolumeClaim {
  return PersistentVolumeClaimManifest.parse({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  });
}
function volume(name: string, spec: object = {}, metadata: object = {}): PersistentVolume {
  return PersistentVolumeManifest.parse({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: `/srv/${name}` },
      storageClassName: 'disks',
      ...spec,
    },
  });
}
function storageClass(name: string, fields: object = {}, metadata: object = {}): StorageClass {
  return StorageClassManifest.parse({
    apiVersion: KINDS.StorageClass.apiVersion,
    kind: 'StorageClass',
    metadata: { name, ...metadata },
    provisioner: 'kubernetes.io/no-provisioner',
    ...fields,
  });
}
const DISKS = { storageClassName: 'disks' };
const claimAt = (w: World, name: string): PersistentVolumeClaim | undefined =>
  w.get(objectKey('PersistentVolumeClaim', 'default', name));
const volumeAt = (w: World, name: string): PersistentVolume | undefined =>
  w.get(objectKey('PersistentVolume', undefined, name));
function found<T>(object: T | undefined): T {
  assert.ok(object);
  return object;
}
function bound(w: World, name: string): string {
  const { status, spec } = claimAt(w, name) ?? {};
  return `${status?.phase ?? '-'} ${spec?.volumeName ?? '-'}`;
}

/** A claim of a local class, with the node that the scheduler chose. */
function provisioned(w: World, metadata: object = {}, spec: object = {}): string {
  w.put(node('n1'));
  w.put(withAnnotations(claim('data', spec, metadata), { [SELECTED_NODE]: 'n1' }));
  w.settle();
  return claimAt(w, 'data')?.spec.volumeName ?? '';
}
function end(w: World, name: string): void {
  const key = objectKey('PersistentVolumeClaim', 'default', name);
  w.apply({ steps: [{ do: 'delete', key, uid: w.get(key)?.metadata.uid ?? '' }] });
  w.settle();
}

/** The volume of the claim `data`, as a node tells of it after the store was lost. */
function witnessed(node: string): PersistentVolume {
  const told = Claim.parse({
    kind: 'PersistentVolume',
    metadata: { name: 'pvc-before' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      claimRef: { namespace: 'default', name: 'data' },
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: 'local',
    },
  });
  const [found] = recoveredVolumes([{ node, claims: [told], pods: [] }], () => undefined);
  assert.ok(found);
  return found;
}

describe('a claim whose volume a node still has when the store was lost', () => {
  for (const [what, size] of [
    ['before its node has told its labels', '1Gi'],
    ['though it asks for more by now', '2Gi'],
  ] as const)
    it(`is bound to that one, and no empty one is made, ${what}`, () => {
      const w = world();
      w.put(node('n1', { labels: {} }));
      w.put(witnessed('n1'));
      const again = claim('data', { resources: { requests: { storage: size } } });
      w.put(withAnnotations(again, { [SELECTED_NODE]: 'n1' }));
      w.settle();
      assert.equal(bound(w, 'data'), 'Bound pvc-before');
      assert.equal(w.list('PersistentVolume').length, 1);
    });
});

describe('a claim that may have its volume on a node that was not heard since', () => {
  const silent = (name: string): Node => {
    const { status, ...known } = node(name);
    const conditions = [...(status?.conditions ?? []), { type: 'PodsKnown', status: 'False' as const }];
    return { ...known, status: { ...status, conditions } };
  };
  const user = pod('p', { nodeName: 'n1', volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] });
  const cases: readonly (readonly [string, (w: World) => void])[] = [
    ['whose pod named its node itself', (w) => w.put(user)],
    ['whose file names a node', (w) => w.put(withAnnotations(claim('data'), { [SELECTED_NODE]: 'n2' }))],
    [
      'though another volume is free',
      (w) => {
        w.put(volume('a', { storageClassName: 'local' }));
        w.put(user);
      },
    ],
  ];
  for (const [what, put] of cases)
    it(`gets no other, ${what}`, () => {
      const w = world();
      w.put(silent('n1'));
      w.put(node('n2'));
      w.put(claim('data'));
      put(w);
      w.settle();
      assert.equal(bound(w, 'data'), 'Pending -');
      assert.match(claimAt(w, 'data')?.status?.conditions?.[0]?.message ?? '', /node n1 has not told yet/);
      w.put(witnessed('n1'));
      w.put(node('n1'));
      w.settle();
      assert.equal(bound(w, 'data'), 'Bound pvc-before');
    });

  it('gets a new one once the node has spoken, and has none', () => {
    const w = world();
    w.put(silent('n1'));
    w.put(claim('data'));
    w.put(user);
    w.settle();
    const { status, ...known } = silent('n1');
    w.put({
      ...known,
      status: { ...status, conditions: [{ type: 'PodsKnown', status: 'True' }] },
    });
    w.settle();
    assert.match(bound(w, 'data'), /^Bound pvc-/);
  });
});

describe('a claim', () => {
  const cases: readonly (readonly [string, readonly PersistentVolume[], PersistentVolumeClaim, string])[] = [
    ['takes a volume that fits', [volume('a')], claim('c', DISKS), 'Bound a'],
    [
      'takes the smallest',
      [volume('a', { capacity: { storage: '3Gi' } }), volume('b', { capacity: { storage: '2Gi' } })],
      claim('c', DISKS),
      'Bound b',
    ],
    ['leaves a smaller one', [volume('a', { capacity: { storage: '1023Mi' } })], claim('c', DISKS), 'Pending -'],
    ['leaves one of another class', [volume('a', { storageClassName: 'x' })], claim('c', DISKS), 'Pending -'],
    [
      'leaves one that is had otherwise',
      [volume('a')],
      claim('c', { ...DISKS, accessModes: ['ReadWriteMany'] }),
      'Pending -',
    ],
    [
      'takes one that can be had in more ways',
      [volume('a', { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] })],
      claim('c', DISKS),
      'Bound a',
    ],
    [
      'takes the one that its selector wants',
      [volume('a'), volume('b', {}, { labels: { tier: 'fast' } })],
      claim('c', { ...DISKS, selector: { matchLabels: { tier: 'fast' } } }),
      'Bound b',
    ],
    ['takes the one that it names', [volume('a'), volume('b')], claim('c', { ...DISKS, volumeName: 'b' }), 'Bound b'],
    [
      'takes the one that is kept for it',
      [volume('a'), volume('b', { claimRef: { namespace: 'default', name: 'c' }, capacity: { storage: '9Gi' } })],
      claim('c', DISKS),
      'Bound b',
    ],
    [
      'leaves one that is kept for another',
      [volume('a', { claimRef: { namespace: 'default', name: 'd' } })],
      claim('c', DISKS),
      'Pending -',
    ],
    [
      'takes one without a class where it wants none',
      [volume('a', { storageClassName: '' })],
      claim('c', { storageClassName: '' }),
      'Bound a',
    ],
  ];
  for (const [what, volumes, wanted, result] of cases) {
    it(what, () => {
      const w = world();
      for (const one of volumes) w.put(one);
      w.put(wanted);
      w.settle();
      assert.equal(bound(w, 'c'), result);
      assert.equal(w.settle(), 0);
    });
  }

  it('has the one that is kept for it, though its pod is where that cannot be had', () => {
    const w = world();
    w.put(node('n1'));
    const elsewhere = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In' as const, values: ['n2'] }] },
      ],
    };
    w.put(volume('a', { claimRef: { namespace: 'default', name: 'data' }, nodeAffinity: { required: elsewhere } }));
    w.put(withAnnotations(claim('data'), { [SELECTED_NODE]: 'n1' }));
    w.settle();
    assert.equal(bound(w, 'data'), 'Bound a');
    assert.equal(w.list('PersistentVolume').length, 1);
  });

  it('that is being bound to a volume gets no second one that is kept for it by name', () => {
    const w = world();
    const { metadata } = w.put(claim('c', DISKS));
    const kept = { namespace: 'default', name: 'c' };
    w.put(volume('b', { claimRef: { ...kept, uid: metadata.uid } }));
    w.put(volume('a', { claimRef: kept }));
    w.settle();
    assert.deepEqual([bound(w, 'c'), volumeAt(w, 'a')?.spec.claimRef?.uid], ['Bound b', undefined]);
  });

  it('is bound once a volume comes', () => {
    const w = world();
    w.put(claim('c', DISKS));
    w.settle();
    w.put(volume('a'));
    w.settle();
    assert.equal(bound(w, 'c'), 'Bound a');
    assert.deepEqual(
      [volumeAt(w, 'a')?.status?.phase, volumeAt(w, 'a')?.spec.claimRef?.uid, claimAt(w, 'c')?.status?.capacity],
      ['Bound', claimAt(w, 'c')?.metadata.uid, { storage: '1Gi' }],
    );
  });

  it('says that it has lost its volume, and stays so', () => {
    const w = world();
    w.put(volume('a'));
    w.put(claim('c', DISKS));
    w.settle();
    w.remove(objectKey('PersistentVolume', undefined, 'a'));
    w.settle();
    assert.equal(bound(w, 'c'), 'Lost a');
    w.put(volume('b'));
    w.settle();
    assert.equal(bound(w, 'c'), 'Lost a');
  });

  it('of the default class gets its name, and waits for its first pod', () => {
    const w = world();
    w.put(claim('c'));
    w.settle();
    assert.deepEqual(
      [claimAt(w, 'c')?.spec.storageClassName, claimAt(w, 'c')?.status?.conditions?.[0]?.reason, bound(w, 'c')],
      ['local', 'WaitForFirstConsumer', 'Pending -'],
    );
  });

  it('of no class gets the newest default of the repository', () => {
    const w = world();
    const mark = { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } };
    w.put(storageClass('old', {}, mark));
    w.now = new Date(w.now.getTime() + 1000);
    w.put(storageClass('new', {}, mark));
    w.put(claim('c'));
    w.settle();
    assert.equal(claimAt(w, 'c')?.spec.storageClassName, 'new');
  });

  it('of a class that waits for a pod takes no free volume by itself', () => {
    const w = world();
    w.put(storageClass('disks', { volumeBindingMode: 'WaitForFirstConsumer' }));
    w.put(volume('a'));
    w.put(claim('c', DISKS));
    w.settle();
    assert.equal(bound(w, 'c'), 'Pending -');
  });

  it('is there while a pod on a node uses it', () => {
    const w = world();
    w.put(volume('a'));
    w.put(claim('c', DISKS));
    w.put(pod('p', { nodeName: 'n1', volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }));
    w.settle();
    end(w, 'c');
    assert.deepEqual(claimAt(w, 'c')?.metadata.finalizers, [CLAIM_PROTECTION]);
    w.remove(objectKey('Pod', 'default', 'p'));
    w.settle();
    assert.equal(claimAt(w, 'c'), undefined);
    assert.equal(volumeAt(w, 'a')?.status?.phase, 'Released');
  });
});

describe('a volume that is made', () => {
  it('is on the node that was chosen, bound from the start', () => {
    const w = world();
    const name = provisioned(w);
    assert.equal(name, `pvc-${claimAt(w, 'data')?.metadata.uid ?? ''}`);
    const made = volumeAt(w, name);
    assert.deepEqual(
      [made?.status?.phase, made?.spec.persistentVolumeReclaimPolicy, made?.spec.local?.path],
      ['Bound', 'Delete', `/var/lib/plumbline/volumes/${name}/data`],
    );
    assert.match(made?.status?.message ?? '', /size is not enforced/);
  });

  it('is held to its size where its class says so', () => {
    const w = world();
    const name = provisioned(w, {}, { storageClassName: 'local-enforced' });
    const made = volumeAt(w, name);
    assert.ok(made);
    assert.equal(enforcedBytes(made), 2 ** 30);
    assert.match(made.status?.message ?? '', /size is enforced/);
  });

  it('is kept when Git loses the claim, whatever its policy says', () => {
    const w = world();
    const name = provisioned(w);
    end(w, 'data');
    assert.equal(claimAt(w, 'data'), undefined);
    assert.equal(volumeAt(w, name)?.status?.phase, 'Released');
    assert.equal(volumeAt(w, name)?.metadata.deletionTimestamp, undefined);
  });

  it('goes with a claim that says so, after its node said that it is empty', () => {
    const w = world();
    const name = provisioned(w, { annotations: { [DELETE_DATA]: 'true' } });
    end(w, 'data');
    const going = w.get(objectKey('PersistentVolume', undefined, name));
    assert.ok(going?.metadata.deletionTimestamp);
    w.put({ ...going, status: { phase: 'Released', reason: DATA_DELETED } });
    w.settle();
    assert.equal(volumeAt(w, name), undefined);
  });

  it('goes when the repository gives it up by name, and only when its claim is gone', () => {
    const w = world();
    const name = provisioned(w);
    const settings = cluster();
    w.put({ ...settings, spec: { ...settings.spec, storage: { givenUpVolumes: [name] } } });
    w.settle();
    assert.equal(volumeAt(w, name)?.metadata.deletionTimestamp, undefined);
    end(w, 'data');
    assert.ok(volumeAt(w, name)?.metadata.deletionTimestamp);
  });

  it('that is deleted without being given up leaves its data where it is', () => {
    const w = world();
    const name = provisioned(w);
    end(w, 'data');
    const key = objectKey('PersistentVolume', undefined, name);
    w.apply({ steps: [{ do: 'delete', key, uid: volumeAt(w, name)?.metadata.uid ?? '' }] });
    w.settle();
    assert.equal(volumeAt(w, name), undefined);
  });

  it('grows with its claim', () => {
    const w = world();
    const name = provisioned(w);
    const small = claimAt(w, 'data');
    assert.ok(small);
    w.put({ ...small, spec: { ...small.spec, resources: { requests: { storage: '2Gi' } } } });
    w.settle();
    assert.deepEqual(
      [volumeAt(w, name)?.spec.capacity, claimAt(w, 'data')?.status?.capacity],
      [{ storage: '2Gi' }, { storage: '2Gi' }],
    );
  });

  describe('held to its size', () => {
    const grown = (): {
      w: World;
      name: string;
      pv: () => StoredPersistentVolume;
      pvc: () => StoredPersistentVolumeClaim;
    } => {
      const w = world();
      const name = provisioned(w, {}, { storageClassName: 'local-enforced' });
      const [pv, pvc] = [
        () => w.get(objectKey('PersistentVolume', undefined, name)),
        () => w.get(objectKey('PersistentVolumeClaim', 'default', 'data')),
      ];
      const small = pvc();
      assert.ok(small);
      w.put({ ...small, spec: { ...small.spec, resources: { requests: { storage: '2Gi' } } } });
      w.settle();
      return { w, name, pv: () => found(pv()), pvc: () => found(pvc()) };
    };
    const capacities = ({ pv, pvc }: ReturnType<typeof grown>): unknown => [
      pv().spec.capacity['storage'],
      pvc().status?.capacity?.['storage'],
      pvc().status?.conditions?.map(({ type, status }) => `${type} ${status}`),
    ];
    const bytes = 2 * 2 ** 30;

    it('has what its claim asks for when its node says so, and not before', () => {
      const g = grown();
      assert.deepEqual(capacities(g), ['2Gi', '1Gi', ['FileSystemResizePending True']]);
      assert.equal(claimHealth(g.pvc()).status, 'Progressing');
      const told = grownVolume(g.pv(), 'n1', { name: g.name, bytes });
      assert.ok(told);
      g.w.put(told);
      g.w.settle();
      assert.deepEqual(capacities(g), ['2Gi', '2Gi', undefined]);
      assert.equal(claimHealth(g.pvc()).status, 'Healthy');
      assert.deepEqual(
        g.w.events.map(({ reason }) => reason).filter((reason) => reason.includes('Resiz')),
        ['Resizing', 'FileSystemResizeRequired', 'FileSystemResizeSuccessful'],
      );
    });

    it('grows further while it grows, and remembers what it had', () => {
      const g = grown();
      g.w.put({ ...g.pvc(), spec: { ...g.pvc().spec, resources: { requests: { storage: '3Gi' } } } });
      g.w.settle();
      assert.deepEqual(capacities(g), ['3Gi', '1Gi', ['FileSystemResizePending True']]);
      assert.equal(grownVolume(g.pv(), 'n1', { name: g.name, bytes }), undefined, 'of what it was to have before');
    });

    it('is believed of its own node alone, which also says what is in the way', () => {
      const g = grown();
      assert.equal(grownVolume(g.pv(), 'n2', { name: g.name, bytes }), undefined);
      const word = { name: g.name, message: 'the disk is full' };
      assert.equal(stuckGrowth(g.pv(), g.pvc(), 'n2', word), undefined);
      const status = stuckGrowth(g.pv(), g.pvc(), 'n1', word);
      assert.equal(status?.conditions?.[0]?.message, 'the disk is full');
      g.w.put({ ...g.pvc(), status });
      g.w.settle();
      assert.equal(g.pvc().status?.conditions?.[0]?.message, 'the disk is full');
      assert.equal(stuckGrowth(g.pv(), g.pvc(), 'n1', word), undefined, 'it is no news');
    });
  });

  it('is made on another node where the chosen one is gone', () => {
    const w = world();
    w.put(withAnnotations(claim('data'), { [SELECTED_NODE]: 'gone' }));
    w.settle();
    assert.equal(claimAt(w, 'data')?.metadata.annotations?.[SELECTED_NODE], undefined);
  });
});

describe('a generic ephemeral volume', () => {
  it("is a claim of the pod's own, whose data goes with it", () => {
    const w = world();
    const { spec } = claim('x');
    const owner = w.put(
      pod('p', { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { metadata: {}, spec } } }] }),
    );
    w.settle();
    const made = claimAt(w, 'p-v');
    assert.equal(made?.metadata.ownerReferences?.[0]?.uid, owner.metadata.uid);
  });
});

describe('binding', () => {
  it('never gives one volume to two claims, nor two volumes to one claim, in whatever order things happen', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      let state = seed;
      const next = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
        return (state >> 8) % below;
      };
      const w = world();
      const uids = new Map<string, string>();
      for (let turn = 0; turn < 60; turn += 1) {
        const name = `x${next(6)}`;
        switch (next(6)) {
          case 0:
            if (!volumeAt(w, name)) w.put(volume(name, { capacity: { storage: `${1 + next(3)}Gi` } }));
            break;
          case 1:
            if (!claimAt(w, name))
              w.put(claim(name, { ...DISKS, ...(next(4) === 0 && { volumeName: `x${next(6)}` }) }));
            break;
          case 2:
            if (next(3) === 0) w.remove(objectKey('PersistentVolume', undefined, name));
            break;
          case 3: {
            const key = objectKey('PersistentVolumeClaim', 'default', name);
            const uid = w.get(key)?.metadata.uid;
            if (uid !== undefined && next(3) === 0) w.apply({ steps: [{ do: 'delete', key, uid }] });
            break;
          }
          default:
            for (let i = next(5); i > 0; i -= 1) w.step(next(7));
        }
        const owners = new Map<string, string>();
        for (const one of w.list('PersistentVolumeClaim')) {
          const { volumeName } = one.spec;
          if (one.status?.phase !== 'Bound' || volumeName === undefined) continue;
          const before = uids.get(one.metadata.uid);
          assert.ok(before === undefined || before === volumeName, `seed ${seed}: rebound`);
          uids.set(one.metadata.uid, volumeName);
          const held = volumeAt(w, volumeName)?.spec.claimRef?.uid;
          // A volume that is gone, or came again under its name, has none: the claim has lost it.
          if (held !== one.metadata.uid) continue;
          assert.equal(owners.get(volumeName), undefined, `seed ${seed}: two claims`);
          owners.set(volumeName, one.metadata.uid);
        }
      }
      w.settle();
      const names = w
        .list('PersistentVolumeClaim')
        .flatMap(({ spec, status }) => (status?.phase === 'Bound' ? [spec.volumeName] : []));
      assert.equal(new Set(names).size, names.length, `seed ${seed}`);
    }
  });
});
