/** A node during a batch. */
import { conditionIsTrue, type Node, type Pod } from '../../../contracts/objects/index.ts';
import { capacityOf, hostPortsOf, requestsOf, type Amounts } from './resources.ts';

/** What filters and scores may look at. */
export interface NodeSketch {
  readonly node: Node;
  readonly name: string;
  readonly ready: boolean;
  readonly allocatable: Amounts;
  readonly used: Amounts;
  readonly ports: ReadonlySet<string>;
  /** Pods of each group on this node. */
  readonly groups: ReadonlyMap<string, number>;
}

/** The same, while {@link place} may still change it. */
export interface OpenSketch extends NodeSketch {
  readonly used: Map<string, number>;
  readonly ports: Set<string>;
  readonly groups: Map<string, number>;
}

export function openSketch(node: Node): OpenSketch {
  return {
    node, name: node.metadata.name, ready: conditionIsTrue(node.status?.conditions, 'Ready'), allocatable: capacityOf(node.status?.allocatable),
    used: new Map(), ports: new Set(), groups: new Map(),
  };
}

/** Counts a pod on a node. */
export function place(sketch: OpenSketch, pod: Pod, groups: readonly string[]): void {
  for (const [resource, units] of requestsOf(pod)) sketch.used.set(resource, (sketch.used.get(resource) ?? 0) + units);
  for (const port of hostPortsOf(pod)) sketch.ports.add(port);
  for (const group of groups) sketch.groups.set(group, (sketch.groups.get(group) ?? 0) + 1);
}
