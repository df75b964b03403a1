/** Nodes: made from Machines, silent when their agent is not heard. */
import { keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { NodeMonitor } from '../core/health/node-monitor.ts';
import { beginsToEmpty, planNode } from '../core/health/node.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

/**
 * Two, because a Machine that has no Node and a Node that has no Machine both have to be found after a start, when only
 * what exists is looked at.
 */
export function nodeLifecycleControllers(monitor: NodeMonitor): readonly Controller[] {
  function decide(key: ObjectKey, { view, now, monotonic }: PassContext): Decision {
    const { name } = parseKey(key);
    const node = view.get(objectKey('Node', undefined, name));
    if (node) monitor.observe(node, monotonic, now);
    const decision = planNode({
      machine: view.get(objectKey('Machine', undefined, name)),
      node,
      machines: view.list('Machine'),
      nodes: view.list('Node'),
      settings: clusterSettings(view),
      now,
      silentMs: monitor.silentMs(name, monotonic),
      evictsInMs: monitor.evictsInMs(name, monotonic),
      blind: monitor.blind,
    });
    if (beginsToEmpty(node, decision)) monitor.evicts(name, monotonic);
    return decision;
  }

  return [
    {
      name: 'node-lifecycle-controller',
      kind: 'Node',
      watches: {
        Cluster: (_cluster, view) => view.list('Node').map(keyOf),
        Node: (node, view, event) => {
          const { turned } = event === 'delete' ? monitor.forget(node.metadata.name) : monitor.count(node);
          // Two passes may have cut the same range: the younger node has to look again.
          const rivals =
            node.spec.podCIDR === undefined
              ? []
              : view
                  .list('Node')
                  .filter(
                    (other) => other.metadata.uid !== node.metadata.uid && other.spec.podCIDR === node.spec.podCIDR,
                  );
          return [
            ...rivals.map(keyOf),
            ...(turned ? monitor.notReady().map((name) => objectKey('Node', undefined, name)) : []),
          ];
        },
      },
      decide,
    },
    { name: 'machine-controller', kind: 'Machine', watches: {}, decide },
  ];
}
