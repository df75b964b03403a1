/**
 * Removes pods that nobody else will: those of a machine that is gone for good, and those being deleted that never had
 * a node.
 */
import { keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
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

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const pod = view.get(objectKey('Pod', namespace, name));
  if (!pod) return { steps: [] };
  const { nodeName } = pod.spec;
  const lost = nodeName === undefined ? pod.metadata.deletionTimestamp !== undefined : machineGone(nodeName, view);
  return {
    steps: lost ? [{ do: 'delete', key: objectKey('Pod', namespace, name), uid: pod.metadata.uid, gone: true }] : [],
  };
}

export const podGcController: Controller = {
  name: 'pod-garbage-collector',
  kind: 'Pod',
  concerns: (pod, before) =>
    pod.metadata.generation !== before.metadata.generation ||
    pod.metadata.deletionTimestamp !== before.metadata.deletionTimestamp,
  watches: {
    Node: (node, view, event) => (event === 'delete' ? view.podsOnNode(node.metadata.name).map(keyOf) : []),
    Machine: (machine, view, event) => (event === 'delete' ? view.podsOnNode(machine.metadata.name).map(keyOf) : []),
  },
  decide,
};
