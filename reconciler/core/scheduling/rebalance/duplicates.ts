/**
 * Pods of one owner that share a node although others are free of them. Source: kubernetes-sigs/descheduler,
 * RemoveDuplicates.
 */
import type { RemoveDuplicatesArgs } from '../../../../contracts/objects/index.ts';
import type { PodShape } from '../pod-shape.ts';
import { remembered } from '../pod-terms.ts';
import type { Simulation } from './simulation.ts';
import type { Strategy } from './strategy.ts';

/** Filters whose answer is the same wherever the pods are. */
const OF_THE_NODE: ReadonlySet<string> = new Set([
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeReady',
  'NodeAffinity',
]);

/** Pods of one owner with the same images. */
interface Group {
  readonly owner: string;
  readonly perNode: Map<number, number>;
  total: number;
  /** Nodes that may have its pods. */
  readonly targets: Set<number>;
}

/** Nobody has more pods of a group than its share: all of them over the nodes that may have them, rounded up. */
function shareOf({ total, targets }: Group): number {
  return Math.ceil(total / Math.max(1, targets.size));
}

export function duplicates(sim: Simulation, { excludeOwnerKinds = [] }: RemoveDuplicatesArgs): Strategy {
  const { cluster } = sim;
  const groups = new Map<string, Group>();
  const groupOf = remembered((shape): Group | undefined => {
    const {
      owner,
      sample: { spec },
    } = shape;
    if (!owner || shape.terminating || excludeOwnerKinds.includes(owner.kind)) return undefined;
    const key = JSON.stringify([shape.namespace, owner.uid, spec.containers.map(({ image }) => image).sort()]);
    let group = groups.get(key);
    if (!group)
      groups.set(
        key,
        (group = { owner: `${owner.kind} ${owner.name}`, perNode: new Map(), total: 0, targets: new Set() }),
      );
    return group;
  });
  for (const [shape, nodes] of cluster.liveShapes()) {
    const group = groupOf(shape);
    if (!group) continue;
    for (const [node, count] of nodes) add(group, node, count);
    for (const node of possibleNodes(sim, shape)) group.targets.add(node);
  }
  /** Pods that the node has too many; 0 where there is nowhere else to go. */
  const over = (group: Group, node: number): number =>
    group.targets.size < 2 ? 0 : Math.max(0, (group.perNode.get(node) ?? 0) - shareOf(group));
  return {
    plugin: 'RemoveDuplicates',
    required: false,
    moved(shape, node, by) {
      const group = groupOf(shape);
      if (group) add(group, node, by);
    },
    weigh(shape) {
      const group = groupOf(shape);
      return group ? [[...group.perNode.keys()].reduce((sum, node) => sum + over(group, node), 0)] : [];
    },
    complaint(shape, node) {
      const group = groupOf(shape);
      if (!group || over(group, node) === 0) return undefined;
      return `${group.perNode.get(node) ?? 0} of ${group.total} pods of ${group.owner} are on ${cluster.nodeName(node)}, which has to have no more than ${shareOf(group)}`;
    },
    urgency(shape, node) {
      const group = groupOf(shape);
      return group ? over(group, node) : 0;
    },
  };
}

function add(group: Group, node: number, by: number): void {
  group.perNode.set(node, (group.perNode.get(node) ?? 0) + by);
  group.total += by;
}

function possibleNodes(sim: Simulation, shape: PodShape): number[] {
  const { cluster } = sim;
  const filters = (sim.profileOf(shape.sample)?.filters ?? [])
    .filter(({ name }) => OF_THE_NODE.has(name))
    .flatMap((plugin) => plugin.preFilter?.(shape, cluster) ?? []);
  return Array.from({ length: cluster.length }, (_, node) => node).filter(
    (node) => cluster.has(node) && filters.every((filter) => filter.filter(node)),
  );
}
