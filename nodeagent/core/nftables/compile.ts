/** From a plan, or a change of it, to the fragments of the table. */
import type { PlanChange, ServicePlan } from '../data-plane/plan.ts';
import type { FragmentChanges } from './delta.ts';
import { compileForwardings } from './fragment.ts';
import { compileFrame, FRAME } from './frame.ts';
import type { Fragment } from './model.ts';
import { compileGuards } from './policy.ts';

/** The frame from the policy, and one fragment for each owner and each part of what is guarded; undefined for one that is gone from the plan. */
export function compilePlan({ policy, forwardings, guards = new Map() }: PlanChange | ServicePlan): FragmentChanges {
  const fragments = new Map<string, Fragment | undefined>();
  if (policy !== undefined) fragments.set(FRAME, compileFrame(policy));
  for (const [owner, list] of forwardings)
    fragments.set(owner, list.length === 0 ? undefined : compileForwardings(list));
  for (const [owner, fragment] of compileGuards(guards)) fragments.set(owner, fragment);
  return fragments;
}
