import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { keyOf, objectKey, type KubeObject, type Stored, type StoredOf } from '../../../contracts/objects/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import type { NodeSync } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { machine, pod } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';
import { FakeAgent, NODE_REPORT } from './fake-agent.ts';
import { sliceOf } from './stored.ts';
import { startSync, takeAll } from './sync.ts';

describe("a server that is the cluster's no more", () => {
  const elsewhere = { address: '198.18.0.9', hostKey: 'ssh-ed25519 BBBB' };
  let w: World;
  let transport: MemoryNodeTransport;
  let sync: NodeSync;
  let agent: FakeAgent;
  let another: FakeAgent;
  let p: Stored;
  const put = async (object: KubeObject): Promise<Stored> => {
    const [result] = await w.cache.write([{ op: 'create', object }]);
    assert.ok(result?.ok, JSON.stringify(result));
    return result.object as Stored;
  };
  const key = objectKey('Machine', undefined, 'n1');
  const remove = async (): Promise<void> => {
    const [result] = await w.cache.write([{ op: 'delete', key }]);
    assert.ok(result?.ok, JSON.stringify(result));
  };
  const change = (spec: Partial<StoredOf<'Machine'>['spec']>): Promise<void> =>
    w.change(key, (before) => ({ ...before, spec: { ...before.spec, ...spec } }));
  /** As when its power is cut; what it had it has again when it is back. */
  const powerOff = (): void => {
    transport.machines.delete('198.18.0.2:22');
    agent.machine.dropConnections();
  };
  const powerOn = (): void => {
    transport.machines.set('198.18.0.2:22', agent.machine);
  };

  beforeEach(async () => {
    w = await world();
    agent = new FakeAgent();
    transport = new MemoryNodeTransport();
    powerOn();
    await put(machine('n1'));
    sync = await startSync(w, transport);
    takeAll(sync);
    another = new FakeAgent();
    another.machine.hostKey = elsewhere.hostKey;
    transport.machines.set(`${elsewhere.address}:22`, another.machine);
    p = await put(pod('p', { nodeName: 'n1' }));
    await agent.until(() => agent.objects.has('pods/default/p'));
  });

  afterEach(async () => {
    await sync.close(100);
    await w.close();
  });

  it('is told so when another one takes its name', async () => {
    await change(elsewhere);
    await another.until(() => another.objects.has('pods/default/p'));
    await agent.until(() => agent.objects.size === 0);
    assert.equal(agent.version, 'retired');
    assert.equal(agent.listeners, 0);
  });

  it('is told so when its Machine is made anew for another one, though others still send to its pods', async () => {
    const other = new FakeAgent();
    transport.machines.set('198.18.0.3:22', other.machine);
    await put(machine('n2', { address: '198.18.0.3' }));
    const slice = await put(sliceOf(p, false));
    await other.until(() => other.objects.has(keyOf(slice)));
    other.say({ type: 'node', node: { ...NODE_REPORT, networkVersion: other.version } });
    await remove();
    await put(machine('n1', elsewhere));
    await agent.until(() => agent.objects.size === 0);
    assert.equal(agent.version, 'retired');
  });

  it('is believed nothing more of the pods that another one of its name took over', async () => {
    agent.mute = true;
    await change(elsewhere);
    await agent.until(() => agent.updates.some(({ to }) => to === 'retired'));
    const q = await put(pod('q', { nodeName: 'n1' }));
    await another.until(() => another.objects.has('pods/default/p') && another.objects.has('pods/default/q'));
    const gone = ({ metadata: { name, uid } }: Stored) => ({
      type: 'pod' as const,
      pod: { namespace: 'default', name, uid, gone: true },
    });
    const phase = (name: string) => w.cache.get(objectKey('Pod', 'default', name))?.status?.phase;
    agent.say(gone(p));
    another.say(gone(q));
    await w.until(() => phase('q') === 'Failed', 'the word of the one that has the name');
    assert.notEqual(phase('p'), 'Failed');
  });

  it('is the same one where only its address or only its host key changed: its pods go on', async () => {
    transport.machines.set('198.18.0.8:22', agent.machine);
    const { streams } = agent;
    await change({ address: '198.18.0.8' });
    await agent.until(() => agent.streams > streams && agent.listeners === 1);
    agent.machine.hostKey = 'ssh-ed25519 CCCC';
    agent.machine.dropConnections();
    await change({ hostKey: agent.machine.hostKey });
    await agent.until(() => agent.streams > streams + 1 && agent.listeners === 1);
    assert.ok(agent.updates.every(({ to }) => to !== 'retired'));
    assert.ok(agent.objects.has('pods/default/p'));
  });

  it('is told so when it is back, if it did not answer', async () => {
    powerOff();
    await remove();
    await w.until(() => sync.connectionTo('n1') === undefined, 'its session over');
    powerOn();
    await agent.until(() => agent.objects.size === 0);
    assert.equal(agent.version, 'retired');
  });

  it("is left alone when it is back as another cluster's, or as ours", async () => {
    powerOff();
    await remove();
    agent.version = 'another-cluster';
    const { asked } = agent;
    powerOn();
    await agent.until(() => agent.asked > asked);
    const { streams } = agent;
    await put(machine('n1'));
    await agent.until(() => agent.streams > streams);
    assert.ok(agent.updates.every(({ to }) => to !== 'retired'));
  });

  it('is left alone while another Machine is where it is', async () => {
    await put(machine('n2'));
    await agent.until(() => agent.listeners === 2);
    await remove();
    await agent.until(() => agent.listeners === 1);
    assert.ok(agent.updates.every(({ to }) => to !== 'retired'));
  });

  it('is left alone when it is back under another name, also where another control plane speaks to that one', async () => {
    await sync.leave(sync.shardOf('n2'));
    agent.refuse = { status: 500, code: 'InternalError' };
    const told = () => agent.updates.filter(({ to }) => to === 'retired').length;
    await remove();
    await agent.until(() => told() > 0);
    await put(machine('n2'));
    const { asked } = agent;
    await agent.until(() => agent.asked > asked);
    const before = told();
    await Promise.all([...agent.machine.connections].map(({ closed }) => closed));
    assert.equal(told(), before);
  });
});
