/** Full nodes beside empty ones. Source: kubernetes-sigs/descheduler, LowNodeUtilization. Utilization is what pods request, in percent of what a node has. */
import type { LowNodeUtilizationArgs } from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { PodShape } from '../pod-shape.ts';
import type { Strategy } from './strategy.ts';

/** A threshold that nothing passes, for resources that none is given for. */
const NO_BOUND = 100;

interface Rated {
  readonly name: string;
  /** What the pods request that stay, by node number. */
  readonly used: Float64Array;
  /** Percentages as they are given. */
  readonly low: number;
  readonly target: number;
}

/** Percentages of one resource: nodes up to `low` take pods, nodes above `high` give some. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

export function lowNodeUtilization(cluster: ClusterState, args: LowNodeUtilizationArgs): Strategy {
  const { thresholds, targetThresholds, useDeviationThresholds, numberOfNodes } = args;
  const names = [...new Set([...Object.keys(thresholds), ...(useDeviationThresholds ? [] : ['cpu', 'memory', 'pods'])])].sort();
  const rated = names.map((name): Rated => ({ name, used: new Float64Array(cluster.length), low: thresholds[name] ?? NO_BOUND, target: targetThresholds[name] ?? NO_BOUND }));
  const nodes = Array.from({ length: cluster.length }, (_, node) => node).filter((node) => cluster.has(node) && cluster.ready(node));

  const count = (shape: PodShape, node: number, by: number): void => {
    if (shape.terminating) return;
    for (const { name, used } of rated) used[node] = (used[node] ?? 0) + by * (shape.requests.get(name) ?? 0);
  };
  for (const [shape, on] of cluster.liveShapes()) for (const [node, pods] of on) count(shape, node, pods);

  const percent = ({ name, used }: Rated, node: number, more = 0): number => {
    const has = cluster.resource(name).allocatable[node] ?? 0;
    return has === 0 ? 0 : (100 * ((used[node] ?? 0) + more)) / has;
  };
  /** In the order of `rated`. */
  const bounds = (): readonly Bounds[] => rated.map((resource) => {
    const { low, target } = resource;
    if (!useDeviationThresholds) return { low, high: target };
    const mean = nodes.reduce((sum, node) => sum + percent(resource, node), 0) / Math.max(1, nodes.length);
    return { low: Math.max(0, mean - low), high: Math.min(100, mean + target) };
  });
  let known: readonly Bounds[] | undefined;
  const limit = (at: number): Bounds => (known ??= bounds())[at] ?? { low: NO_BOUND, high: NO_BOUND };

  const isUnder = (node: number): boolean => cluster.ready(node) && cluster.node(node).spec.unschedulable !== true && rated.every((resource, at) => percent(resource, node) <= limit(at).low);
  const tooMuch = (node: number): readonly { readonly resource: Rated; readonly percent: number; readonly high: number }[] => rated.flatMap((resource, at) => {
    const [found, { high }] = [percent(resource, node), limit(at)];
    return found > high ? [{ resource, percent: found, high }] : [];
  });
  let worthwhile: boolean | undefined;
  const isWorthwhile = (): boolean => {
    const under = nodes.filter(isUnder).length;
    return under > numberOfNodes && under < nodes.length;
  };
  return {
    plugin: 'LowNodeUtilization',
    required: false,
    moved(shape, node, by) {
      count(shape, node, by);
      known = worthwhile = undefined;
    },
    weigh: () => [nodes.reduce((sum, node) => sum + tooMuch(node).reduce((over, { percent: found, high }) => over + found - high, 0), 0)],
    complaint(shape, node) {
      if (!(worthwhile ??= isWorthwhile()) || !cluster.ready(node)) return undefined;
      const found = tooMuch(node).find(({ resource }) => (shape.requests.get(resource.name) ?? 0) > 0);
      return found && `${cluster.nodeName(node)} has ${Math.round(found.percent)}% of its ${found.resource.name} requested, the target is ${Math.round(found.high)}%`;
    },
    urgency: (_shape, node) => Math.max(0, ...tooMuch(node).map(({ percent: found, high }) => found - high)),
    accepts: (shape, _from, to) => isUnder(to) && rated.every((resource, at) => percent(resource, to, shape.requests.get(resource.name) ?? 0) <= limit(at).high),
  };
}
