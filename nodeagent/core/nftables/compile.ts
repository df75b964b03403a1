/** From a plan, or a change of it, to the fragments of the table. */
import type { Forwarding, ForwardingMeans, PlanChange, ServicePlan } from '../data-plane/plan.ts';
import { isVirtual } from '../data-plane/virtual.ts';
import type { FragmentChanges } from './delta.ts';
import { compileForwardings } from './fragment.ts';
import { compileFrame, FRAME } from './frame.ts';
import type { Fragment } from './model.ts';
import { compileGuards } from './policy.ts';

/**
 * The frame from the policy, and one fragment for each owner and each part of what is guarded; undefined for one that is gone from the plan.
 * Where iptables forwards (`by`), an owner has only elements of sets: by these is told what is refused and masqueraded. IPVS has what
 * {@link isVirtual} says, and is told by a mark.
 */
export function compilePlan(
  { policy, forwardings, guards = new Map() }: PlanChange | ServicePlan,
  by: ForwardingMeans = 'nftables',
): FragmentChanges {
  const fragments = new Map<string, Fragment | undefined>();
  if (policy !== undefined) fragments.set(FRAME, compileFrame(policy));
  for (const [owner, list] of forwardings) fragments.set(owner, list.length === 0 ? undefined : compileBy(by, list));
  for (const [owner, fragment] of compileGuards(guards, by)) fragments.set(owner, fragment);
  return fragments;
}

function compileBy(by: ForwardingMeans, forwardings: readonly Forwarding[]): Fragment {
  switch (by) {
    case 'nftables':
      return compileForwardings(forwardings);
    case 'ipvs':
      return compileForwardings(forwardings, isVirtual);
    case 'iptables': {
      const { elements } = compileForwardings(forwardings);
      return { chains: [], containers: [], elements: elements.filter(({ chain }) => chain === undefined) };
    }
  }
}
