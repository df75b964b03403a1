/** From desired state to a plan. See README.md. */
export { unacknowledged, type Refusal } from './acknowledge.ts';
export { checkingPlan, checkPlan, deletedOf, pruneLimit } from './check-plan.ts';
export { PLAN_CODES, type PlanCode } from './codes.ts';
export { diffObjects } from './diff-objects.ts';
export { formatPlan, type PlanFormat } from './format-plan.ts';
export { orderPlan, type Ordered } from './order-plan.ts';
export { overPruneLimit } from './prune-limit.ts';
export { homeOf, itemsInOrder, planInput, planningSync, planSync } from './plan-sync.ts';
export * from './types.ts';
