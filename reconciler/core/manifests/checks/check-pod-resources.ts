/**
 * What a pod wants as a whole, beside what its containers want. Source: Kubernetes pkg/apis/core/validation
 * (validatePodResources, validatePodResourceConsistency).
 */
import { parseQuantity, readKey, type PodSpec } from '../../../../contracts/objects/index.ts';
import { isOfWholePod, quantitiesOf, sumOfContainers } from '../../../../contracts/objects/pod-sums.ts';
import type { PlacedContainer } from '../pod-templates.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { checkResources } from './check-resources.ts';
import type { CheckContext } from './context.ts';

export function checkPodResources(
  spec: PodSpec,
  containers: readonly PlacedContainer[],
  path: FieldPath,
  context: CheckContext,
): void {
  const { resources } = spec;
  if (!resources) return;
  const at = [...path, 'resources'];
  for (const part of ['limits', 'requests'] as const)
    for (const name of Object.keys(resources[part] ?? {}))
      if (!isOfWholePod(name) && context.has([...at, part, name]))
        context.error(
          'UnknownResource',
          [...at, part, name],
          'is not for a pod as a whole',
          'known: cpu, memory, hugepages-SIZE; of others write what each container wants',
        );
  checkResources(resources, at, {}, context);
  for (const [name, sum] of Object.entries(quantitiesOf(sumOfContainers(spec, {})))) {
    const request = readKey(resources.requests, name);
    if (request === undefined || parseQuantity(request) >= parseQuantity(sum)) continue;
    const where = (['requests', 'limits'] as const).find((part) => context.has([...at, part, name]));
    context.error(
      'InvalidValue',
      where ? [...at, where, name] : at,
      `must be greater than or equal to aggregate container requests of ${sum}, found ${request}`,
    );
  }
  for (const { container, path: own } of containers)
    for (const [name, limit] of Object.entries(container.resources.limits ?? {})) {
      const ofPod = readKey(resources.limits, name);
      if (ofPod !== undefined && isOfWholePod(name) && parseQuantity(limit) > parseQuantity(ofPod))
        context.error(
          'InvalidValue',
          [...own, 'resources', 'limits', name],
          `must be less than or equal to pod limits of ${ofPod}, found ${limit}`,
        );
    }
}
