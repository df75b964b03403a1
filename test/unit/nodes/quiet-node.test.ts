/** A node of which nothing is heard for a while. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import type { NodeSync } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { polled } from '../../support/patience.ts';
import { cluster, machine, pod } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';
import { FakeAgent } from './fake-agent.ts';
import { EPOCH, startSync, takeAll } from './sync.ts';

/** One that is ahead of the system's from some moment on. */
class AheadClock extends SystemClock {
  ahead = 0;
  override monotonic(): number {
    return super.monotonic() + this.ahead;
  }
}

describe('a node that is quiet', () => {
  let w: World;
  let agent: FakeAgent;
  let transport: MemoryNodeTransport;
  let sync: NodeSync | undefined;
  const put = async (object: KubeObject): Promise<void> => {
    const [result] = await w.cache.write([{ op: 'create', object }]);
    assert.ok(result?.ok, JSON.stringify(result));
  };

  beforeEach(async () => {
    w = await world();
    agent = new FakeAgent();
    transport = new MemoryNodeTransport();
    transport.machines.set('198.18.0.2:22', agent.machine);
    // It is asked every two seconds, and has as long to answer.
    await put(cluster({ nodes: { monitorGracePeriodSeconds: 8 } }));
    await put(machine('n1'));
    await put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { podCIDR: '198.19.1.0/24' } });
  });
  afterEach(async () => {
    await sync?.close(100);
    await w.close();
  });

  it('brings an agent that was quiet what it missed, also where it answers and says nothing by itself', async () => {
    const clock = new AheadClock();
    // Beats that nobody writes down bring nothing along.
    const nodes = (sync = await startSync(w, transport, { clock, heard: () => undefined }));
    takeAll(nodes, EPOCH);
    await polled('a connection', () => nodes.connectionTo('n1') !== undefined, { timeoutMs: 10_000 });
    const lane = `nodes.${nodes.shardOf('n1')}` as const;
    const passes = (): number | undefined => {
      const stats = w.queue.stats().get(lane);
      return stats?.running === 0 && stats.depth === 0 ? stats.work.count : undefined;
    };
    let answer = (): void => undefined;
    agent.slow = new Promise((resolve) => (answer = resolve));
    const { asked } = agent;
    await agent.until(() => agent.asked > asked);
    clock.ahead = 60_000;
    const before = await polled('what a connection begins with was pushed', passes, { timeoutMs: 10_000 });
    await put(pod('p', { nodeName: 'n1' }));
    await polled('a push finds nobody who is heard', () => (passes() ?? before) > before, { timeoutMs: 1500 });
    answer();
    await agent.until(() => agent.objects.has('pods/default/p'));
  });
});
