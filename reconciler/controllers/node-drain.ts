/** Nodes that are drained lose their pods within the pods' disruption budgets. */
import { findCondition, keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import { DRAINED, isDraining, planDrain } from '../core/health/drain.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const node = view.get(objectKey('Node', undefined, parseKey(key).name));
  if (!node) return { steps: [] };
  const draining = isDraining(node);
  return planDrain({
    node,
    pods: draining ? view.podsOnNode(node.metadata.name) : [],
    budgets: draining ? view.list('PodDisruptionBudget') : [],
    now,
  });
}

const drainingNodes = (view: StoreView): readonly ObjectKey[] => view.list('Node').filter(isDraining).map(keyOf);

export const nodeDrainController: Controller = {
  name: 'node-drain-controller',
  kind: 'Node',
  /** A node that is not drained has nothing to lose but what was said of its last drain. */
  concerns: (node) =>
    node.kind === 'Node' && (isDraining(node) || findCondition(node.status?.conditions, DRAINED) !== undefined),
  watches: {
    Pod: (pod, view) => {
      const node =
        pod.spec.nodeName === undefined ? undefined : view.get(objectKey('Node', undefined, pod.spec.nodeName));
      return node && isDraining(node) ? [keyOf(node)] : [];
    },
    PodDisruptionBudget: (_budget, view) => drainingNodes(view),
  },
  decide,
};
