import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { PodReport } from '../../../contracts/agent/index.ts';
import { objectKey, type PodStatus, type Stored } from '../../../contracts/objects/index.ts';
import { StatusWriter } from '../../../reconciler/controllers/nodes/status-writer.ts';
import { pod } from '../controllers/objects.ts';
import { world, type World } from '../runtime/world.ts';

const running: PodStatus = { phase: 'Running', podIP: '198.19.1.2' };

describe('StatusWriter', () => {
  let w: World;
  let writer: StatusWriter;
  beforeEach(async () => {
    w = await world();
    writer = new StatusWriter({ cache: w.cache, clock: w.clock, log: w.log });
  });
  afterEach(async () => {
    await writer.close();
    await w.close();
  });

  const make = async (count: number): Promise<readonly Stored[]> => {
    const results = await w.cache.write(
      Array.from({ length: count }, (_, n) => ({ op: 'create' as const, object: pod(`p-${n}`, { nodeName: 'n1' }) })),
    );
    return results.flatMap((result) => (result.ok ? [result.object as Stored] : []));
  };
  const report = ({ metadata: { name, uid } }: Stored, status: PodStatus): PodReport => ({
    namespace: 'default',
    name,
    uid,
    gone: false,
    status,
  });

  it("keeps no word of a node on a pod that is another's, so that it pushes out none of the pod's own node", async () => {
    const [p] = await make(1);
    assert.ok(p);
    const status = (): PodStatus | undefined => w.cache.get(objectKey('Pod', 'default', 'p-0'))?.status;
    writer.pod('n1', report(p, running));
    writer.pod('n2', report(p, { phase: 'Failed' }));
    await w.until(() => status() !== undefined, 'a status');
    assert.equal(status()?.phase, 'Running');
  });

  it('writes thousands of reports of one moment in rounds, and all of them', async () => {
    const pods = await make(250);
    const write = w.store.write.bind(w.store);
    const rounds: number[] = [];
    w.store.write = async (ops, signal) => {
      rounds.push(ops.length);
      return write(ops, signal);
    };
    for (const p of pods) writer.pod('n1', report(p, running));
    await w.until(() => w.cache.list('Pod').every(({ status }) => status?.phase === 'Running'), 'all statuses');
    assert.deepEqual(rounds, [100, 100, 50]);
  });
});
