/** NodeSync and recovery with the real agent over real SSH; store and queue in memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import {
  isCustom,
  findCondition,
  keyOf,
  objectKey,
  type KubeObject,
  type Machine,
  type ObjectKey,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { MemoryObjectStore } from '../../../reconciler/adapters/memory/object-store.ts';
import { FilePayloads } from '../../../reconciler/adapters/payload/payloads.ts';
import { SshNodeTransport } from '../../../reconciler/adapters/ssh/transport.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { AgentClient } from '../../../reconciler/controllers/nodes/agent-client.ts';
import { SHARDS } from '../../../reconciler/core/leases/shards.ts';
import { NodeSync } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { recover } from '../../../reconciler/controllers/recovery.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { claim } from '../../support/claim.ts';
import { inTime } from '../../support/in-time.ts';
import { startMachine, type TestMachine } from '../../support/ssh/machine.ts';
import { cluster, machine as machineManifest, pod, service } from '../../unit/controllers/objects.ts';
import { world, type World } from '../../unit/runtime/world.ts';
import { polled } from '../../support/patience.ts';

/** Of this machine, behind which the other one's sshd is; of the other one; and a name that every resolver knows. */
const REACHED = '198.18.79.1';
const OWN = '192.0.2.9';
const NAME = '198.18.20225';

describe('following a node', () => {
  let release: () => Promise<void>;
  let box: TestMachine;
  let w: World;
  let transport: SshNodeTransport;
  let sync: NodeSync;
  let machine: Machine;
  const signal = new AbortController().signal;
  const conditionOf = (type: string) =>
    findCondition(w.cache.get(objectKey('Node', undefined, 'box'))?.status?.conditions, type);
  const addressOfNode = () =>
    w.cache.get(objectKey('Node', undefined, 'box'))?.status?.addresses?.find(({ type }) => type === 'InternalIP')
      ?.address;
  const put = async (object: KubeObject): Promise<Stored> => {
    const [result] = await w.cache.write([{ op: 'create', object }]);
    assert.ok(result?.ok, JSON.stringify(result));
    assert.ok(!isCustom(result.object));
    return result.object;
  };
  const agentHas = async (look: (keys: readonly ObjectKey[]) => boolean): Promise<void> => {
    for (;;) {
      const connection = sync.connectionTo('box');
      const keys = connection
        ? await new AgentClient(connection, w.clock).inventory(signal).then(
            (i) => i.keys,
            () => [],
          )
        : [];
      if (look(keys)) return;
      await w.clock.sleep(5, signal);
    }
  };
  const start = async (): Promise<NodeSync> => {
    const made = new NodeSync({
      cache: w.cache,
      store: w.store,
      recorder: w.recorder,
      queue: w.queue,
      transport,
      payloads: new FilePayloads(),
      clock: w.clock,
      log: w.log,
      incarnation: w.state.incarnation ?? '',
    });
    await made.start(signal);
    const epoch = Date.now();
    for (let shard = 0; shard < SHARDS; shard += 1) made.take(shard, epoch);
    return made;
  };

  before(async () => {
    execFileSync('node', ['build.mjs']);
    release = await claim(`the address ${REACHED}`);
    execFileSync('ip', ['address', 'replace', `${REACHED}/32`, 'dev', 'lo']);
    box = await startMachine(REACHED);
    box.inside('ip', 'link', 'add', 'uplink0', 'type', 'veth', 'peer', 'name', 'uplink1');
    box.inside('ip', 'address', 'add', `${OWN}/24`, 'dev', 'uplink0');
    for (const device of ['uplink0', 'uplink1']) box.inside('ip', 'link', 'set', device, 'up');
    w = await world();
    transport = new SshNodeTransport({ privateKey: box.privateKey, log: w.log, clock: w.clock });
    const { address, port, hostKey } = box.target('box');
    machine = machineManifest('box', { address, port, hostKey, maxPods: 5, reserved: { cpu: '100m' } });
    sync = await start();
  });
  after(async () => {
    await sync.close(1000);
    await w.close();
    await transport.close();
    await box.stop();
    execFileSync('ip', ['address', 'delete', `${REACHED}/32`, 'dev', 'lo']);
    await release();
  });

  it('connects to a new Machine, installs the agent and fills in the Node', async () => {
    await put(cluster({ nodes: { monitorGracePeriodSeconds: 4 } }));
    await put(machine);
    await put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'box' }, spec: { podCIDR: '198.19.1.0/24' } });
    await w.until(
      () =>
        conditionOf('Connected')?.status === 'True' &&
        conditionOf('AssignmentSynced')?.status === 'True' &&
        conditionOf('Ready') !== undefined,
      'connected, assigned, reported',
      60,
    );
    const node = w.cache.get(objectKey('Node', undefined, 'box'));
    assert.equal(node?.status?.capacity?.['pods'], '5');
    assert.equal(node.status.nodeInfo?.architecture === 'amd64' || node.status.nodeInfo?.architecture === 'x64', true);
    assert.equal(
      findCondition(w.cache.get(objectKey('Machine', undefined, 'box'))?.status?.conditions, 'Connected')?.status,
      'True',
    );
    // Nobody runs containers there.
    assert.equal(conditionOf('Ready')?.status, 'False');
  });

  it('sends a bound pod at once, not at a poll', async () => {
    const times: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const began = performance.now();
      const made = await put(
        pod(`p${i}`, {
          nodeName: 'box',
          containers: [
            {
              name: 'app',
              image: 'registry.invalid/app:v1',
              envFrom: [{ configMapRef: { name: 'env', optional: true } }],
            },
          ],
        }),
      );
      await agentHas((keys) => keys.includes(keyOf(made)));
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    console.log(`bound to held by the agent: median ${times[5]?.toFixed(1)} ms, worst ${times.at(-1)?.toFixed(1)} ms`);
    // Anything that only a timer moves takes seconds.
    assert.ok((times[5] ?? Infinity) < 750, `median ${times[5]} ms`);
  });

  it('knows the node by what it tells, and by host name where it is reached', async () => {
    const atAddress = (address: string): Promise<void> =>
      w.change(objectKey('Machine', undefined, 'box'), (before) => ({ ...before, spec: { ...before.spec, address } }));
    assert.equal(addressOfNode(), OWN);
    await atAddress(NAME);
    await w.until(() => addressOfNode() === REACHED, 'the address that the name stands for', 30);
    await atAddress(REACHED);
    await w.until(() => addressOfNode() === OWN, 'the address that the node tells', 30);
  });

  it('beats at the pace of the grace period', async () => {
    const first = conditionOf('Ready')?.lastHeartbeatTime;
    await w.until(() => conditionOf('Ready')?.lastHeartbeatTime !== first, 'a heartbeat');
    const second = Date.parse(conditionOf('Ready')?.lastHeartbeatTime ?? '');
    assert.ok(second - Date.parse(first ?? '') < 8000);
  });

  it('comes back after a lost connection and sends what was missed', async () => {
    const before = sync.connectionTo('box');
    box.dropConnections();
    await before?.closed;
    const made = await put(service('while-away'));
    await agentHas((keys) => keys.includes(keyOf(made)));
    assert.notEqual(sync.connectionTo('box'), before);
  });

  it('notices within 20 s that a machine fell silent, and comes back with one connection', async () => {
    const before = sync.connectionTo('box');
    assert.ok(before);
    const sent = box.silence();
    await inTime('notice', 20_000, before.closed);
    await sent;
    box.speak();
    const made = await put(service('after-silence'));
    await agentHas((keys) => keys.includes(keyOf(made)));
    assert.notEqual(sync.connectionTo('box'), before);
    await w.until(() => box.connections() === 1, 'one connection');
  });

  it('starts again without sending anything to an agent that is up to date', async () => {
    const version = (await new AgentClient(sync.connectionTo('box')!, w.clock).info(signal)).assignmentVersion;
    const moved = () =>
      box
        .inside('cat', '/var/log/plumbline/agent.log')
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.includes('assignment moved'))
        .map((line) => JSON.parse(line) as { upserts: number; removals: number });
    await sync.close(1000);
    const before = moved();
    sync = await start();
    while (!sync.connectionTo('box')) await w.clock.sleep(5, signal);
    const info = await new AgentClient(sync.connectionTo('box')!, w.clock).info(signal);
    assert.equal(info.assignmentVersion, version);
    const now = await polled('no assignment moved', () => moved().slice(before.length).at(0) && moved(), {
      timeoutMs: 30_000,
    });
    for (const { upserts, removals } of now.slice(before.length)) assert.deepEqual([upserts, removals], [0, 0]);
  });

  it('rebuilds an empty store from what the agent holds', async () => {
    const { podCIDR } = w.cache.get(objectKey('Node', undefined, 'box'))?.spec ?? {};
    const store = new MemoryObjectStore({ clock: w.clock, ids: new CryptoIds() });
    await store.open(signal);
    const absent = machineManifest('absent', { address: '127.0.0.1', port: 1, hostKey: machine.spec.hostKey });
    const began = performance.now();
    const written: readonly KubeObject[] = [
      service('while-away'),
      ...Array.from({ length: 10 }, (_, i) =>
        pod(`p${i}`, {
          containers: [
            {
              name: 'app',
              image: 'registry.invalid/app:v1',
              envFrom: [{ configMapRef: { name: 'env', optional: true } }],
            },
          ],
        }),
      ),
      cluster({ network: { podCIDR: '198.19.0.0/16' } }),
    ];
    const state: DesiredState = new Map(
      written.map((object) => [
        keyOf(object),
        { key: keyOf(object), object, written: { ...object }, position: { file: 'all.yaml', line: 1, column: 1 } },
      ]),
    );
    const { epoch, answered, unanswered, refused } = await recover({
      store,
      incarnation: 'new',
      machines: [machine, absent],
      source: { name: 'main', url: 'git', branch: 'main' },
      history: { applied: async () => ({ revision: undefined, state }), templates: async () => new Map() },
      transport,
      clock: w.clock,
      log: w.log,
      signal,
      perNodeTimeoutMs: 10_000,
    });
    assert.deepEqual(refused, []);
    assert.ok(performance.now() - began < 60_000);
    assert.deepEqual([answered, unanswered], [['box'], ['absent']]);
    assert.ok(epoch > (await new AgentClient(sync.connectionTo('box')!, w.clock).info(signal)).epoch);
    for (const before of w.cache.list('Pod')) {
      const after = await store.get(keyOf(before));
      assert.equal(after?.metadata.uid, before.metadata.uid);
      assert.equal(after.metadata.creationTimestamp, before.metadata.creationTimestamp);
    }
    const node = await store.get(objectKey('Node', undefined, 'box'));
    assert.equal(node?.kind === 'Node' && node.spec.podCIDR, podCIDR);
    assert.ok(await store.get(objectKey('Service', 'default', 'while-away')));
  });

  it('tells the agent to stop everything when the Machine is removed', async () => {
    const watching = await transport.connect(box.target('watcher'), signal);
    const stored = w.cache.get(objectKey('Machine', undefined, 'box'));
    await w.cache.write([
      { op: 'delete', key: objectKey('Machine', undefined, 'box'), uid: stored?.metadata.uid ?? '' },
    ]);
    const client = new AgentClient(watching, w.clock);
    while ((await client.inventory(signal)).keys.length > 0) await w.clock.sleep(10, signal);
    await w.until(() => sync.connectionTo('box') === undefined, 'the connection let go');
    await watching.close();
  });

  it('says on the Machine that its host key changed, and tries again when the Machine is corrected', async () => {
    const wrong = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
    await put({ ...machine, metadata: { name: 'wrong' }, spec: { ...machine.spec, hostKey: wrong } });
    const key = objectKey('Machine', undefined, 'wrong');
    const connected = () => findCondition(w.cache.get(key)?.status?.conditions, 'Connected');
    await w.until(() => connected()?.reason === 'HostKeyChanged', 'HostKeyChanged');
    assert.match(connected()?.message ?? '', /SHA256:.*expected SHA256:/);
    await w.until(() => w.cache.list('Event').some((event) => event.reason === 'HostKeyChanged'), 'an event');
    await w.change(key, (before) => ({ ...before, spec: machine.spec }));
    await w.until(() => connected()?.status === 'True', 'connected after the correction');
  });
});
