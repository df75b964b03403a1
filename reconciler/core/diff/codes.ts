/** Codes of everything that keeps a plan from being carried out. Stable; explained in docs/errors.md. */
export const PLAN_CODES = [
  'ImmutableField',
  'OwnedByController',
  'OwnedByOtherSource',
  'PruneLimit',
  'PruneUnacknowledged',
] as const;
export type PlanCode = (typeof PLAN_CODES)[number];
