/** Where pods with claims go. Source: kube-scheduler, VolumeBinding and VolumeRestrictions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HOSTNAME_LABEL,
  objectKey,
  PersistentVolumeClaimManifest,
  PersistentVolumeManifest,
  type Node,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { persistentVolumeController } from '../../../reconciler/controllers/persistentvolume.ts';
import { persistentVolumeClaimController } from '../../../reconciler/controllers/persistentvolumeclaim.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { findCondition } from '../../../contracts/objects/index.ts';
import { node, pod } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

class Cluster extends World {
  constructor(...nodes: readonly string[]) {
    super([persistentVolumeClaimController, persistentVolumeController]);
    for (const name of nodes) this.put(node(name, { labels: { [HOSTNAME_LABEL]: name } }));
  }
  claim(name: string, spec: object = {}): void {
    this.put(
      PersistentVolumeClaimManifest.parse({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace: 'default' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
      }),
    );
  }
  disk(name: string, nodeName: string | undefined, spec: object = {}): void {
    const required = {
      nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [nodeName] }] }],
    };
    this.put(
      PersistentVolumeManifest.parse({
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: {
          accessModes: ['ReadWriteOnce'],
          capacity: { storage: '1Gi' },
          hostPath: { path: '/srv' },
          storageClassName: 'local',
          ...(nodeName !== undefined && { nodeAffinity: { required } }),
          ...spec,
        },
      }),
    );
  }
  pod(name: string, ...claims: readonly string[]): StoredPod {
    return this.put(
      pod(name, { volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) }),
    );
  }
  /** Places what waits, and lets the controllers work. A scheduler of its own each time, as after a restart. */
  schedule(): void {
    this.settle();
    const pending = PendingPods.of(this);
    this.apply({ steps: pending.pass(this.now, 100).steps });
    this.settle();
  }
  nodeOf(name: string): string | undefined {
    return this.get(objectKey('Pod', 'default', name))?.spec.nodeName;
  }
  message(name: string): string {
    return (
      findCondition(this.get(objectKey('Pod', 'default', name))?.status?.conditions, 'PodScheduled')?.message ?? ''
    );
  }
  volumeOf(claim: string): string | undefined {
    return this.get(objectKey('PersistentVolumeClaim', 'default', claim))?.spec.volumeName;
  }
}

describe('a pod with a claim', () => {
  it('has its volume made where it is placed, and is there again the next time', () => {
    const c = new Cluster('n1', 'n2', 'n3');
    c.claim('data');
    c.pod('a', 'data');
    c.schedule();
    const first = c.nodeOf('a');
    assert.ok(first);
    assert.match(c.volumeOf('data') ?? '', /^pvc-/);
    c.remove(objectKey('Pod', 'default', 'a'));
    for (const name of ['b', 'c', 'd']) c.pod(name, 'data');
    c.schedule();
    assert.deepEqual([c.nodeOf('b'), c.nodeOf('c'), c.nodeOf('d')], [first, first, first]);
  });

  it('takes a free volume that is on a node, rather than a new one', () => {
    const c = new Cluster('n1', 'n2');
    c.disk('disk', 'n2');
    c.claim('data');
    c.put(
      pod('a', {
        nodeSelector: { [HOSTNAME_LABEL]: 'n2' },
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }],
      }),
    );
    c.schedule();
    assert.deepEqual([c.nodeOf('a'), c.volumeOf('data')], ['n2', 'disk']);
  });

  it('waits while its claim is not there, and says so', () => {
    const c = new Cluster('n1');
    c.pod('a', 'data');
    c.schedule();
    assert.equal(c.nodeOf('a'), undefined);
    assert.match(c.message('a'), /persistentvolumeclaim "data" not found/);
    c.claim('data');
    c.schedule();
    assert.equal(c.nodeOf('a'), 'n1');
  });

  it('waits for the node of its volume, and says which claim', () => {
    const c = new Cluster('n1', 'n2');
    c.claim('data');
    c.pod('a', 'data');
    c.schedule();
    const home = c.nodeOf('a') ?? '';
    c.remove(objectKey('Pod', 'default', 'a'));
    c.put({ ...node(home), spec: { unschedulable: true } });
    c.pod('b', 'data');
    c.schedule();
    assert.equal(c.nodeOf('b'), undefined);
    assert.match(c.message('b'), /1 node\(s\) didn't match PersistentVolume's node affinity/);
  });

  it('of two with one claim at the same moment both are on one node', () => {
    const c = new Cluster('n1', 'n2', 'n3');
    c.claim('data');
    c.pod('a', 'data');
    c.pod('b', 'data');
    c.schedule();
    assert.equal(c.nodeOf('a'), c.nodeOf('b'));
  });

  it('of two with two claims for one disk one gets it', () => {
    const c = new Cluster('n1');
    const CLASS = { storageClassName: 'disks' };
    c.put({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'disks' },
      provisioner: 'kubernetes.io/no-provisioner',
      reclaimPolicy: 'Retain',
      allowVolumeExpansion: false,
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    c.disk('disk', 'n1', CLASS);
    c.claim('x', CLASS);
    c.claim('y', CLASS);
    c.pod('a', 'x');
    c.pod('b', 'y');
    c.schedule();
    assert.deepEqual([c.nodeOf('a'), c.nodeOf('b')], ['n1', undefined]);
    assert.match(c.message('b'), /didn't find available persistent volumes to bind/);
  });

  it('that nobody else may have waits until the other pod is gone', () => {
    const c = new Cluster('n1', 'n2');
    c.claim('data', { accessModes: ['ReadWriteOncePod'] });
    c.pod('a', 'data');
    c.schedule();
    c.pod('b', 'data');
    c.schedule();
    assert.equal(c.nodeOf('b'), undefined);
    assert.match(c.message('b'), /ReadWriteOncePod access mode/);
    c.remove(objectKey('Pod', 'default', 'a'));
    c.schedule();
    assert.ok(c.nodeOf('b'));
  });

  it('for one node at a time stays on that node, though the volume is everywhere', () => {
    const c = new Cluster('n1', 'n2', 'n3');
    c.disk('share', undefined, { hostPath: undefined, nfs: { server: 's', path: '/a' }, storageClassName: '' });
    c.claim('data', { storageClassName: '' });
    for (const name of ['a', 'b', 'c', 'd']) c.pod(name, 'data');
    c.schedule();
    c.schedule();
    assert.equal(new Set(['a', 'b', 'c', 'd'].map((name) => c.nodeOf(name))).size, 1);
    assert.equal(c.volumeOf('data'), 'share');
  });

  it('has no new volume made while a node has not told which it has', () => {
    const c = new Cluster('n1', 'n2');
    const silent = node('n2', { ready: 'Unknown' });
    c.put({
      ...silent,
      status: {
        ...silent.status,
        conditions: [...(silent.status?.conditions ?? []), { type: 'PodsKnown', status: 'False' }],
      },
    });
    c.claim('data');
    c.pod('a', 'data');
    c.schedule();
    assert.equal(c.nodeOf('a'), undefined);
    assert.match(c.message('a'), /no volume is made while those of a node are not known/);
    c.put(node('n2'));
    c.schedule();
    assert.ok(c.nodeOf('a'));
  });

  it('is tried again as soon as that node has told, or is taken away', () => {
    for (const end of ['tells', 'goes']) {
      const c = new Cluster('n1');
      const heard = node('n2', { ready: 'Unknown' });
      const conditions = heard.status?.conditions ?? [];
      const unheard = c.put({
        ...heard,
        status: { ...heard.status, conditions: [...conditions, { type: 'PodsKnown', status: 'False' }] },
      });
      c.claim('data');
      c.pod('a', 'data');
      c.settle();
      const pending = PendingPods.of(c);
      assert.deepEqual(pending.pass(c.now, 100).placed, []);
      if (end === 'tells') pending.changed('put', c.put(heard), unheard);
      else {
        c.remove(objectKey('Node', undefined, 'n2'));
        pending.changed('delete', unheard, unheard);
      }
      c.now = new Date(c.now.getTime() + 60_000);
      const { placed } = pending.pass(c.now, 100);
      assert.deepEqual(
        placed.map(({ metadata }) => metadata.name),
        ['a'],
        end,
      );
    }
  });

  it('goes where the volume that is kept for its claim can be had, and nowhere else', () => {
    const c = new Cluster('n1', 'n2', 'n3');
    c.disk('disk', 'n2', { claimRef: { namespace: 'default', name: 'data' } });
    c.claim('data');
    c.put({ ...node('n2', { labels: { [HOSTNAME_LABEL]: 'n2' } }), spec: { unschedulable: true } });
    c.pod('a', 'data');
    c.schedule();
    assert.deepEqual([c.nodeOf('a'), c.volumeOf('data')], [undefined, 'disk']);
  });

  it('that named its node itself has its volume made there', () => {
    const c = new Cluster('n1', 'n2');
    c.claim('data');
    c.put(pod('a', { nodeName: 'n2', volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] }));
    c.settle();
    assert.match(c.volumeOf('data') ?? '', /^pvc-/);
  });
});

/**
 * Source of the rule and of the reason: KEP-1472, kube-scheduler's VolumeBinding (checkVolumeProvisions). Its capacity is
 * each claim's alone; ours is the node's, of which its volumes take theirs.
 */
describe('a pod whose volume takes the room of its node at once', () => {
  const MIB = 2 ** 20;
  const withRoom = (name: string, mebibytes: number | undefined): Node => {
    const plain = node(name);
    return {
      ...plain,
      status: { ...plain.status, ...(mebibytes !== undefined && { volumeRoom: String(mebibytes * MIB) }) },
    };
  };
  class Disks extends Cluster {
    constructor(rooms: Readonly<Record<string, number | undefined>>) {
      super();
      for (const [name, room] of Object.entries(rooms)) this.put(withRoom(name, room));
    }
    want(name: string, mebibytes: number, storageClassName = 'local-enforced'): void {
      this.claim(name, { storageClassName, resources: { requests: { storage: `${mebibytes}Mi` } } });
    }
    detail(name: string): string {
      const pending = PendingPods.of(this);
      pending.pass(this.now, 100);
      const found = this.get(objectKey('Pod', 'default', name));
      assert.ok(found);
      const why = pending.explain(found);
      return why?.is === 'waiting' ? (why.verdicts[0]?.reasons[0]?.detail ?? '') : '';
    }
  }

  const cases: readonly (readonly [
    what: string,
    rooms: Readonly<Record<string, number | undefined>>,
    claims: readonly number[],
    node: string | undefined,
  ])[] = [
    ['goes where there is enough', { n1: 100, n2: 300 }, [200], 'n2'],
    ['goes where there is more', { n1: 300, n2: 400, n3: 250 }, [200], 'n2'],
    ['fits just', { n1: 200 }, [200], 'n1'],
    ['waits where there is too little', { n1: 199 }, [200], undefined],
    ['needs room for all of its volumes on one node', { n1: 300, n2: 300 }, [200, 200], undefined],
    ['has all of its volumes on one node', { n1: 300, n2: 400 }, [200, 200], 'n2'],
    ['is not held to what a node does not tell', { n1: undefined }, [200], 'n1'],
    ['counts at least what a file system takes', { n1: 15 }, [1], undefined],
  ];
  for (const [what, rooms, claims, expected] of cases)
    it(what, () => {
      const c = new Disks(rooms);
      const names = claims.map((_, i) => `c${i}`);
      for (const [i, mebibytes] of claims.entries()) c.want(`c${i}`, mebibytes);
      c.pod('a', ...names);
      c.schedule();
      assert.equal(c.nodeOf('a'), expected);
      if (expected === undefined) assert.match(c.message('a'), /node\(s\) did not have enough free storage/);
    });

  it('says how much it wants, and how much there is', () => {
    const c = new Disks({ n1: 199 });
    c.want('data', 200);
    c.pod('a', 'data');
    c.settle();
    assert.equal(c.detail('a'), 'claim data wants 200Mi, and there is room for 199Mi more of volumes');
  });

  it('leaves volumes alone that may fill their disk', () => {
    const c = new Disks({ n1: 0 });
    c.want('data', 200, 'local');
    c.pod('a', 'data');
    c.schedule();
    assert.equal(c.nodeOf('a'), 'n1');
  });

  it('finds taken what others were given a moment ago, in one pass and in the next', () => {
    const c = new Disks({ n1: 500, n2: 500 });
    for (const name of ['a', 'b', 'c']) {
      c.want(name, 300);
      c.pod(name, name);
    }
    c.settle();
    const pending = PendingPods.of(c);
    const first = pending.pass(c.now, 100);
    assert.equal(first.placed.length, 2);
    c.apply({ steps: first.steps });
    c.settle();
    const nodes = ['a', 'b', 'c'].map((name) => c.nodeOf(name));
    assert.deepEqual([...nodes].sort(), ['n1', 'n2', undefined]);
    // The volumes are there, and the nodes' word is the same: what is made is in it.
    c.schedule();
    assert.equal(['a', 'b', 'c'].filter((name) => c.nodeOf(name) === undefined).length, 1);
  });

  it('may have the room of a volume that is gone, and of one that its node has more for', () => {
    const c = new Disks({ n1: 300 });
    c.want('a', 200);
    c.pod('a', 'a');
    c.schedule();
    c.want('b', 200);
    const waiting = c.pod('b', 'b');
    c.settle();
    const pending = PendingPods.of(c);
    assert.deepEqual(pending.pass(c.now, 100).placed, []);
    const before = c.get(objectKey('Node', undefined, 'n1'));
    pending.changed('put', c.put(withRoom('n1', 400)), before);
    c.now = new Date(c.now.getTime() + 60_000);
    assert.deepEqual(
      pending.pass(c.now, 100).placed.map(({ metadata }) => metadata.name),
      [waiting.metadata.name],
    );
  });
});
