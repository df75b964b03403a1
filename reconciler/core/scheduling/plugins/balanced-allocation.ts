/** Prefers nodes whose resources are used evenly. Source: kube-scheduler, NodeResourcesBalancedAllocation (100 less the standard deviation). */
import { DEFAULT_SCORING, type NodeResourcesBalancedAllocationArgs } from '../../../../contracts/objects/index.ts';
import { MAX_NODE_SCORE, type Plugin } from '../framework.ts';
import { ratedResources } from './node-resources-fit.ts';

export function balancedAllocation(args: NodeResourcesBalancedAllocationArgs = {}): Plugin {
  const resources = args.resources ?? DEFAULT_SCORING.resources;
  return {
    name: 'NodeResourcesBalancedAllocation',
    preScore(shape, cluster) {
      const rated = ratedResources(shape, cluster, resources, 'requests');
      // A pod that asks for nothing changes no balance: rated, all such pods would go to the node that happens to be even.
      if (rated.length < 2 || rated.every(({ asked }) => asked === 0)) return undefined;
      const shares = new Float64Array(rated.length);
      return {
        scope: 'node',
        score(node) {
          let count = 0;
          let sum = 0;
          for (const { asked, used, column } of rated) {
            const has = column.allocatable[node] ?? 0;
            if (has === 0) continue;
            const share = Math.min(1, (used(node) + asked) / has);
            shares[count++] = share;
            sum += share;
          }
          if (count === 0) return MAX_NODE_SCORE;
          const mean = sum / count;
          let squares = 0;
          for (let i = 0; i < count; i++) squares += ((shares[i] ?? 0) - mean) ** 2;
          return (1 - Math.sqrt(squares / count)) * MAX_NODE_SCORE;
        },
      };
    },
  };
}
