/**
 * Conditions: one list per object, one entry per type. Source: Kubernetes API conventions, "typical status properties".
 */
import type { Condition } from './meta.ts';

type Conditions = readonly Condition[] | undefined;

export function findCondition(conditions: Conditions, type: string): Condition | undefined {
  return conditions?.find((c) => c.type === type);
}

export function conditionIsTrue(conditions: Conditions, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** The list with `next` set; `lastTransitionTime` moves only when the status changes. Order of types is kept. */
export function withCondition(
  conditions: Conditions,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Condition[] {
  const before = findCondition(conditions, next.type);
  const lastTransitionTime =
    before?.status === next.status && before.lastTransitionTime ? before.lastTransitionTime : now;
  const set: Condition = { ...next, lastTransitionTime };
  return before ? (conditions ?? []).map((c) => (c.type === next.type ? set : c)) : [...(conditions ?? []), set];
}
