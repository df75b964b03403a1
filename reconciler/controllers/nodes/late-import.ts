/** Takes in what a node has that a recovery did not hear, before the first assignment could take it away. */
import { ALL_KINDS, objectKey, type Stored } from '../../../contracts/objects/index.ts';
import { descriptorOf } from '../../core/kinds/index.ts';
import { latePods } from '../../core/nodes/late-pods.ts';
import { withinPlaces } from '../../core/nodes/node-word.ts';
import { recoveredVolumes } from '../../core/nodes/recovered-volumes.ts';
import { revisionTemplate } from '../../core/workloads/revision-history.ts';
import type { Clock } from '../../ports/clock.ts';
import { importObjects } from '../recovery.ts';
import type { StoreCache } from '../runtime/cache.ts';
import type { Inventory } from './inventory.ts';
import { knownNode } from './known-node.ts';

const POD_MAKERS = ALL_KINDS.filter((kind) => {
  const { podTemplate } = descriptorOf(kind);
  return podTemplate !== 'none' && podTemplate.makes !== 'none';
});

/** How many pods were taken in. Safe to repeat. */
export async function importLate(
  node: string,
  { claims, pods }: Pick<Inventory, 'claims' | 'pods'>,
  { cache, clock, signal }: { readonly cache: StoreCache; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<number> {
  const found = latePods({
    word: withinPlaces({ node, claims, pods }, cache.get(objectKey('Machine', undefined, node))?.spec.maxPods ?? 0),
    known: knownNode(node, cache),
    makers: POD_MAKERS.flatMap((kind): readonly Stored[] => cache.list(kind)),
    defaults: {
      limits: (namespace) => cache.list('LimitRange', namespace),
      runtimeClass: (name) => cache.get(objectKey('RuntimeClass', undefined, name)),
      account: (namespace, name) => cache.get(objectKey('ServiceAccount', namespace, name)),
    },
    earlier: (maker) => cache.ownedBy('ControllerRevision', maker.metadata.uid).map(revisionTemplate),
    podsOf: (maker) => cache.ownedBy('Pod', maker.metadata.uid),
    has: (key) => cache.get(key) !== undefined,
    now: clock.now(),
  });
  const volumes = recoveredVolumes([{ node, claims, pods }], (name) =>
    cache.get(objectKey('StorageClass', undefined, name)),
  ).filter(({ metadata }) => cache.get(objectKey('PersistentVolume', undefined, metadata.name)) === undefined);
  await importObjects(cache, [...volumes, ...found], signal);
  return found.length;
}
