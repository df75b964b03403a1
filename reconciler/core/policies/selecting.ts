/** Which policies are about a pod. */
import { selectorMatches, type NetworkPolicy, type StoredPod } from '../../../contracts/objects/index.ts';

/** Of these, which are of its namespace, those that select it. A pod in the network of its machine is selected by none. */
export function selectingPolicies<P extends NetworkPolicy>(pod: StoredPod, policies: readonly P[]): readonly P[] {
  if (pod.spec.hostNetwork === true) return [];
  return policies.filter(({ spec }) => selectorMatches(spec.podSelector, pod.metadata.labels));
}
