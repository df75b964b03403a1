/** From a plan, or a change of it, to the fragments of the table. */
import type { ForwardingMeans, PlanChange, ServicePlan } from '../data-plane/plan.ts';
import type { FragmentChanges } from './delta.ts';
import { compileForwardings } from './fragment.ts';
import { compileFrame, FRAME } from './frame.ts';
import type { Fragment } from './model.ts';
import { compileGuards } from './policy.ts';

/**
 * The frame from the policy, and one fragment for each owner and each part of what is guarded; undefined for one that is gone from the plan.
 * Where others forward (`by`), an owner has only elements of sets: by these is told what is refused and masqueraded.
 */
export function compilePlan(
  { policy, forwardings, guards = new Map() }: PlanChange | ServicePlan,
  by: ForwardingMeans = 'nftables',
): FragmentChanges {
  const fragments = new Map<string, Fragment | undefined>();
  if (policy !== undefined) fragments.set(FRAME, compileFrame(policy));
  for (const [owner, list] of forwardings)
    fragments.set(owner, list.length === 0 ? undefined : keptBy(by, compileForwardings(list)));
  for (const [owner, fragment] of compileGuards(guards)) fragments.set(owner, fragment);
  return fragments;
}

function keptBy(by: ForwardingMeans, fragment: Fragment): Fragment {
  if (by === 'nftables') return fragment;
  return { chains: [], containers: [], elements: fragment.elements.filter(({ chain }) => chain === undefined) };
}
