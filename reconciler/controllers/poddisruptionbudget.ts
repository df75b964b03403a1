/** PodDisruptionBudgets: how many of their pods may be evicted now. */
import {
  objectKey,
  parseKey,
  selectorMatches,
  type ObjectKey,
  type OwnerReference,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import { controllerIn, ownerChain, replicasOf } from '../core/kinds/owners.ts';
import type { Decision } from '../core/step.ts';
import { planDisruptionBudget, type Scale } from '../core/workloads/disruption-budget.ts';
import { covers } from '../core/workloads/disruption.ts';
import { selected } from './owned-keys.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/**
 * Replicas of a pod's controller. The topmost owner that is scaled stands for all below it, such as a Deployment for its
 * ReplicaSets.
 */
function scaleOf(reference: OwnerReference, namespace: string, view: StoreView): Scale | undefined {
  const controller = controllerIn(view, namespace, reference);
  if (!controller) return undefined;
  const scales = [controller, ...ownerChain(view, controller)].flatMap((owner): Scale[] => {
    const replicas = replicasOf(owner);
    return replicas === undefined ? [] : [{ uid: owner.metadata.uid, replicas }];
  });
  return scales.at(-1);
}

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const budget = view.get(objectKey('PodDisruptionBudget', namespace, name));
  if (!budget) return { steps: [] };
  const { selector } = budget.spec;
  const pods = selector
    ? selected('Pod', namespace, selector, view).filter((pod) => selectorMatches(selector, pod.metadata.labels))
    : [];
  return planDisruptionBudget({ budget, pods, scaleOf: (controller) => scaleOf(controller, namespace, view), now });
}

function budgetsOver(pod: StoredPod, view: StoreView): readonly ObjectKey[] {
  return view
    .list('PodDisruptionBudget', pod.metadata.namespace)
    .filter((budget) => covers(budget, pod))
    .map(({ metadata }) => objectKey('PodDisruptionBudget', metadata.namespace, metadata.name));
}

export const podDisruptionBudgetController: Controller = {
  name: 'disruption-controller',
  kind: 'PodDisruptionBudget',
  watches: { Pod: budgetsOver },
  decide,
};
