import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  findCondition,
  keyOf,
  objectKey,
  type KubeObject,
  type PodStatus,
  type Stored,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { Claim, NODE_PATHS } from '../../../contracts/agent/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { importLate } from '../../../reconciler/controllers/nodes/late-import.ts';
import type { NodeSync } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { inTime } from '../../support/in-time.ts';
import { replicaSetWith } from '../../../reconciler/core/workloads/template.ts';
import { cluster, deployment, machine, pod } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';
import { FakeAgent, NODE_REPORT } from './fake-agent.ts';
import { sliceOf, stored } from './stored.ts';
import { EPOCH, startSync, takeAll } from './sync.ts';

const running: PodStatus = {
  phase: 'Running',
  podIP: '198.19.1.2',
  conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
};

describe('node sync', () => {
  let w: World;
  let agent: FakeAgent;
  let transport: MemoryNodeTransport;
  let sync: NodeSync;

  const start = async (epoch = EPOCH, heard?: (node: string) => void): Promise<NodeSync> => {
    const made = await startSync(w, transport, heard && { heard });
    takeAll(made, epoch);
    return made;
  };
  const put = async <T extends KubeObject>(object: T): Promise<Stored<T>> => {
    const [result] = await w.cache.write([{ op: 'create', object }]);
    assert.ok(result?.ok, JSON.stringify(result));
    return result.object as Stored<T>;
  };
  const podNow = (name: string): StoredOf<'Pod'> | undefined => w.cache.get(objectKey('Pod', 'default', name));
  const nodeCondition = (type: string) =>
    findCondition(w.cache.get(objectKey('Node', undefined, 'n1'))?.status?.conditions, type);
  const machineCondition = () =>
    findCondition(w.cache.get(objectKey('Machine', undefined, 'n1'))?.status?.conditions, 'Connected');
  const report = (p: Stored, status: PodStatus) => ({
    type: 'pod' as const,
    pod: { namespace: 'default', name: p.metadata.name, uid: p.metadata.uid, gone: false, status },
  });
  const gone = (p: Stored) => ({
    type: 'pod' as const,
    pod: { namespace: 'default', name: p.metadata.name, uid: p.metadata.uid, gone: true },
  });

  beforeEach(async () => {
    w = await world();
    agent = new FakeAgent();
    transport = new MemoryNodeTransport();
    transport.machines.set('198.18.0.2:22', agent.machine);
    await put(cluster({ nodes: { monitorGracePeriodSeconds: 1 } }));
    await put(machine('n1'));
    await put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { podCIDR: '198.19.1.0/24' } });
    sync = await start();
    await w.until(
      () =>
        nodeCondition('AssignmentSynced')?.status === 'True' &&
        machineCondition()?.status === 'True' &&
        nodeCondition('Ready')?.status === 'True',
      'a synced node',
    );
    // Nothing of the node's own word is left for a later edition of what all nodes hold. That form comes before the node's own, which may come alone.
    await agent.until(() =>
      agent.updates.some(({ upsert }) => {
        const [shared, own] = upsert.filter((object) => object.kind === 'Node');
        return own !== undefined && shared?.status?.addresses !== undefined;
      }),
    );
  });
  afterEach(async () => {
    await sync.close(100);
    await w.close();
  });

  it("writes a pod's report down, and keeps the scheduler's condition", async () => {
    const p = await put({
      ...pod('p', { nodeName: 'n1' }),
      status: { phase: 'Pending' as const, conditions: [{ type: 'PodScheduled', status: 'True' as const }] },
    });
    await agent.until(() => agent.objects.has('pods/default/p'));
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
    assert.deepEqual(
      podNow('p')?.status?.conditions?.map((c) => c.type),
      ['PodScheduled', 'Ready'],
    );
  });

  it('knows a Machine by host name where it is reached, against what its agent and others say', async () => {
    const addressOf = (node: string) => {
      const status = w.cache.get(objectKey('Node', undefined, node))?.status;
      return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    };
    const other = new FakeAgent();
    other.machine.address = '198.18.0.7';
    transport.machines.set('n7.example.com:22', other.machine);
    // Before the machine is there, another one says that its address were its own.
    agent.say({ type: 'node', node: { ...NODE_REPORT, internalIP: '198.18.0.7', message: 'a liar' } });
    await w.until(() => addressOf('n1') === '198.18.0.7', 'the lie');
    await put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n7' }, spec: { podCIDR: '198.19.7.0/24' } });
    await put(machine('n7', { address: 'n7.example.com' }));
    await w.until(() => addressOf('n7') !== undefined, 'its address');
    assert.equal(addressOf('n7'), '198.18.0.7');
    agent.say({ type: 'node', node: { ...NODE_REPORT, internalIP: '198.18.0.7', message: 'still a liar' } });
    await w.until(() => addressOf('n1') !== '198.18.0.7', 'the end of the lie');

    // It moves, and its name with it.
    other.machine.address = '198.18.0.8';
    other.machine.dropConnections();
    await w.until(() => addressOf('n7') === '198.18.0.8', 'its new address');
  });

  it('writes many reports at once, the newest of each pod', async () => {
    const pods = await Promise.all(Array.from({ length: 30 }, (_, i) => put(pod(`p${i}`, { nodeName: 'n1' }))));
    const before = w.state.version;
    agent.say(...pods.flatMap((p) => [report(p, { phase: 'Pending' }), report(p, running)]));
    await w.until(() => pods.every((p) => podNow(p.metadata.name)?.status?.phase === 'Running'), 'all running');
    assert.ok(w.state.version - before < 30 * 2);
  });

  it('writes no more of what a node says of itself than has its turn, and the newest in the end', async () => {
    const before = w.state.version;
    for (let line = 0; line < 300; line += 1) {
      agent.say({ type: 'node', node: { ...NODE_REPORT, ready: false, message: `line ${line}` } });
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await w.until(() => nodeCondition('Ready')?.message === 'line 299', 'the newest line');
    assert.ok(w.state.version - before < 60, String(w.state.version - before));
  });

  it("takes another writer's change into account instead of losing to it", async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    const write = w.store.write.bind(w.store);
    let raced = false;
    w.store.write = async (ops, signal) => {
      if (!raced && ops.some((op) => op.op === 'updateStatus' && op.object.kind === 'Pod')) {
        raced = true;
        const current = await w.other.get(keyOf(p));
        assert.ok(current);
        await w.other.write([
          { op: 'update', object: { ...current, metadata: { ...current.metadata, labels: { from: 'another' } } } },
        ]);
      }
      return write(ops, signal);
    };
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
    assert.equal(raced, true);
    assert.deepEqual(podNow('p')?.metadata.labels, { from: 'another' });
  });

  it('removes a pod that its node has stopped, and only then', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    await w.writer.submit([{ do: 'delete', key: keyOf(p), uid: p.metadata.uid, graceSeconds: 1 }], 'test', w.signal);
    await agent.until(() => agent.objects.get('pods/default/p')?.metadata.deletionTimestamp !== undefined);
    assert.ok(podNow('p'));
    agent.say(gone(p));
    await w.until(() => podNow('p') === undefined, 'the pod removed');
    await agent.until(() => !agent.objects.has('pods/default/p'));
  });

  it('gives a stopped pod that a finalizer holds its final status, and lets it go with the finalizer', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }, { finalizers: ['example.com/x'] }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
    await w.writer.submit([{ do: 'delete', key: keyOf(p), uid: p.metadata.uid, graceSeconds: 1 }], 'test', w.signal);
    agent.say(gone(p));
    await w.until(() => podNow('p')?.metadata.deletionGracePeriodSeconds === undefined, 'the end noted');
    const held = podNow('p');
    assert.equal(held?.status?.phase, 'Failed');
    assert.equal(findCondition(held.status.conditions, 'Ready')?.status, 'False');
    const { finalizers: _none, ...metadata } = held.metadata;
    await w.writer.submit([{ do: 'update', object: { ...held, metadata } }], 'test', w.signal);
    await w.until(() => podNow('p') === undefined, 'the pod removed');
  });

  it('tells a node that its pod ends once the rules of all nodes have let go of it', async () => {
    const other = new FakeAgent();
    transport.machines.set('198.18.0.3:22', other.machine);
    await put(machine('n2', { address: '198.18.0.3' }));
    const p = await put(pod('p', { nodeName: 'n1' }));
    const before = await put(sliceOf(p, false));
    const hasIt = (agents: readonly FakeAgent[]): boolean =>
      agents.every(({ objects }) => JSON.stringify(objects.get(keyOf(before)))?.includes('"terminating":true'));
    const enforce = (of: FakeAgent): void => {
      of.say({ type: 'node', node: { ...NODE_REPORT, networkVersion: of.version } });
    };
    await w.writer.submit([{ do: 'delete', key: keyOf(p), uid: p.metadata.uid, graceSeconds: 20 }], 'test', w.signal);
    await w.change(objectKey('EndpointSlice', 'default', before.metadata.name), ({ metadata }) => ({
      ...(sliceOf(p, true) as StoredOf<'EndpointSlice'>),
      metadata,
    }));
    await Promise.all([agent, other].map((one) => one.until(() => hasIt([one]))));
    enforce(agent);
    // Something that comes after it on the same way: had the agent been told, it would be by now.
    await put(pod('later', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/later'));
    assert.equal(agent.objects.get('pods/default/p')?.metadata.deletionTimestamp, undefined);
    enforce(agent);
    enforce(other);
    await agent.until(() => agent.objects.get('pods/default/p')?.metadata.deletionGracePeriodSeconds === 20);
  });

  it('fails a pod that is gone though nobody asked', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    agent.say(gone(p));
    await w.until(() => podNow('p')?.status?.reason === 'PodLost', 'a lost pod');
    assert.equal(podNow('p')?.status?.phase, 'Failed');
  });

  it('passes events on, of pods that are still the same', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    const event = {
      namespace: 'default',
      name: 'p',
      uid: p.metadata.uid,
      type: 'Warning' as const,
      reason: 'BackOff',
      message: 'again',
      at: '2026-01-01T00:00:00Z',
      count: 3,
    };
    agent.say({ type: 'event', event: { ...event, uid: 'another', reason: 'Wrong' } }, { type: 'event', event });
    await w.until(() => w.cache.list('Event').some((e) => e.reason === 'BackOff'), 'the event');
    assert.equal(w.cache.list('Event').find((e) => e.reason === 'BackOff')?.count, 3);
    assert.equal(
      w.cache.list('Event').some((e) => e.reason === 'Wrong'),
      false,
    );
  });

  it("passes events of the machine on as the Node's", async () => {
    agent.say({
      type: 'node-event',
      event: {
        type: 'Warning',
        reason: 'PacketFilterRepaired',
        message: 'written again',
        at: '2026-01-01T00:00:00Z',
        count: 1,
      },
    });
    await w.until(() => w.cache.list('Event').some((e) => e.reason === 'PacketFilterRepaired'), 'the event');
    const { kind, name } = w.cache.list('Event').find((e) => e.reason === 'PacketFilterRepaired')?.involvedObject ?? {};
    assert.deepEqual([kind, name], ['Node', 'n1']);
  });

  it('keeps the images that a node tells of', async () => {
    const images = (): unknown => w.cache.get('nodes//n1')?.status?.images;
    const list = [{ names: ['app@sha256:1', 'app:1'], sizeBytes: 5_000_000_000 }];
    agent.say({ type: 'images', images: list });
    await w.until(() => images() !== undefined, 'images');
    assert.deepEqual(images(), list);
    agent.say({ type: 'node', node: { ...NODE_REPORT, hostname: 'renamed' } });
    await w.until(
      () => w.cache.get('nodes//n1')?.status?.addresses?.some(({ address }) => address === 'renamed') ?? false,
      'the new name',
    );
    assert.deepEqual(images(), list);
    agent.say({ type: 'images', images: [...list, { names: ['b:1'], sizeBytes: 1 }] });
    await w.until(() => w.cache.get('nodes//n1')?.status?.images?.length === 2, 'two images');
  });

  it('sends nothing for a status or a heartbeat', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    // What all nodes hold of this one, its address, comes by a sweep: in its own time.
    const isHeldByAll = (one: KubeObject): boolean =>
      one.kind === 'Node' && one.status?.addresses !== undefined && one.status.allocatable === undefined;
    await agent.until(() => agent.updates.some(({ upsert }) => upsert.some(isHeldByAll)));
    const updates = agent.updates.length;
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
    const beat = nodeCondition('Ready')?.lastHeartbeatTime;
    await w.until(() => nodeCondition('Ready')?.lastHeartbeatTime !== beat, 'a heartbeat');
    assert.equal(agent.updates.length, updates);
  });

  it('writes no beat down that somebody hears as it comes, but what else the node says', async () => {
    await sync.close(100);
    let heard = (): void => undefined;
    sync = await start(EPOCH, () => {
      heard();
    });
    await w.until(() => sync.connectionTo('n1') !== undefined, 'a connection');
    agent.say({ type: 'node', node: { ...NODE_REPORT, hostname: 'first' } });
    const hostname = () =>
      w.cache.get('nodes//n1')?.status?.addresses?.find(({ type }) => type === 'Hostname')?.address;
    await w.until(() => hostname() === 'first', 'the first word');
    const { version } = w.state;
    // The agent says nothing and is asked at the pace at which beats would be written.
    let beats = 0;
    await inTime(
      'beats',
      10_000,
      new Promise<void>((resolve) => {
        heard = () => {
          if (++beats === 3) resolve();
        };
      }),
    );
    assert.equal(w.state.version, version);
    agent.say({ type: 'node', node: { ...NODE_REPORT, hostname: 'second' } });
    await w.until(() => hostname() === 'second', 'the next word');
  });

  it('sends everything when the agent is not where it was, also when it says so in between', async () => {
    agent.version = 'somewhere else';
    agent.objects.clear();
    await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p') && agent.objects.has('nodes//n1'));
    assert.equal(agent.updates.at(-1)?.from, null);
  });

  it('shows on the Node why an assignment was not taken, and that it was in the end', async () => {
    agent.refuse = { status: 500, code: 'DiskFull' };
    await put(pod('p', { nodeName: 'n1' }));
    await w.until(() => nodeCondition('AssignmentSynced')?.status === 'False', 'AssignmentSynced False');
    assert.match(nodeCondition('AssignmentSynced')?.message ?? '', /DiskFull/);
    agent.refuse = undefined;
    await w.until(() => nodeCondition('AssignmentSynced')?.status === 'True', 'AssignmentSynced True');
    assert.ok(agent.objects.has('pods/default/p'));
  });

  it('does not talk over a control plane with a newer store', async () => {
    agent.epoch = EPOCH + 1;
    await put(pod('p', { nodeName: 'n1' }));
    await w.until(() => nodeCondition('AssignmentSynced')?.reason === 'StaleEpoch', 'StaleEpoch');
    assert.equal(agent.objects.has('pods/default/p'), false);
  });

  it('goes on after the agent was restarted on the same connection, and after a lost one', async () => {
    const streams = agent.streams;
    agent.endStreams();
    await agent.until(() => agent.streams === streams + 1);
    agent.machine.dropConnections();
    const p = await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p') && agent.streams === streams + 2);
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
  });

  it('says when the machine cannot be reached, and when it can again', async () => {
    transport.machines.clear();
    agent.machine.dropConnections();
    await w.until(() => machineCondition()?.reason === 'NodeUnreachable', 'NodeUnreachable');
    assert.equal(nodeCondition('Connected')?.status, 'False');
    assert.equal(sync.connectionTo('n1'), undefined);
    transport.machines.set('198.18.0.2:22', agent.machine);
    await w.until(() => machineCondition()?.status === 'True', 'connected');
    assert.ok(sync.connectionTo('n1'));
  });

  it('asks an agent that is quiet, and counts its answer, but nothing else, as a sign of life', async () => {
    const beat = nodeCondition('Ready')?.lastHeartbeatTime;
    await w.until(() => nodeCondition('Ready')?.lastHeartbeatTime !== beat, 'a heartbeat without a line');
    agent.machine.sockets.delete(NODE_PATHS.socket);
    const last = nodeCondition('Ready')?.lastHeartbeatTime ?? '';
    await w.clock.sleep(700);
    assert.ok(Date.parse(nodeCondition('Ready')?.lastHeartbeatTime ?? '') - Date.parse(last) <= 300);
  });

  it('takes nothing from a node on the word of a store that was emptied', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    const updates = agent.updates.length;
    w.state.flush();
    await assert.rejects(w.cache.write([{ op: 'delete', key: keyOf(p), uid: p.metadata.uid }]));
    assert.equal(agent.updates.length, updates);
    assert.ok(agent.objects.has('pods/default/p'));
  });

  describe('after a recovery that the node did not answer', () => {
    const template = deployment().spec.template;
    const set = replicaSetWith(stored<'Deployment'>(deployment()), template, 'bcdfg');
    const claimed: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web-bcdfg-1',
        namespace: 'default',
        uid: 'kept',
        creationTimestamp: '2026-01-01T00:00:00Z',
        labels: set.spec.template.metadata.labels,
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-bcdfg', uid: 'earlier', controller: true },
        ],
      },
      spec: { ...template.spec, nodeName: 'n1' },
    };
    const restart = async (): Promise<void> => {
      await sync.close(100);
      await put({ ...set, spec: { ...set.spec, replicas: 1 } });
      const node = w.cache.get(objectKey('Node', undefined, 'n1'))!;
      await w.cache.write([
        {
          op: 'updateStatus',
          object: { ...node, status: { ...node.status, conditions: [{ type: 'PodsKnown', status: 'False' }] } },
        },
      ]);
      agent.objects.set(keyOf(claimed), claimed);
      agent.version = 'of the store before';
      sync = await start();
    };

    it('takes its pods in before it sends it an assignment', async () => {
      await restart();
      await w.until(
        () => nodeCondition('AssignmentSynced')?.status === 'True' && nodeCondition('PodsKnown')?.status === 'True',
        'synced and known',
      );
      assert.equal(podNow('web-bcdfg-1')?.metadata.uid, 'kept');
      assert.ok(agent.objects.has(keyOf(claimed)));
      assert.equal(agent.lost.includes(keyOf(claimed)), false, 'it never had to stop it');
    });

    it('takes in no more pods than the node can have, also of those that are being ended', async () => {
      await put({ ...set, spec: { ...set.spec, replicas: 0 } });
      const claims = Array.from({ length: 300 }, (_, index) =>
        Claim.parse({
          ...claimed,
          metadata: {
            ...claimed.metadata,
            name: `web-bcdfg-${index}`,
            uid: `kept-${index}`,
            deletionTimestamp: '2026-01-01T00:00:30Z',
          },
        }),
      );
      assert.equal(
        await importLate('n1', { claims, pods: [] }, { cache: w.cache, clock: w.clock, signal: w.signal }),
        220,
      );
    });
  });

  it('does not talk to an agent that claims an absurd epoch', async () => {
    agent.epoch = 2 ** 53 - 1;
    agent.machine.dropConnections();
    await w.until(() => machineCondition()?.reason === 'EpochImplausible', 'the reason on the Machine');
  });

  it('writes a report that the store first refuses, whatever the reason', async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    const write = w.store.write.bind(w.store);
    let refused = 0;
    w.store.write = async (ops, signal) => {
      if (refused < 2 && ops.some((op) => op.op === 'updateStatus' && op.object.kind === 'Pod')) {
        refused += 1;
        throw new Error('OOM command not allowed');
      }
      return write(ops, signal);
    };
    agent.say(report(p, running));
    await w.until(() => podNow('p')?.status?.phase === 'Running', 'a running pod');
    assert.equal(refused, 2);
  });

  it("takes from a node no address of another's, and no event of a pod that is not its own", async () => {
    const p = await put(pod('p', { nodeName: 'n1' }));
    const other = await put(pod('other', { nodeName: 'n2' }));
    const event = (of: Stored, reason: string) => ({
      type: 'event' as const,
      event: {
        namespace: 'default',
        name: of.metadata.name,
        uid: of.metadata.uid,
        type: 'Normal' as const,
        reason,
        message: 'x'.repeat(10_000),
        at: '2026-01-01T00:00:00Z',
        count: 1,
      },
    });
    agent.say(event(other, 'Foreign'), event(p, 'Own'), report(p, { ...running, podIP: '198.19.2.2' }));
    await w.until(
      () => podNow('p')?.status?.phase === 'Running' && w.cache.list('Event').some(({ reason }) => reason === 'Own'),
      'the report and the event',
    );
    assert.equal(podNow('p')?.status?.podIP, undefined);
    assert.ok(w.cache.list('Event').every(({ reason, message }) => reason !== 'Foreign' && message.length <= 1024));
  });

  it('does not ask again and again for a stream that ends at once', async () => {
    const pauses: number[] = [];
    const sleep = w.clock.sleep.bind(w.clock);
    w.clock.sleep = (ms, signal) => {
      pauses.push(ms);
      return sleep(ms, signal);
    };
    agent.closeStreams = true;
    const before = agent.streams;
    agent.endStreams();
    await agent.until(() => agent.streams >= before + 5);
    assert.deepEqual(
      [100, 200, 400].filter((ms) => !pauses.includes(ms)),
      [],
    );
  });

  it('tells the agent of a machine that was removed to stop everything', async () => {
    await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    const uid = w.cache.get(objectKey('Machine', undefined, 'n1'))?.metadata.uid ?? '';
    await w.cache.write([{ op: 'delete', key: objectKey('Machine', undefined, 'n1'), uid }]);
    await agent.until(() => agent.objects.size === 0);
    assert.equal(agent.version, 'retired');
  });

  describe('the agent of a removed machine whose pods another node sends to', () => {
    let other: FakeAgent;
    let p: Stored;
    let slice: Stored;
    const enforce = (): void => {
      other.say({ type: 'node', node: { ...NODE_REPORT, networkVersion: other.version } });
    };
    const remove = async (...more: readonly Stored[]): Promise<void> => {
      const n1 = w.cache.get(objectKey('Machine', undefined, 'n1'));
      assert.ok(n1);
      await w.cache.write(
        [n1, ...more].map((object) => ({ op: 'delete', key: keyOf(object), uid: object.metadata.uid })),
      );
    };
    const letGo = async (): Promise<void> => {
      await w.cache.write([{ op: 'delete', key: keyOf(slice) }]);
      await other.until(() => !other.objects.has(keyOf(slice)));
      assert.ok(agent.objects.has(keyOf(p)), 'the other node may still send to the pod');
      enforce();
    };

    beforeEach(async () => {
      other = new FakeAgent();
      transport.machines.set('198.18.0.3:22', other.machine);
      await put(machine('n2', { address: '198.18.0.3' }));
      p = await put(pod('p', { nodeName: 'n1' }));
      slice = await put(sliceOf(p, false));
      await Promise.all([agent, other].map((one) => one.until(() => one.objects.has(keyOf(slice)))));
      enforce();
    });

    it('is told so once the rules there have let go of them', async () => {
      await remove(p);
      await letGo();
      await agent.until(() => agent.objects.size === 0);
      assert.equal(agent.version, 'retired');
    });

    it('is heard once when it comes back before that, and told so when it is removed again', async () => {
      const { streams } = agent;
      await remove();
      await put(machine('n1'));
      await agent.until(() => agent.streams > streams && agent.listeners === 1);
      await remove(p);
      await letGo();
      await agent.until(() => agent.listeners === 0);
      assert.equal(agent.version, 'retired');
    });
  });

  for (const [what, begin] of Object.entries({
    'a push': async () => put(pod('p', { nodeName: 'n1' })),
    'the word that its machine was removed': async () =>
      w.cache.write([
        {
          op: 'delete',
          key: objectKey('Machine', undefined, 'n1'),
          uid: w.cache.get(objectKey('Machine', undefined, 'n1'))?.metadata.uid ?? '',
        },
      ]),
  })) {
    it(`is closed at once though the agent does not answer ${what}`, async () => {
      agent.mute = true;
      const updates = agent.updates.length;
      await begin();
      await agent.until(() => agent.updates.length > updates);
      await inTime('close', 1000, sync.close(60_000));
    });
  }

  it('started again, sends a known agent nothing but the new epoch', async () => {
    await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
    await sync.close(100);
    const updates = agent.updates.length;
    sync = await start(EPOCH + 1);
    await agent.until(() => agent.epoch === EPOCH + 1);
    assert.deepEqual(
      agent.updates.slice(updates).map(({ upsert, remove }) => [upsert.length, remove.length]),
      [[0, 0]],
    );
  });
});
