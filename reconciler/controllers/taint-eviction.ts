/** Pods leave nodes that are tainted NoExecute, and are not ready while their node is silent. */
import { conditionIsTrue, findCondition, keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import { planEviction, SILENT_REASON } from '../core/health/eviction.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const pod = view.get(objectKey('Pod', namespace, name));
  const node = pod?.spec.nodeName === undefined ? undefined : view.get(objectKey('Node', undefined, pod.spec.nodeName));
  return pod && node ? planEviction(pod, node, now) : { steps: [] };
}

export const taintEvictionController: Controller = {
  name: 'taint-eviction-controller',
  kind: 'Pod',
  watches: {
    /** A heartbeat of a well node concerns only pods that were marked while it was silent. */
    Node: (node, view, event) => {
      if (event === 'delete') return [];
      const pods = view.podsOnNode(node.metadata.name);
      const troubled = !conditionIsTrue(node.status?.conditions, 'Ready') || (node.spec.taints ?? []).some((taint) => taint.effect === 'NoExecute');
      return (troubled ? pods : pods.filter((pod) => findCondition(pod.status?.conditions, 'Ready')?.reason === SILENT_REASON)).map(keyOf);
    },
  },
  decide,
};
