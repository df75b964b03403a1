/**
 * Whether a container that ended is started again. Source: Kubernetes documentation, "Container restart policy"; KEP-753
 * (sidecars), KEP-5307 (a container's own policy and rules).
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import type { ContainerView } from './observed.ts';

/** `exitCode`: of the container's end in the pod's present sandbox; in a new one an init container runs again anyhow. */
export function restarts(pod: Pod, { spec, role }: Pick<ContainerView, 'spec' | 'role'>, exitCode: number): boolean {
  if (role === 'sidecar') return true;
  if (role === 'ephemeral') return false;
  // An init container that ended well has done its work, whatever its policy.
  if (role === 'init' && exitCode === 0) return false;
  const rules = spec.restartPolicyRules ?? [];
  if (rules.some(({ exitCodes: { operator, values } }) => values.includes(exitCode) === (operator === 'In')))
    return true;
  switch (spec.restartPolicy ?? pod.spec.restartPolicy) {
    case 'Always':
      return true;
    case 'OnFailure':
      return exitCode !== 0;
    case 'Never':
      return false;
  }
}
