/** How tokens of pods reach the agents of their nodes, and nobody else. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { keyOf, type KubeObject, type ObjectKey, type Stored } from '../../../contracts/objects/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { SigningKey } from '../../../reconciler/core/service-accounts/signing-key.ts';
import { cluster, machine, pod } from '../controllers/objects.ts';
import { world } from '../runtime/world.ts';
import { FakeAgent } from './fake-agent.ts';
import { startSync, takeAll } from './sync.ts';

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const KEY = 'secrets/default/p:tokens' as ObjectKey;
const ADDRESSES = { n1: '198.18.0.2', n2: '198.18.0.3' };

describe('tokens of a pod', () => {
  it('come to the node of the pod alone, are in no store, are the same after a restart, and go with the pod', async () => {
    const w = await world();
    const put = async <T extends KubeObject>(object: T): Promise<Stored<T>> => {
      const [result] = await w.cache.write([{ op: 'create', object }]);
      assert.ok(result?.ok, JSON.stringify(result));
      return result.object as Stored<T>;
    };
    const transport = new MemoryNodeTransport();
    const agents = { n1: new FakeAgent(), n2: new FakeAgent() };
    await put(cluster());
    await put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } });
    for (const [index, name] of (['n1', 'n2'] as const).entries()) {
      transport.machines.set(`${ADDRESSES[name]}:22`, agents[name].machine);
      await put(machine(name, { address: ADDRESSES[name] }));
      await put({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR: `198.19.${index}.0/24` } });
    }
    const begin = async (epoch: number): ReturnType<typeof startSync> => {
      const sync = await startSync(w, transport, { tokenKey: new SigningKey(PEM.toString()) });
      takeAll(sync, epoch);
      return sync;
    };
    let sync = await begin(1);
    try {
      const volumes = [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
      const p = await put(pod('p', { nodeName: 'n1', volumes }));
      await put(pod('q', { nodeName: 'n2' }));
      await agents.n1.until(() => agents.n1.objects.has(KEY) && agents.n1.objects.has('pods/default/p'));
      await agents.n2.until(() => agents.n2.objects.has('pods/default/q'));
      const tokens = agents.n1.objects.get(KEY);
      assert.ok(tokens?.kind === 'Secret');
      assert.match(Buffer.from(tokens.data['3600:'] ?? '', 'base64').toString(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
      assert.deepEqual(
        [...agents.n2.objects.keys()].filter((key) => key.startsWith('secrets/')),
        [],
      );
      assert.deepEqual(w.cache.list('Secret'), []);

      await sync.close(100);
      sync = await begin(2);
      await put(pod('r', { nodeName: 'n1' }));
      await agents.n1.until(() => agents.n1.objects.has('pods/default/r'));
      assert.deepEqual(agents.n1.objects.get(KEY), tokens);

      const { uid, resourceVersion } = p.metadata;
      await w.cache.write([{ op: 'delete', key: keyOf(p), uid, resourceVersion }]);
      await agents.n1.until(() => !agents.n1.objects.has(KEY));
    } finally {
      await sync.close(100);
      await w.close();
    }
  });
});
