/** Takes in what a node has that a recovery did not hear, before the first assignment could take it away. */
import { objectKey } from '../../../contracts/objects/index.ts';
import { latePods } from '../../core/nodes/late-pods.ts';
import { withinPlaces } from '../../core/nodes/recovered-workloads.ts';
import type { Clock } from '../../ports/clock.ts';
import { importObjects } from '../recovery.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { Inventory } from './inventory.ts';
import { knownNode } from './known-node.ts';

/** How many pods were taken in. Safe to repeat. */
export async function importLate(
  node: string,
  { claims, pods }: Inventory,
  { cache, clock, signal }: { readonly cache: StoreCache; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<number> {
  const found = latePods({
    word: withinPlaces({ node, claims, pods }, cache.get(objectKey('Machine', undefined, node))?.spec.maxPods ?? 0),
    known: knownNode(node, cache),
    replicaSets: cache.list('ReplicaSet'),
    podsOf: (rs) => cache.ownedBy('Pod', rs.metadata.uid),
    has: (key) => cache.get(key) !== undefined,
    now: clock.now(),
  });
  await importObjects(cache, found, signal);
  return found.length;
}
