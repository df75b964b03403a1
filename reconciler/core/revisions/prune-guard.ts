/** A commit that deletes the Cluster together with everything else must not delete its own limit. */
import type { Cluster } from '../../../contracts/objects/index.ts';
import { ORIGIN_ANNOTATION, type Plan } from '../diff/index.ts';
import type { DesiredState, Diagnostic } from '../manifests/index.ts';

/**
 * Why a plan whose revision has no Cluster may not be executed: it is held to the limit of the Cluster in force. Empty where the revision
 * has a Cluster (the plan's own check looks at that one) or the limit is kept. `live`: how many objects the plan starts from.
 */
export function pruneGuard(inForce: Cluster | undefined, desired: DesiredState, live: number, plan: Plan): Diagnostic[] {
  if (!inForce || plan.counts.delete === 0 || [...desired.values()].some((d) => d.object.kind === 'Cluster')) return [];
  const limit = inForce.spec.sync.maxPrunePercent;
  if ((100 * plan.counts.delete) / Math.max(live, 1) <= limit) return [];
  const file = inForce.metadata.annotations?.[ORIGIN_ANNOTATION]?.replace(/:\d+$/, '') ?? 'plumbline.yaml';
  return [{
    severity: 'error', code: 'PruneLimit', file, line: 1, column: 1,
    message: `this would delete ${plan.counts.delete} of ${live} objects, the Cluster among them, more than its spec.sync.maxPrunePercent (${limit}) allows`,
    hint: 'keep the Cluster and raise the limit there, or delete in steps',
  }];
}
