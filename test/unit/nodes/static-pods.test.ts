/** How pods of a node's files come to be, change and go. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { objectKey, type KubeObject, type StoredPod } from '../../../contracts/objects/index.ts';
import { Claim } from '../../../contracts/agent/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { importLate } from '../../../reconciler/controllers/nodes/late-import.ts';
import type { NodeSync } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { cluster, machine } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';
import { FakeAgent } from './fake-agent.ts';
import { startSync, takeAll } from './sync.ts';

const text = (image: string, more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: proxy}\nspec: {containers: [{name: main, image: '${image}'}]${more}}\n`;

describe('static pods of a node', () => {
  let w: World;
  let agent: FakeAgent;
  let transport: MemoryNodeTransport;
  let sync: NodeSync;
  const put = async (object: KubeObject): Promise<void> => {
    const [result] = await w.cache.write([{ op: 'create', object }]);
    assert.ok(result?.ok, JSON.stringify(result));
  };
  const begin = async (epoch: number): Promise<void> => {
    sync = await startSync(w, transport, { execute: (steps, by, signal) => w.writer.attempt(steps, by, signal) });
    takeAll(sync, epoch);
  };
  /** Another control plane, which listens to the agent. */
  const beginAgain = async (): Promise<void> => {
    await begin(2);
    await agent.until(() => agent.epoch === 2 && agent.listeners === 1);
  };
  beforeEach(async () => {
    w = await world();
    agent = new FakeAgent();
    transport = new MemoryNodeTransport();
    transport.machines.set('198.18.0.2:22', agent.machine);
    await put(cluster());
    await put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' }, status: { phase: 'Active' } });
    const imagePullSecrets = [{ name: 'registry' }];
    await put({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: 'kube-system' },
      imagePullSecrets,
    });
    await put(machine('n1'));
    await put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { podCIDR: '198.19.1.0/24' } });
    await begin(1);
    await agent.until(() => agent.updates.length > 0 && agent.listeners === 1);
  });
  afterEach(async () => {
    await sync.close(100);
    await w.close();
  });

  const pods = (): readonly StoredPod[] => w.cache.list('Pod', 'kube-system');
  const say = (...files: readonly (readonly [name: string, text: string])[]): void =>
    agent.say({ type: 'static-pods', files: files.map(([name, content]) => ({ name, text: content })) });
  const gone = ({ metadata: { name, uid } }: StoredPod): void =>
    agent.say({ type: 'pod', pod: { namespace: 'kube-system', name, uid, gone: true } });
  const made = async (image: string): Promise<StoredPod> => {
    const is = (pod: StoredPod): boolean => pod.spec.containers[0]?.image === image;
    await w.until(() => pods().some(is), `a pod of ${image}`);
    return pods().find(is) ?? assert.fail();
  };

  it('are made, replaced with their file, and go with it', async () => {
    say(['proxy.yaml', text('proxy:1')]);
    const first = await made('proxy:1');
    assert.equal(first.metadata.name, 'proxy-n1');
    // The node would have the pull secrets of the namespace's account by writing a file.
    assert.equal(first.spec.imagePullSecrets, undefined);
    await agent.until(() => agent.objects.has('pods/kube-system/proxy-n1'));
    assert.equal(agent.objects.has('secrets/kube-system/registry'), false);

    say(['proxy.yaml', text('proxy:2')]);
    await w.until(() => pods()[0]?.metadata.deletionTimestamp !== undefined, 'the first one ends');
    assert.equal(pods().length, 1);
    gone(first);
    const second = await made('proxy:2');
    assert.notEqual(second.metadata.uid, first.metadata.uid);

    say();
    await w.until(() => pods()[0]?.metadata.deletionTimestamp !== undefined, 'it ends');
    gone(second);
    await w.until(() => pods().length === 0, 'nothing is left');
  });

  it('come back when somebody deletes them, and stay over a restart of the control plane that hears nothing', async () => {
    say(['proxy.yaml', text('proxy:1')]);
    const first = await made('proxy:1');
    const { namespace, name, uid } = first.metadata;
    await w.writer.submit(
      [{ do: 'delete', key: objectKey('Pod', namespace, name), uid, gone: true }],
      'a person',
      w.signal,
    );
    await w.until(() => pods().length === 1 && pods()[0]?.metadata.uid !== uid, 'another one');
    const [second] = pods();
    await sync.close(100);
    await beginAgain();
    say(['proxy.yaml', text('proxy:1')], ['other.yaml', text('other:1').replace('proxy', 'other')]);
    await made('other:1');
    assert.equal(pods().find(({ metadata }) => metadata.name === name)?.metadata.uid, second?.metadata.uid);
  });

  it('that are refused are told of at the node, and the others are made', async () => {
    say(['a.yaml', text('a:1', ', imagePullSecrets: [{name: registry}]')], ['b.yaml', text('b:1')]);
    await made('b:1');
    const told = () => w.cache.list('Event').find(({ reason }) => reason === 'StaticPodRefused');
    await w.until(() => told() !== undefined, 'the event');
    assert.deepEqual([told()?.involvedObject.kind, told()?.involvedObject.name], ['Node', 'n1']);
    assert.match(told()?.message ?? '', /^a\.yaml: proxy: it uses the Secret registry;/);
  });

  it('of a node that told late are followed as they are', async () => {
    say(['proxy.yaml', text('proxy:1')]);
    const { metadata, spec } = await made('proxy:1');
    const { namespace, name, uid } = metadata;
    const claim = Claim.parse({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
    await sync.close(100);
    await w.writer.submit(
      [{ do: 'delete', key: objectKey('Pod', namespace, name), uid, gone: true }],
      'nobody',
      w.signal,
    );
    assert.equal(await importLate('n1', { claims: [claim], pods: [] }, w), 1);
    assert.equal(pods()[0]?.metadata.uid, uid);
    await beginAgain();
    say(['proxy.yaml', text('proxy:1')], ['other.yaml', text('other:1').replace('proxy', 'other')]);
    await made('other:1');
    assert.deepEqual([pods().length, pods().find((pod) => pod.metadata.name === name)?.metadata.uid], [2, uid]);
  });
});
