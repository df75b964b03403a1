/** Filters on the state of the node alone: its name, cordon and readiness. */
import type { Filtering, Plugin, Reason } from '../framework.ts';
import { untolerated } from '../../../../contracts/objects/taints.ts';

const CORDON = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const;

/** A filter whose answer taking pods away never changes. */
export function onNode(filter: (node: number) => boolean, reason: (node: number) => Reason): Filtering {
  return { scope: 'node', fixed: true, preemptable: () => false, filter, reasons: (node) => [reason(node)] };
}

export const nodeUnschedulable: Plugin = {
  name: 'NodeUnschedulable',
  preFilter(shape, cluster) {
    if (!untolerated([CORDON], shape.sample.spec.tolerations, ['NoSchedule'])) return undefined;
    return onNode(
      (node) => cluster.node(node).spec.unschedulable !== true,
      () => ({ reason: 'node(s) were unschedulable', detail: 'the node is cordoned' }),
    );
  },
  hint: (event, _shape, cluster) =>
    (event.type === 'NodeAdd' || event.type === 'NodeUpdate') && cluster.node(event.node).spec.unschedulable !== true,
};

/**
 * Pods that name their node are bound by that, and never wait for one: there is nothing to filter. Known so that
 * profiles may name it.
 */
export const nodeName: Plugin = { name: 'NodeName' };

/** Ours: Kubernetes taints a node that is not ready; here its condition counts at once. */
export const nodeReady: Plugin = {
  name: 'NodeReady',
  preFilter: (_shape, cluster) =>
    onNode(
      (node) => cluster.ready(node),
      () => ({ reason: 'node(s) were not ready', detail: 'its Ready condition is not True' }),
    ),
  hint: (event, _shape, cluster) =>
    (event.type === 'NodeAdd' || event.type === 'NodeUpdate') && cluster.ready(event.node),
};
