/** Two nodes, and pods of one ReplicaSet that are all on the first; one of them may be evicted. */
import { PodDisruptionBudgetManifest, type Pod, type PodDisruptionBudget } from '../../../contracts/objects/index.ts';
import type { Step } from '../../../reconciler/core/step.ts';
import { node, pod, running } from '../../unit/controllers/objects.ts';

export function crowd(count: number): Step[] {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'uid-web', controller: true };
  const pods = Array.from({ length: count }, (_, i): Pod =>
    running(pod(`web-${i}`, { nodeName: 'node-1' }, { labels: { app: 'web' }, ownerReferences: [owner] }), true),
  );
  const manifest = PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { minAvailable: count - 1, selector: { matchLabels: { app: 'web' } } },
  });
  const budget: PodDisruptionBudget = {
    ...manifest,
    status: {
      observedGeneration: 1,
      disruptionsAllowed: 1,
      currentHealthy: count,
      desiredHealthy: count - 1,
      expectedPods: count,
    },
  };
  return [node('node-1'), node('node-2'), ...pods, budget].map((object) => ({ do: 'create', object }));
}
