/** What counts of pods only where nodes are compared. */
import { withDefaultTag } from '../../../contracts/objects/image-name.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import { sumOfRequests } from '../../../contracts/objects/pod-requests.ts';

/**
 * A container that does not say what it needs still weighs something where nodes are compared. Source: kube-scheduler's
 * non-zero requests.
 */
const LEAST_WEIGHT = { cpu: '100m', memory: '200Mi' };

/** What a pod weighs where nodes are compared: {@link requestsOf}, with a floor for each container that is silent. */
export function weightOf(pod: Pod): { readonly cpu: number; readonly memory: number } {
  const sum = sumOfRequests(pod.spec, LEAST_WEIGHT);
  return { cpu: sum.get('cpu') ?? 0, memory: sum.get('memory') ?? 0 };
}

/** Images of all containers, each with its tag, as nodes report them. */
export function imagesOf({ spec }: Pod): readonly string[] {
  return [...(spec.initContainers ?? []), ...spec.containers].map(({ image }) => withDefaultTag(image));
}
