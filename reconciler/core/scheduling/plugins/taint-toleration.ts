/** Taints. Source: Kubernetes documentation, "Taints and Tolerations". */
import { reversed } from '../normalize.ts';
import type { Plugin } from '../framework.ts';
import { tolerates, tolerationsOf, untolerated } from '../../../../contracts/objects/taints.ts';
import { onNode } from './node-state.ts';

export const taintToleration: Plugin = {
  name: 'TaintToleration',
  preFilter(shape, cluster) {
    const tolerations = tolerationsOf(shape.sample.spec);
    const taintOf = (node: number): ReturnType<typeof untolerated> =>
      untolerated(cluster.taints(node), tolerations, ['NoSchedule', 'NoExecute']);
    return onNode(
      (node) => taintOf(node) === undefined,
      (node) => {
        const { key, value = '', effect } = taintOf(node) ?? { key: '', effect: 'NoSchedule' };
        return {
          reason: `node(s) had untolerated taint {${key}: ${value}}`,
          detail: `taint ${key}=${value}:${effect}`,
        };
      },
    );
  },
  /** Taints that only advise: the fewer untolerated the better. */
  preScore(shape, cluster) {
    const tolerations = tolerationsOf(shape.sample.spec);
    const advising = (node: number): number => {
      let count = 0;
      for (const taint of cluster.taints(node))
        if (taint.effect === 'PreferNoSchedule' && !tolerations.some((t) => tolerates(t, taint))) count++;
      return count;
    };
    return cluster.hasAdvisingTaints ? { scope: 'node', score: advising, normalize: reversed } : undefined;
  },
  hint: (event, shape, cluster) =>
    (event.type === 'NodeAdd' || event.type === 'NodeUpdate') &&
    untolerated(cluster.taints(event.node), tolerationsOf(shape.sample.spec), ['NoSchedule', 'NoExecute']) ===
      undefined,
};
