/** PodDisruptionBudgets: how many of their pods may be evicted now. */
import {
  objectKey,
  parseKey,
  selectorMatches,
  type ObjectKey,
  type OwnerReference,
  type StoredPod,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planDisruptionBudget, type Scale } from '../core/workloads/disruption-budget.ts';
import { covers } from '../core/workloads/disruption.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import { selected } from './owned-keys.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/** Replicas of a pod's controller; a ReplicaSet's Deployment stands for all its ReplicaSets. */
function scaleOf(controller: OwnerReference, namespace: string, view: StoreView): Scale | undefined {
  if (controller.kind !== 'ReplicaSet') return undefined;
  const replicaSet = view.get(objectKey('ReplicaSet', namespace, controller.name));
  if (replicaSet?.metadata.uid !== controller.uid) return undefined;
  const owner = controllerOf(replicaSet.metadata);
  const deployment =
    owner?.kind === 'Deployment' ? view.get(objectKey('Deployment', namespace, owner.name)) : undefined;
  const scaled = deployment && deployment.metadata.uid === owner?.uid ? deployment : replicaSet;
  return { uid: scaled.metadata.uid, replicas: scaled.spec.replicas };
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
