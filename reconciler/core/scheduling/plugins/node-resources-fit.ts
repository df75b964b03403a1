/**
 * Room for what a pod asks for, and which room is better. Source: Kubernetes documentation, "Resource Bin Packing" and
 * "Scheduler Configuration".
 */
import {
  DEFAULT_SCORING,
  type NodeResourcesFitArgs,
  type ScoringStrategy,
} from '../../../../contracts/objects/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import type { ResourceColumn } from '../columns.ts';
import { MAX_NODE_SCORE, type Filtering, type Plugin, type Reason, type Scoring } from '../framework.ts';
import type { PodShape } from '../pod-shape.ts';

export function nodeResourcesFit(args: NodeResourcesFitArgs = {}): Plugin {
  return {
    name: 'NodeResourcesFit',
    preFilter: (shape, cluster) => fit(shape, cluster, args),
    preScore: (shape, cluster) => rate(shape, cluster, args.scoringStrategy ?? DEFAULT_SCORING),
    hint(event, shape, cluster) {
      if (event.type === 'PodDelete')
        return !event.leaving && [...shape.requests.keys()].some((name) => (event.shape.requests.get(name) ?? 0) > 0);
      if (event.type !== 'NodeAdd' && event.type !== 'NodeUpdate') return false;
      return asks(shape, cluster, args).every(({ amount, column }) => amount <= (column.allocatable[event.node] ?? 0));
    },
  };
}

/** Extended resources only: what every node has is never left out. */
function ignored(
  resource: string,
  { ignoredResources = [], ignoredResourceGroups = [] }: NodeResourcesFitArgs,
): boolean {
  const slash = resource.indexOf('/');
  return slash > 0 && (ignoredResources.includes(resource) || ignoredResourceGroups.includes(resource.slice(0, slash)));
}

/** What must be free on a node. */
function asks(
  shape: PodShape,
  cluster: ClusterState,
  args: NodeResourcesFitArgs,
): { readonly name: string; readonly amount: number; readonly column: ResourceColumn }[] {
  return [...shape.requests].flatMap(([name, amount]) =>
    amount > 0 && !ignored(name, args) ? [{ name, amount, column: cluster.resource(name) }] : [],
  );
}

function fit(shape: PodShape, cluster: ClusterState, args: NodeResourcesFitArgs): Filtering {
  const asked = asks(shape, cluster, args);
  return {
    scope: 'node',
    preemptable: (node) => asked.every(({ amount, column }) => amount <= (column.allocatable[node] ?? 0)),
    filter(node) {
      for (const { amount, column } of asked)
        if ((column.used[node] ?? 0) + amount > (column.allocatable[node] ?? 0)) return false;
      return true;
    },
    reasons: (node) =>
      asked.flatMap(({ name, amount, column }): Reason[] => {
        const [has, used] = [column.allocatable[node] ?? 0, column.used[node] ?? 0];
        if (used + amount <= has) return [];
        return [
          {
            reason: name === 'pods' ? 'Too many pods' : `Insufficient ${name}`,
            detail: `${name}: asks for ${shown(name, amount)}, ${shown(name, Math.max(0, has - used))} of ${shown(name, has)} is free`,
          },
        ];
      }),
  };
}

function shown(resource: string, units: number): string {
  if (resource === 'cpu') return `${units}m`;
  return resource === 'memory' && units >= 2 ** 20 ? `${Math.floor(units / 2 ** 20)}Mi` : String(units);
}

/** One resource of a node as the scores see it: what it would hold with the pod, and what it has. */
interface Rated {
  readonly weight: number;
  readonly asked: number;
  readonly used: (node: number) => number;
  readonly column: ResourceColumn;
}

/** Resources of every node; others are compared only where the pod asks for them. */
const NATIVE: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];

/**
 * Resources that are compared. By `weight`, cpu and memory have a floor for containers that ask for nothing; by
 * `requests` they have none.
 */
export function ratedResources(
  shape: PodShape,
  cluster: ClusterState,
  resources: readonly { readonly name: string; readonly weight: number }[],
  by: 'weight' | 'requests',
): Rated[] {
  const { weights } = cluster;
  return resources.flatMap(({ name, weight }): Rated[] => {
    const column = cluster.resource(name);
    if (by === 'weight' && (name === 'cpu' || name === 'memory'))
      return [{ weight, asked: shape.weight[name], used: (node) => weights[name][node] ?? 0, column }];
    const asked = shape.requests.get(name) ?? 0;
    return asked > 0 || NATIVE.includes(name)
      ? [{ weight, asked, used: (node) => column.used[node] ?? 0, column }]
      : [];
  });
}

function rate(shape: PodShape, cluster: ClusterState, strategy: ScoringStrategy): Scoring | undefined {
  const rated = ratedResources(shape, cluster, strategy.resources, 'weight');
  if (rated.length === 0) return undefined;
  const score = scorer(strategy);
  // As in kube-scheduler: with this strategy a resource that scores nothing has no say.
  const leavesOutZero = strategy.type === 'RequestedToCapacityRatio';
  return {
    scope: 'node',
    score(node) {
      let sum = 0;
      let weights = 0;
      for (const { weight, asked, used, column } of rated) {
        const has = column.allocatable[node] ?? 0;
        if (has === 0) continue;
        const points = score((used(node) + asked) / has);
        if (points === 0 && leavesOutZero) continue;
        sum += weight * points;
        weights += weight;
      }
      return weights === 0 ? 0 : sum / weights;
    },
  };
}

/** Score of a resource by the share of it that would be in use (may exceed 1). */
function scorer(strategy: ScoringStrategy): (share: number) => number {
  switch (strategy.type) {
    case 'LeastAllocated':
      return (share) => (share > 1 ? 0 : (1 - share) * MAX_NODE_SCORE);
    case 'MostAllocated':
      return (share) => Math.min(1, share) * MAX_NODE_SCORE;
    case 'RequestedToCapacityRatio': {
      const points = strategy.requestedToCapacityRatio?.shape ?? [];
      return (share) => piecewise(points, Math.min(100, share * 100)) * (MAX_NODE_SCORE / 10);
    }
  }
}

/** Linear between the points, level outside them. Points are in the order of their utilization. */
function piecewise(
  points: readonly { readonly utilization: number; readonly score: number }[],
  utilization: number,
): number {
  const after = points.findIndex((point) => utilization <= point.utilization);
  const [left, right] = [points[after - 1], points[after]];
  if (!right) return points.at(-1)?.score ?? 0;
  if (!left) return right.score;
  return (
    left.score +
    ((right.score - left.score) * (utilization - left.utilization)) / (right.utilization - left.utilization)
  );
}
