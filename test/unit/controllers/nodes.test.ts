/** Nodes, evictions and collection over the small store, with every controller running. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  findCondition,
  internalIP,
  objectKey,
  type Condition,
  type Pod,
  type StoredNode,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { PendingPods } from '../../../reconciler/controllers/scheduling/pending-pods.ts';
import { leavesInMs } from '../../../reconciler/core/health/eviction.ts';
import { ageByWall, NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { cluster, deployment, machine, pod, running, service } from './objects.ts';
import { World } from './world.ts';

const nodeOf = (w: World, name: string): StoredNode =>
  w.get(objectKey('Node', undefined, name)) ?? assert.fail(`no node ${name}`);
const podOf = (w: World, name: string): StoredPod | undefined => w.get(objectKey('Pod', 'default', name));
const ready = (n: StoredNode): Condition | undefined => findCondition(n.status?.conditions, 'Ready');

/** What node sync does when an agent is heard. */
function heartbeat(w: World, name: string, status: Condition['status'] = 'True'): void {
  const n = nodeOf(w, name);
  const before = ready(n);
  const lastTransitionTime =
    before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : w.now.toISOString();
  w.put({
    ...n,
    status: {
      addresses: [{ type: 'InternalIP', address: '198.18.0.9' }],
      allocatable: { cpu: '2', memory: '4Gi', pods: '110' },
      nodeInfo: {
        machineID: 'm',
        bootID: 'b',
        kernelVersion: 'k',
        osImage: 'o',
        architecture: 'x86_64',
        containerRuntimeVersion: 'c',
        agentVersion: '1',
      },
      conditions: [{ type: 'Ready', status, lastHeartbeatTime: w.now.toISOString(), lastTransitionTime }],
    },
  });
}

function world(machines: readonly string[], controllers = allControllers()): World {
  const w = new World(controllers);
  w.put(cluster({ network: { podCIDR: '198.18.128.0/22' }, nodes: { monitorGracePeriodSeconds: 40 } }));
  for (const name of machines) w.put(machine(name, { labels: { zone: 'z1' } }));
  w.settle();
  for (const name of machines) heartbeat(w, name);
  w.settle();
  return w;
}

/** The scheduling lane and the agents of the nodes that are heard. */
function work(w: World, heard: readonly string[]): void {
  for (let i = 0; i < 12; i++) {
    w.settle();
    w.apply(PendingPods.of(w).pass(w.now, Infinity));
    w.list('Pod').forEach((p, n) => {
      if (!heard.includes(p.spec.nodeName ?? '')) return;
      if (p.metadata.deletionTimestamp !== undefined) w.remove(objectKey('Pod', 'default', p.metadata.name));
      else if (p.status?.phase === 'Pending') w.put(running(p, true, w.now.toISOString(), `198.18.128.${n + 10}`));
    });
  }
  w.settle();
  assert.equal(w.conflicts, 0);
}

function pass(w: World, seconds: number, heard: readonly string[]): void {
  for (let i = 0; i < seconds; i += 5) {
    w.advance(5000);
    for (const name of heard) heartbeat(w, name);
    work(w, heard);
  }
}

const readyEndpoints = (w: World): number =>
  w
    .list('EndpointSlice')
    .flatMap((s) => s.endpoints)
    .filter((e) => e.conditions.ready).length;

describe('a Node', () => {
  it('is made from its Machine, with labels, taints and a pod range of its own', () => {
    const w = world(['n2', 'n1', 'n3']);
    assert.deepEqual(
      w.list('Node').map((n) => [n.metadata.name, n.spec.podCIDR]),
      [
        ['n1', '198.18.128.0/24'],
        ['n2', '198.18.129.0/24'],
        ['n3', '198.18.130.0/24'],
      ],
    );
    const n1 = nodeOf(w, 'n1');
    assert.deepEqual(n1.metadata.labels, {
      zone: 'z1',
      'kubernetes.io/hostname': 'n1',
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/os': 'linux',
    });
    assert.equal(n1.spec.taints, undefined);
    assert.equal(internalIP(n1), '198.18.0.9');
    w.put(machine('n1', { unschedulable: true, taints: [{ key: 'gpu', effect: 'NoSchedule' }] }));
    w.settle();
    assert.deepEqual(
      nodeOf(w, 'n1').spec.taints?.map((t) => `${t.key}:${t.effect}`),
      ['gpu:NoSchedule', 'node.kubernetes.io/unschedulable:NoSchedule'],
    );
    assert.equal(nodeOf(w, 'n1').spec.unschedulable, true);
    assert.equal(nodeOf(w, 'n1').spec.podCIDR, '198.18.128.0/24', 'never changed');
    w.resync();
    const version = nodeOf(w, 'n1').metadata.resourceVersion;
    w.settle(100);
    assert.equal(nodeOf(w, 'n1').metadata.resourceVersion, version);
  });

  it('gets another pod range when two passes cut the same', () => {
    const w = world(['n1', 'n2']);
    w.advance(1000);
    w.put(machine('n3'));
    w.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n3' }, spec: { podCIDR: '198.18.128.0/24' } });
    w.settle();
    assert.deepEqual(
      w.list('Node').map((n) => n.spec.podCIDR),
      ['198.18.128.0/24', '198.18.129.0/24', '198.18.130.0/24'],
    );
  });

  it('that beats costs the same however many there are', () => {
    const listed = (count: number): number => {
      const names = Array.from({ length: count }, (_, i) => `n${i}`);
      const w = world(names);
      const list = w.list.bind(w);
      let objects = 0;
      w.list = (kind, namespace) => {
        const found = list(kind, namespace);
        if (kind === 'Node' || kind === 'Machine') objects += found.length;
        return found;
      };
      w.advance(5000);
      heartbeat(w, 'n0');
      w.settle();
      return objects;
    };
    assert.equal(listed(3), 0);
    assert.equal(listed(4), 0);
  });

  it('goes with its Machine, and its pods with it', () => {
    const w = world(['n1']);
    w.put({ ...pod('p'), spec: { ...pod('p').spec, nodeName: 'n1' } });
    w.settle();
    assert.ok(podOf(w, 'p'));
    w.remove(objectKey('Machine', undefined, 'n1'));
    w.settle();
    assert.deepEqual(w.list('Node'), []);
    assert.equal(podOf(w, 'p'), undefined);
  });

  it('that never reports becomes Unknown', () => {
    const w = new World(allControllers());
    w.put(machine('n1'));
    w.settle();
    assert.deepEqual(
      nodeOf(w, 'n1').spec.taints?.map((t) => `${t.key}:${t.effect}`),
      ['node.kubernetes.io/not-ready:NoSchedule'],
    );
    w.advance(40_000);
    w.settle();
    assert.equal(ready(nodeOf(w, 'n1'))?.reason, 'NodeStatusNeverUpdated');
  });

  it('that is short of something gets no more pods until it is not', () => {
    const w = world(['n1']);
    for (const [type, status, taints] of [
      ['DiskPressure', 'True', ['node.kubernetes.io/disk-pressure:NoSchedule']],
      ['DiskPressure', 'False', undefined],
      ['MemoryPressure', 'True', ['node.kubernetes.io/memory-pressure:NoSchedule']],
      ['MemoryPressure', 'False', undefined],
      ['PIDPressure', 'True', ['node.kubernetes.io/pid-pressure:NoSchedule']],
      ['PIDPressure', 'False', undefined],
    ] as const) {
      const before = nodeOf(w, 'n1');
      w.put({
        ...before,
        status: {
          ...before.status,
          conditions: [...(before.status?.conditions ?? []).filter((c) => c.type !== type), { type, status }],
        },
      });
      w.settle();
      assert.deepEqual(
        nodeOf(w, 'n1').spec.taints?.map((t) => `${t.key}:${t.effect}`),
        taints,
      );
    }
  });

  it('is given its full grace by a control plane that was away', () => {
    const before = world(['n1']);
    const w = new World(allControllers());
    w.now = new Date(before.now.getTime() + 3_600_000);
    for (const object of before.objects.values()) w.put(object);
    w.settle();
    w.advance(39_000);
    w.settle();
    assert.equal(ready(nodeOf(w, 'n1'))?.status, 'True');
    w.advance(1000);
    w.settle();
    assert.equal(ready(nodeOf(w, 'n1'))?.status, 'Unknown');
  });

  it('that falls silent loses its traffic, then its pods, which come back elsewhere; when heard again it has no doubles', () => {
    const w = world(['n1', 'n2']);
    w.put(deployment({ replicas: 4 }));
    w.put(service('web'));
    work(w, ['n1', 'n2']);
    assert.equal(readyEndpoints(w), 4);
    const lost = w.podsOnNode('n2').map((p) => p.metadata.name);
    assert.equal(lost.length, 2, 'spread over both');

    pass(w, 45, ['n1']);
    const silent = nodeOf(w, 'n2');
    assert.deepEqual([ready(silent)?.status, ready(silent)?.reason], ['Unknown', 'NodeStatusUnknown']);
    assert.deepEqual(
      silent.spec.taints?.map((t) => `${t.key}:${t.effect}`),
      ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
    );
    assert.equal(readyEndpoints(w), 2);
    assert.ok(
      lost.every((name) => podOf(w, name)?.metadata.deletionTimestamp === undefined),
      'tolerated for five minutes',
    );

    pass(w, 300, ['n1']);
    assert.ok(lost.every((name) => podOf(w, name)?.metadata.deletionTimestamp !== undefined));
    assert.deepEqual(
      lost.map((name) => findCondition(podOf(w, name)?.status?.conditions, 'DisruptionTarget')?.reason),
      ['DeletionByTaintManager', 'DeletionByTaintManager'],
    );
    assert.equal(w.events.filter((e) => e.reason === 'TaintManagerEviction').length, 2);
    assert.equal(readyEndpoints(w), 4);
    assert.ok(
      w
        .list('Pod')
        .filter((p) => p.metadata.deletionTimestamp === undefined)
        .every((p) => p.spec.nodeName === 'n1'),
    );

    pass(w, 15, ['n1', 'n2']);
    assert.deepEqual(nodeOf(w, 'n2').spec.taints, undefined);
    assert.equal(w.list('Pod').length, 4);
    assert.equal(readyEndpoints(w), 4);
  });

  it('that is silent already loses a pod whose last word comes late, too', () => {
    const w = serving('n1', 'n2');
    pass(w, 60, ['n1']);
    assert.deepEqual(emptied(w), ['n2']);
    w.put(running(pod('late', { nodeName: 'n2' }), true, w.now.toISOString()));
    w.settle();
    assert.equal(findCondition(podOf(w, 'late')?.status?.conditions, 'Ready')?.reason, 'NodeStatusUnknown');
    pass(w, 270, ['n1']);
    assert.equal(podOf(w, 'late')?.metadata.deletionTimestamp, undefined);
    pass(w, 20, ['n1']);
    assert.notEqual(podOf(w, 'late')?.metadata.deletionTimestamp, undefined);
  });

  it('whose agent is heard over its connection needs no beats in the store, until it falls silent', () => {
    const monitor = new NodeMonitor();
    const w = world(['n1', 'n2'], allControllers(monitor));
    w.put(deployment({ replicas: 4 }));
    w.put(service('web'));
    work(w, ['n1', 'n2']);
    assert.equal(readyEndpoints(w), 4);
    const { resourceVersion } = nodeOf(w, 'n1').metadata;
    for (let i = 0; i < 20; i++) {
      w.advance(5000);
      for (const name of ['n1', 'n2']) monitor.hears(name, w.monotonic);
      w.settle();
    }
    assert.equal(nodeOf(w, 'n1').metadata.resourceVersion, resourceVersion);
    const last = w.now.toISOString();
    for (let i = 0; i < 9; i++) {
      w.advance(5000);
      monitor.hears('n2', w.monotonic);
      w.settle();
    }
    assert.equal(ready(nodeOf(w, 'n1'))?.status, 'Unknown');
    assert.equal(ready(nodeOf(w, 'n1'))?.lastHeartbeatTime, last);
    assert.equal(ready(nodeOf(w, 'n2'))?.status, 'True');
    // That the control plane wrote this down is no sign of life: no second grace passes before the rest follows.
    assert.deepEqual(emptied(w), ['n1']);
    assert.equal(readyEndpoints(w), 2);

    // It comes back: written first, then over its connection.
    heartbeat(w, 'n1');
    w.settle();
    assert.deepEqual([ready(nodeOf(w, 'n1'))?.status, emptied(w)], ['True', []]);
    for (let i = 0; i < 20; i++) {
      w.advance(5000);
      for (const name of ['n1', 'n2']) monitor.hears(name, w.monotonic);
      w.settle();
    }
    assert.deepEqual([ready(nodeOf(w, 'n1'))?.status, emptied(w)], ['True', []]);
  });

  it('whose agent another control plane has taken over, which writes its beats, was heard last by the last of them', () => {
    const monitor = new NodeMonitor();
    const w = world(['n1', 'n2'], allControllers(monitor));
    monitor.hears('n1', w.monotonic);
    pass(w, 3600, ['n1', 'n2']);
    const last = w.now.toISOString();
    pass(w, 45, ['n2']);
    assert.equal(ready(nodeOf(w, 'n1'))?.status, 'Unknown');
    assert.equal(ready(nodeOf(w, 'n1'))?.lastHeartbeatTime, last);
    assert.deepEqual(emptied(w), ['n1']);
  });

  it('that is heard again in time keeps its pods, ready as before', () => {
    const w = serving('n1', 'n2');
    const names = w.list('Pod').map((p) => p.metadata.name);
    pass(w, 60, ['n2']);
    assert.equal(readyEndpoints(w), 2);
    pass(w, 20, ['n1', 'n2']);
    assert.equal(readyEndpoints(w), 4);
    assert.deepEqual(
      w.list('Pod').map((p) => p.metadata.name),
      names,
    );
  });
});

/** Four replicas behind a Service, spread over the nodes. */
function serving(...machines: readonly string[]): World {
  const w = world(machines);
  w.put(deployment({ replicas: 4 }));
  w.put(service('web'));
  work(w, machines);
  assert.equal(readyEndpoints(w), 4);
  return w;
}
const terminating = (w: World): number =>
  w.list('Pod').filter((p) => p.metadata.deletionTimestamp !== undefined).length;
const emptied = (w: World): string[] =>
  w
    .list('Node')
    .filter((n) => n.spec.taints?.some(({ effect }) => effect === 'NoExecute'))
    .map((n) => n.metadata.name);

describe('many silent nodes', () => {
  it("all at once are the control plane's blindness: no pod is marked or moved, however long", () => {
    const w = serving('n1', 'n2', 'n3');
    const uids = w.list('Pod').map((p) => p.metadata.uid);
    pass(w, 1200, []);
    assert.deepEqual(
      w.list('Node').map((n) => ready(n)?.status),
      ['Unknown', 'Unknown', 'Unknown'],
    );
    assert.deepEqual([emptied(w), terminating(w), readyEndpoints(w)], [[], 0, 4]);
    // They come back one after another, within the time that a node may be silent.
    pass(w, 15, ['n2']);
    assert.deepEqual([emptied(w), terminating(w), readyEndpoints(w)], [[], 0, 4]);
    pass(w, 15, ['n2', 'n3']);
    pass(w, 600, ['n1', 'n2', 'n3']);
    assert.deepEqual(
      w.list('Pod').map((p) => p.metadata.uid),
      uids,
    );
    assert.equal(readyEndpoints(w), 4);
  });

  it('of which one never comes back after a blindness: that one is given up like any other', () => {
    const w = serving('n1', 'n2');
    pass(w, 600, []);
    pass(w, 400, ['n1']);
    assert.deepEqual(emptied(w), ['n2']);
    assert.ok(
      w
        .list('Pod')
        .filter((p) => p.metadata.deletionTimestamp === undefined)
        .every((p) => p.spec.nodeName === 'n1'),
    );
  });

  it('one after another lose the taint that empties them, when the last falls silent', () => {
    const w = serving('n1', 'n2');
    pass(w, 60, ['n1']);
    assert.deepEqual(emptied(w), ['n2']);
    pass(w, 600, []);
    assert.deepEqual([emptied(w), terminating(w)], [[], 0]);
  });

  it('that are most of a small zone are not emptied, and are when most are heard again', () => {
    const w = serving('n1', 'n2', 'n3', 'n4', 'n5');
    pass(w, 600, ['n1', 'n2']);
    assert.deepEqual([emptied(w), terminating(w)], [[], 0]);
    pass(w, 600, ['n1', 'n2', 'n3', 'n4']);
    assert.deepEqual(emptied(w), ['n5']);
  });

  it('are emptied one every ten seconds', () => {
    const w = serving('n1', 'n2', 'n3', 'n4', 'n5');
    pass(w, 45, ['n1', 'n2', 'n3']);
    assert.equal(emptied(w).length, 1);
    pass(w, 10, ['n1', 'n2', 'n3']);
    assert.deepEqual(emptied(w), ['n4', 'n5']);
  });
});

describe('a wall clock that is set', () => {
  for (const hours of [1, -1]) {
    it(`by ${hours} h makes no node silent, and moves no pod`, () => {
      const w = serving('n1', 'n2');
      const uids = w.list('Pod').map((p) => p.metadata.uid);
      w.now = new Date(w.now.getTime() + hours * 3_600_000);
      w.resync();
      w.settle();
      assert.deepEqual(
        w.list('Node').map((n) => ready(n)?.status),
        ['True', 'True'],
      );
      pass(w, 60, ['n1', 'n2']);
      assert.deepEqual(
        w.list('Pod').map((p) => p.metadata.uid),
        uids,
      );
      assert.equal(readyEndpoints(w), 4);
    });

    it(`by ${hours} h while a node is silent: its pods are tolerated for the same time`, () => {
      const w = serving('n1', 'n2');
      pass(w, 60, ['n1']);
      w.now = new Date(w.now.getTime() + hours * 3_600_000);
      pass(w, 260, ['n1']);
      assert.equal(terminating(w), 0);
      pass(w, 30, ['n1']);
      assert.equal(terminating(w), 2);
    });
  }
});

describe('eviction', () => {
  const now = new Date('2026-01-01T00:01:00Z');
  const taint = { key: 'maintenance', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' } as const;
  const rows: readonly { name: string; tolerations: readonly object[]; left: number | undefined }[] = [
    { name: 'not tolerated: now', tolerations: [], left: 0 },
    { name: 'tolerated for ever', tolerations: [{ key: 'maintenance', operator: 'Exists' }], left: undefined },
    {
      name: 'tolerated for a while',
      tolerations: [{ key: 'maintenance', operator: 'Exists', tolerationSeconds: 90 }],
      left: 30_000,
    },
    {
      name: 'no longer',
      tolerations: [{ key: 'maintenance', operator: 'Exists', tolerationSeconds: 30 }],
      left: -30_000,
    },
    {
      name: 'the shortest of several counts',
      tolerations: [{ operator: 'Exists', tolerationSeconds: 70 }, { operator: 'Exists' }],
      left: 10_000,
    },
    {
      name: 'another effect',
      tolerations: [{ key: 'maintenance', operator: 'Exists', effect: 'NoSchedule' }],
      left: 0,
    },
  ];
  for (const row of rows)
    it(row.name, () =>
      assert.equal(leavesInMs(pod('p', { tolerations: row.tolerations }), [taint], ageByWall(now)), row.left),
    );
});

describe('collection', () => {
  it('cascades from a Deployment to its pods and from a Service to its slices', () => {
    const w = world(['n1']);
    w.put(deployment());
    w.put(service('web'));
    work(w, ['n1']);
    assert.equal(w.list('Pod').length, 3);
    w.remove(objectKey('Deployment', 'default', 'web'));
    w.remove(objectKey('Service', 'default', 'web'));
    work(w, ['n1']);
    assert.deepEqual([w.list('ReplicaSet').length, w.list('Pod').length, w.list('EndpointSlice').length], [0, 0, 0]);
  });
  it('does not take an owner of the same name for the owner, and leaves the unowned and the owned alone', () => {
    const w = world(['n1']);
    w.put(deployment());
    w.put(pod('alone'));
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'old-uid', controller: true };
    w.put(pod('stale', {}, { ownerReferences: [owner] }));
    w.put(pod('foreign', {}, { ownerReferences: [{ ...owner, kind: 'Widget' }] }));
    work(w, ['n1']);
    assert.equal(podOf(w, 'stale'), undefined);
    assert.ok(podOf(w, 'alone') && podOf(w, 'foreign'));
    assert.equal(w.list('Pod').length, 5);
  });
});

describe('namespaces', () => {
  it('default is always there; what was in a deleted one goes', () => {
    const w = world(['n1']);
    const fixed = objectKey('Namespace', undefined, 'default');
    assert.equal(w.get(fixed)?.status?.phase, 'Active');
    w.remove(fixed);
    w.settle();
    assert.ok(w.get(fixed));
    w.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    w.put({ ...deployment(), metadata: { name: 'web', namespace: 'shop' } });
    w.put({ ...deployment(), metadata: { name: 'web', namespace: 'default' } });
    w.settle();
    w.remove(objectKey('Namespace', undefined, 'shop'));
    w.settle();
    assert.deepEqual(
      [...w.objects.values()].filter((o) => o.metadata.namespace === 'shop'),
      [],
    );
    assert.equal(w.list('Deployment').length, 1);
  });
});

describe('the scheduling lane', () => {
  const big = (): Pod => pod('big', { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu: '3' } } }] });
  it('binds once, says why not once, and tries again when nodes change', () => {
    const w = world(['n1']);
    w.put(pod('p'));
    w.put(big());
    w.apply(PendingPods.of(w).pass(w.now, Infinity));
    assert.equal(podOf(w, 'p')?.spec.nodeName, 'n1');
    const told = findCondition(podOf(w, 'big')?.status?.conditions, 'PodScheduled');
    assert.deepEqual(
      [told?.status, told?.reason, told?.message],
      ['False', 'Unschedulable', '0/1 nodes are available: 1 Insufficient cpu.'],
    );
    assert.deepEqual(PendingPods.of(w).pass(w.now, Infinity).steps, []);
    assert.deepEqual(
      w.events.filter((e) => e.regarding.kind === 'Pod').map((e) => [e.reason, e.message]),
      [
        ['FailedScheduling', '0/1 nodes are available: 1 Insufficient cpu.'],
        ['Scheduled', 'Successfully assigned default/p to n1'],
      ],
    );
    const why = PendingPods.of(w).scheduler.refusal(podOf(w, 'big') ?? assert.fail());
    assert.deepEqual(
      why.verdicts[0]?.reasons.map(({ detail }) => detail),
      ['cpu: asks for 3000m, 2000m of 2000m is free'],
    );
    const n1 = nodeOf(w, 'n1');
    w.put({ ...n1, status: { ...n1.status, allocatable: { cpu: '8', memory: '4Gi', pods: '110' } } });
    w.apply(PendingPods.of(w).pass(w.now, Infinity));
    assert.equal(podOf(w, 'big')?.spec.nodeName, 'n1');
    assert.equal(w.conflicts, 0);
  });
});
