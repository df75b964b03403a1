/** The prune limit where the commit itself does not say one, and where it does not hold. */
import type { Cluster } from '../../../contracts/objects/index.ts';
import {
  deletedOf,
  ORIGIN_ANNOTATION,
  overPruneLimit,
  pruneLimit,
  type Plan,
  type PlanInput,
  type Refusal,
} from '../diff/index.ts';
import type { Desired } from '../manifests/index.ts';

/** Newest commits of a branch that are looked at for one with the same files. */
export const RESTORED_WITHIN = 50;

/**
 * Why a plan whose revision has no Cluster may not be executed: it is held to the limit of the Cluster in force, which
 * such a commit deletes with everything else, or to the default where there is none. Empty where the revision has a
 * Cluster (the plan's own check looks at that one) or the limit is kept.
 */
export function pruneGuard(
  inForce: Cluster | undefined,
  desired: Desired,
  live: number,
  plan: Plan,
  disposable?: PlanInput['disposable'],
): Refusal[] {
  if ([...desired.state.values()].some((d) => d.object.kind === 'Cluster')) return [];
  const deleted = deletedOf(plan, disposable);
  const over = overPruneLimit(inForce?.spec.sync ?? {}, deleted, Math.max(live - plan.counts.delete, 0));
  if (!over) return [];
  const file = inForce?.metadata.annotations?.[ORIGIN_ANNOTATION]?.replace(/:\d+$/, '') ?? 'plumbline.yaml';
  return [
    pruneLimit(
      { file, line: 1, column: 1 },
      inForce ? `${over.message}; the Cluster is among them` : over.message,
      deleted,
    ),
  ];
}

/**
 * The refusals that hold for a commit whose files are those of an earlier one on its branch, as a rollback or a revert
 * makes it: it may take away whatever came since. `log`: the commit, then what came before it, newest first. A commit
 * without any object restores nothing.
 */
export function unlessRestored(
  refusals: readonly Refusal[],
  log: readonly { readonly tree: string }[],
  desired: Desired,
): readonly Refusal[] {
  const [commit, ...earlier] = log;
  const restores =
    desired.state.size + desired.custom.size > 0 &&
    commit !== undefined &&
    earlier.some(({ tree }) => tree === commit.tree);
  return restores ? refusals.filter(({ acknowledge }) => acknowledge === undefined) : refusals;
}
