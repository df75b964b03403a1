/** The least that Redis is asked for a pod: what is kept of it, written by the store alone. */
import { randomBytes } from 'node:crypto';
import type { Pod, StoredPod } from '../../contracts/objects/index.ts';
import { RedisObjectStore } from '../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../reconciler/adapters/system/ids.ts';
import type { WriteOp } from '../../reconciler/ports/object-store.ts';
import { startTestRedis } from '../../test/support/redis.ts';
import { callsBetween, callsOf, type Calls } from './commands.ts';

/** Created, bound to a node, reported as running: three writes a pod, as many pods at once as a script takes. */
export async function floorFor(pods: number): Promise<Calls> {
  if (pods === 0) return new Map();
  const signal = AbortSignal.timeout(60_000);
  const redis = await startTestRedis();
  const [clock, ids] = [new SystemClock(), new CryptoIds()];
  const store = new RedisObjectStore({
    connection: redis.connection,
    cluster: 'floor',
    sealKey: randomBytes(32),
    clock,
    ids,
  });
  try {
    await store.open(signal);
    const before = await callsOf(redis.client);
    const write = async (ops: readonly WriteOp[]): Promise<readonly StoredPod[]> =>
      (await store.write(ops, signal)).map((result) => {
        if (!result.ok) throw new Error(result.message);
        return result.object as StoredPod;
      });
    const created = await write(Array.from({ length: pods }, (_, index) => ({ op: 'create', object: pod(index) })));
    const bound = await write(
      created.map((object) => ({ op: 'update', object: { ...object, spec: { ...object.spec, nodeName: 'node-1' } } })),
    );
    await write(bound.map((object) => ({ op: 'updateStatus', object: { ...object, status: { phase: 'Running' } } })));
    return callsBetween(before, await callsOf(redis.client));
  } finally {
    await store.close();
    await redis.close();
  }
}

function pod(index: number): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, namespace: 'default' },
    spec: { containers: [{ name: 'app', image: 'app:v1' }] },
  } as Pod;
}
