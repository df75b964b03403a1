/** Nodes: made from Machines, silent when their agent is not heard. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import { planNode } from '../core/health/node.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

/** One per process: it remembers since when it watches, so that its own absence does not count as the nodes' silence. */
export function nodeLifecycleController(): Controller {
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

  return {
    name: 'node-lifecycle-controller',
    kind: 'Node',
    watches: {
      Machine: (machine) => [objectKey('Node', undefined, machine.metadata.name)],
      Cluster: (_cluster, view) => view.list('Machine').map((machine) => objectKey('Node', undefined, machine.metadata.name)),
      /** Two passes may have cut the same range: the younger node has to look again. */
      Node: (node, view) => node.spec.podCIDR === undefined ? [] : view.list('Node')
        .filter((other) => other.metadata.uid !== node.metadata.uid && other.spec.podCIDR === node.spec.podCIDR)
        .map((other) => objectKey('Node', undefined, other.metadata.name)),
    },
    decide,
  };
}
