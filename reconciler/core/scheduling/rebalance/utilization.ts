/**
 * Full nodes beside empty ones. Source: kubernetes-sigs/descheduler, LowNodeUtilization. Utilization is what pods
 * request, in percent of what a node has.
 */
import { readKey, type LowNodeUtilizationArgs } from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { PodShape } from '../pod-shape.ts';
import type { Strategy } from './strategy.ts';

/** A threshold that nothing passes, for resources that none is given for. */
const NO_BOUND = 100;

/** One resource on every node, by node number. */
interface Rated {
  readonly name: string;
  /** What the pods request that stay. */
  readonly used: Float64Array;
  readonly has: Float64Array;
  /** Percentages as they are given. */
  readonly low: number;
  readonly target: number;
  /** Percentages of use: nodes up to the first take pods, nodes above the second give some. */
  takes: number;
  gives: number;
}

export function lowNodeUtilization(cluster: ClusterState, args: LowNodeUtilizationArgs): Strategy {
  return new LowNodeUtilization(cluster, args);
}

class LowNodeUtilization implements Strategy {
  readonly plugin = 'LowNodeUtilization';
  readonly required = false;
  readonly #cluster: ClusterState;
  readonly #args: LowNodeUtilizationArgs;
  readonly #rated: readonly Rated[];
  /** Those that are ready: of others nobody knows. */
  readonly #nodes: readonly number[];
  /** Percentages above what nodes may have, summed over resources. */
  readonly #over: Float64Array;
  /** Nodes that take pods. */
  readonly #under = new Set<number>();

  constructor(cluster: ClusterState, args: LowNodeUtilizationArgs) {
    this.#cluster = cluster;
    this.#args = args;
    const { thresholds, targetThresholds, useDeviationThresholds } = args;
    const names = [
      ...new Set([...Object.keys(thresholds), ...(useDeviationThresholds ? [] : ['cpu', 'memory', 'pods'])]),
    ].sort();
    this.#rated = names.map((name): Rated => {
      const [low, target] = [readKey(thresholds, name) ?? NO_BOUND, readKey(targetThresholds, name) ?? NO_BOUND];
      return {
        name,
        used: new Float64Array(cluster.length),
        has: cluster.resource(name).allocatable,
        low,
        target,
        takes: low,
        gives: target,
      };
    });
    this.#nodes = Array.from({ length: cluster.length }, (_, node) => node).filter(
      (node) => cluster.has(node) && cluster.ready(node),
    );
    this.#over = new Float64Array(cluster.length);
    for (const [shape, on] of cluster.liveShapes())
      if (!shape.terminating) for (const [node, pods] of on) this.#count(shape, node, pods);
    this.#judgeAll();
  }

  moved(shape: PodShape, node: number, by: 1 | -1): void {
    if (shape.terminating) return;
    this.#count(shape, node, by);
    // The mean moves with every pod where nodes are not of one size.
    if (this.#args.useDeviationThresholds) this.#judgeAll();
    else this.#judge(node);
  }

  weigh(): readonly number[] {
    let sum = 0;
    for (const node of this.#nodes) sum += this.#over[node] ?? 0;
    return [sum];
  }

  complaint(shape: PodShape, node: number): string | undefined {
    if (
      (this.#over[node] ?? 0) === 0 ||
      this.#under.size <= this.#args.numberOfNodes ||
      this.#under.size === this.#nodes.length
    )
      return undefined;
    const found = this.#rated.find(
      (rated) => (shape.requests.get(rated.name) ?? 0) > 0 && percent(rated, node) > rated.gives,
    );
    return (
      found &&
      `${this.#cluster.nodeName(node)} has ${Math.round(percent(found, node))}% of its ${found.name} requested, the target is ${Math.round(found.gives)}%`
    );
  }

  hopeless(shape: PodShape): string | undefined {
    for (const node of this.#under) if (this.#hasRoom(shape, node)) return undefined;
    return 'no node below the thresholds could take it without passing the target';
  }

  urgency(_shape: PodShape, node: number): number {
    return this.#over[node] ?? 0;
  }

  accepts(shape: PodShape, _from: number, to: number): boolean {
    return this.#under.has(to) && this.#hasRoom(shape, to);
  }

  #hasRoom(shape: PodShape, node: number): boolean {
    for (const rated of this.#rated)
      if (percent(rated, node, shape.requests.get(rated.name) ?? 0) > rated.gives) return false;
    return true;
  }

  #count(shape: PodShape, node: number, by: number): void {
    for (const { name, used } of this.#rated) used[node] = (used[node] ?? 0) + by * (shape.requests.get(name) ?? 0);
  }

  #judgeAll(): void {
    if (this.#args.useDeviationThresholds) {
      for (const rated of this.#rated) {
        const mean = this.#nodes.reduce((sum, node) => sum + percent(rated, node), 0) / Math.max(1, this.#nodes.length);
        rated.takes = Math.max(0, mean - rated.low);
        rated.gives = Math.min(100, mean + rated.target);
      }
    }
    for (const node of this.#nodes) this.#judge(node);
  }

  #judge(node: number): void {
    if (!this.#cluster.ready(node)) return;
    let over = 0;
    let under = this.#cluster.node(node).spec.unschedulable !== true;
    for (const rated of this.#rated) {
      const found = percent(rated, node);
      if (found > rated.gives) over += found - rated.gives;
      if (found > rated.takes) under = false;
    }
    this.#over[node] = over;
    if (under) this.#under.add(node);
    else this.#under.delete(node);
  }
}

/** How much of the resource would be in use on the node with `more`. */
function percent({ used, has }: Rated, node: number, more = 0): number {
  const capacity = has[node] ?? 0;
  return capacity === 0 ? 0 : (100 * ((used[node] ?? 0) + more)) / capacity;
}
