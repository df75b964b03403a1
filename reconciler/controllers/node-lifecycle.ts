/** Nodes: made from Machines, silent when their agent is not heard. */
import { keyOf, objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { NodeMonitor } from '../core/health/node-monitor.ts';
import { beginsToEmpty, planNode } from '../core/health/node.ts';
import { PodRanges } from '../core/nodes/pod-ranges.ts';
import type { Decision } from '../core/step.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

/** A watch that was missed, for whatever reason, is made good for by then. */
const READ_ANEW_MS = 300_000;

/**
 * Two, because a Machine that has no Node and a Node that has no Machine both have to be found after a start, when only
 * what exists is looked at.
 */
export function nodeLifecycleControllers(monitor: NodeMonitor): readonly Controller[] {
  let ranges: PodRanges | undefined;
  let lookedAt = -Infinity;

  /** Kept up to date by the watches below; read anew from the view now and then, and when the cluster's range changed. */
  function podRanges(view: StoreView, monotonic: number): PodRanges {
    const { network } = clusterSettings(view);
    const isCurrent =
      ranges?.network.podCIDR === network.podCIDR && ranges.network.nodeMaskSize === network.nodeMaskSize;
    if (ranges && isCurrent && monotonic - lookedAt < READ_ANEW_MS) return ranges;
    ranges = new PodRanges(network);
    lookedAt = monotonic;
    for (const node of view.list('Node')) ranges.node(node.metadata.name, node);
    for (const { metadata } of view.list('Machine')) ranges.machine(metadata.name, true);
    return ranges;
  }

  function decide(key: ObjectKey, { view, now, monotonic }: PassContext): Decision {
    const { name } = parseKey(key);
    const node = view.get(objectKey('Node', undefined, name));
    const machine = view.get(objectKey('Machine', undefined, name));
    if (node) monitor.observe(node, monotonic, now);
    const decision = planNode({
      machine,
      node,
      podCIDR: machine && podRanges(view, monotonic).of(name),
      settings: clusterSettings(view),
      now,
      silentMs: monitor.silentMs(name, monotonic),
      heardMsAgo: monitor.heardMsAgo(name, monotonic),
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
      hearsHeartbeats: true,
      worksOnGone: true,
      watches: {
        Cluster: (_cluster, view) => view.list('Node').map(keyOf),
        Node: (node, view) => {
          const { name } = node.metadata;
          // Watches hear of the object as it was, too: what counts is what is there.
          const present = view.get(objectKey('Node', undefined, name));
          const { turned } = present ? monitor.count(present) : monitor.forget(name);
          ranges?.node(name, present);
          // Two passes may have cut the same range: the younger node has to look again.
          const { podCIDR } = node.spec;
          const rivals =
            podCIDR === undefined ? [] : (ranges?.holders(podCIDR) ?? []).filter((other) => other !== name);
          return [
            ...rivals.map((other) => objectKey('Node', undefined, other)),
            ...(turned ? monitor.notReady().map((other) => objectKey('Node', undefined, other)) : []),
          ];
        },
      },
      decide,
    },
    {
      name: 'machine-controller',
      kind: 'Machine',
      worksOnGone: true,
      watches: {
        Machine: (machine, _view, event) => {
          ranges?.machine(machine.metadata.name, event !== 'delete');
          return [];
        },
      },
      decide,
    },
  ];
}
