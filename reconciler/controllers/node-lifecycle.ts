/** Nodes: made from Machines, silent when their agent is not heard. */
import { keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import { planNode } from '../core/health/node.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

/**
 * Made once per process: they remember since when they watch, so that its own absence does not count as the nodes' silence. Two, because
 * a Machine that has no Node and a Node that has no Machine both have to be found after a start, when only what exists is looked at.
 */
export function nodeLifecycleControllers(): readonly Controller[] {
  let watchingSince: Date | undefined;

  function decide(key: ObjectKey, { view, now }: PassContext): Decision {
    watchingSince ??= now;
    const { name } = parseKey(key);
    return planNode({
      machine: view.get(objectKey('Machine', undefined, name)),
      node: view.get(objectKey('Node', undefined, name)),
      machines: view.list('Machine'), nodes: view.list('Node'), settings: clusterSettings(view), now, watchingSince,
    });
  }

  return [
    {
      name: 'node-lifecycle-controller',
      kind: 'Node',
      watches: {
        Cluster: (_cluster, view) => view.list('Node').map(keyOf),
        /** Two passes may have cut the same range: the younger node has to look again. */
        Node: (node, view) => node.spec.podCIDR === undefined ? [] : view.list('Node')
          .filter((other) => other.metadata.uid !== node.metadata.uid && other.spec.podCIDR === node.spec.podCIDR).map(keyOf),
      },
      decide,
    },
    { name: 'machine-controller', kind: 'Machine', watches: {}, decide },
  ];
}
