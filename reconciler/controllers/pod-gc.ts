/**
 * Removes pods that nobody else will: those of a machine that is gone for good, and those being deleted that never had
 * a node.
 */
import { keyOf, objectKey, parseKey, type ObjectKey, type StoredPod } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/**
 * A node that is merely silent keeps its pods until it says that they are gone; one whose Machine was removed cannot
 * say it.
 */
function machineGone(name: string, view: StoreView): boolean {
  return (
    view.get(objectKey('Node', undefined, name)) === undefined &&
    view.get(objectKey('Machine', undefined, name)) === undefined
  );
}

/** Nobody else will remove it. */
function isLost({ spec: { nodeName }, metadata }: StoredPod, view: StoreView): boolean {
  return nodeName === undefined ? metadata.deletionTimestamp !== undefined : machineGone(nodeName, view);
}

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const pod = view.get(objectKey('Pod', namespace, name));
  if (!pod) return { steps: [] };
  return {
    steps: isLost(pod, view)
      ? [{ do: 'delete', key: objectKey('Pod', namespace, name), uid: pod.metadata.uid, gone: true }]
      : [],
  };
}

export const podGcController: Controller = {
  name: 'pod-garbage-collector',
  kind: 'Pod',
  concerns: (pod, _before, view) => pod.kind === 'Pod' && isLost(pod, view),
  watches: {
    Node: (node, view, event) => (event === 'delete' ? view.podsOnNode(node.metadata.name).map(keyOf) : []),
    Machine: (machine, view, event) => (event === 'delete' ? view.podsOnNode(machine.metadata.name).map(keyOf) : []),
  },
  decide,
};
