/**
 * What a Job's policies make of pods that failed, and of indexes that succeeded. Source: Kubernetes,
 * pkg/controller/job/pod_failure_policy.go and success_policy.go.
 */
import type { ContainerStatus, Job, JobSpec, Pod, PodFailurePolicyRule } from '../../../contracts/objects/index.ts';
import { Indexes } from './indexes.ts';

export interface PodFailureVerdict {
  readonly action: PodFailurePolicyRule['action'];
  /** Why the whole Job fails: of `FailJob` only. */
  readonly message?: string;
}

/** What the first rule that matches says; `Count` where none does. */
export function judgePodFailure({ podFailurePolicy }: JobSpec, pod: Pod): PodFailureVerdict {
  for (const [index, rule] of (podFailurePolicy?.rules ?? []).entries()) {
    const cause = causeIn(pod, rule);
    if (cause === undefined) continue;
    return rule.action === 'FailJob'
      ? { action: 'FailJob', message: `${cause} matching FailJob rule at index ${index}` }
      : { action: rule.action };
  }
  return { action: 'Count' };
}

function causeIn(pod: Pod, { onExitCodes, onPodConditions = [] }: PodFailurePolicyRule): string | undefined {
  const name = `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
  if (onExitCodes) {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    const container = [...containerStatuses, ...initContainerStatuses].find((one) => hasExitCode(one, onExitCodes));
    const code = container?.state.terminated?.exitCode;
    return container && `Container ${container.name} for pod ${name} failed with exit code ${code}`;
  }
  const condition = (pod.status?.conditions ?? []).find(({ type, status }) =>
    onPodConditions.some((pattern) => pattern.type === type && pattern.status === status),
  );
  return condition && `Pod ${name} has condition ${condition.type}`;
}

function hasExitCode(
  { name, state }: ContainerStatus,
  { containerName, operator, values }: NonNullable<PodFailurePolicyRule['onExitCodes']>,
): boolean {
  const code = state.terminated?.exitCode;
  if (code === undefined || code === 0 || (containerName !== undefined && containerName !== name)) return false;
  return values.includes(code) === (operator === 'In');
}

/** The index of the first rule that is met, in words; undefined while none is. */
export function metSuccessRule({ spec }: Job, succeeded: Indexes): string | undefined {
  if (succeeded.size === 0) return undefined;
  const met = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount;
    const wanted = Indexes.parse(succeededIndexes, spec.completions ?? 0);
    const found = wanted.common(succeeded);
    return wanted.size > 0 && (found === wanted.size || (succeededCount !== undefined && found >= succeededCount));
  });
  return met < 0 ? undefined : `Matched rules at index ${met}`;
}
