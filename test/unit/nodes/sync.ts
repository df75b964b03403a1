/** A node sync over a world in memory. */
import type { MemoryNodeTransport } from '../../../reconciler/adapters/memory/node-transport.ts';
import { NodeSync, type NodeSyncOptions } from '../../../reconciler/controllers/nodes/node-sync.ts';
import { SHARDS } from '../../../reconciler/core/leases/shards.ts';
import type { World } from '../runtime/world.ts';
import { PAYLOADS } from './fake-agent.ts';

export const EPOCH = 1000;

/** Started; speaks to no node yet. */
export async function startSync(
  { cache, store, recorder, queue, clock, log, state, signal }: World,
  transport: MemoryNodeTransport,
  more: Partial<NodeSyncOptions> = {},
): Promise<NodeSync> {
  const sync = new NodeSync({
    cache,
    store,
    recorder,
    queue,
    transport,
    payloads: PAYLOADS,
    clock,
    log,
    incarnation: state.incarnation ?? '',
    random: () => 0,
    ...more,
  });
  await sync.start(signal);
  return sync;
}

export function takeAll(sync: NodeSync, epoch = EPOCH): void {
  for (let shard = 0; shard < SHARDS; shard += 1) sync.take(shard, epoch);
}
