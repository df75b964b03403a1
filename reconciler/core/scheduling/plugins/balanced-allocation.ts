/**
 * Prefers nodes whose resources the pod evens out. Source: kube-scheduler 1.36, NodeResourcesBalancedAllocation: how
 * much smaller the standard deviation of the resources' shares is with the pod than without it. Until 1.35 it was the
 * deviation with the pod alone.
 */
import { DEFAULT_SCORING, type NodeResourcesBalancedAllocationArgs } from '../../../../contracts/objects/index.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';
import { ratedResources } from './node-resources-fit.ts';

/** A pod that changes no balance. The deviation of shares is 0.5 at most, so scores are from 50 to 100. */
const UNCHANGED = 0.75 * MAX_NODE_SCORE;
const STEEPNESS = 0.5 * MAX_NODE_SCORE;

export function balancedAllocation(args: NodeResourcesBalancedAllocationArgs = {}): Plugin {
  const resources = args.resources ?? DEFAULT_SCORING.resources;
  return {
    name: 'NodeResourcesBalancedAllocation',
    preScore(shape, cluster) {
      const rated = ratedResources(shape, cluster, resources, 'requests');
      // A pod that asks for nothing changes no balance: rated, all such pods would go to the node that happens to be
      // even.
      if (rated.length < 2 || rated.every(({ asked }) => asked === 0)) return undefined;
      const [without, including] = [new Float64Array(rated.length), new Float64Array(rated.length)];
      return {
        scope: 'node',
        score(node) {
          let count = 0;
          for (const { asked, used, column } of rated) {
            const has = column.allocatable[node] ?? 0;
            if (has === 0) continue;
            const before = used(node);
            without[count] = Math.min(1, before / has);
            including[count++] = Math.min(1, (before + asked) / has);
          }
          return UNCHANGED + STEEPNESS * (deviation(without, count) - deviation(including, count));
        },
      };
    },
  };
}

/** Standard deviation of the first `count` shares. */
function deviation(shares: Float64Array, count: number): number {
  if (count < 2) return 0;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += shares[i] ?? 0;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((shares[i] ?? 0) - mean) ** 2;
  return Math.sqrt(squares / count);
}
