/**
 * A pod's health: the first thing that keeps it from being ready. Source: Kubernetes documentation, "Pod Lifecycle".
 */
import { findCondition, type ContainerStatus, type Pod } from '../../../contracts/objects/index.ts';
import { isReady, isTerminating } from '../workloads/pod-state.ts';
import type { Health } from './health.ts';

/** Waiting reasons that do not pass by themselves quickly. */
const STUCK: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'RegistryUnavailable',
  'ImageInspectError',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CreatePodSandboxError',
]);

function stuckContainer(containers: readonly ContainerStatus[]): string | undefined {
  for (const { name, state, lastState, restartCount } of containers) {
    if (!state.waiting || !STUCK.has(state.waiting.reason)) continue;
    const ended = lastState.terminated;
    const last =
      ended && state.waiting.reason === 'CrashLoopBackOff'
        ? `; last exit code ${ended.exitCode} (${ended.reason}), ${restartCount} restarts`
        : '';
    return `container ${name}: ${state.waiting.reason}${state.waiting.message === undefined ? '' : `: ${state.waiting.message}`}${last}`;
  }
  return undefined;
}

function failedContainer(containers: readonly ContainerStatus[]): string | undefined {
  const failed = containers.find((container) => (container.state.terminated?.exitCode ?? 0) !== 0);
  return (
    failed?.state.terminated &&
    `container ${failed.name}: exit code ${failed.state.terminated.exitCode} (${failed.state.terminated.reason})`
  );
}

export function podHealth(pod: Pod): Health {
  const { status } = pod;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  if (isTerminating(pod)) return { status: 'Progressing', message: 'is being deleted' };
  if (status?.phase === 'Succeeded') return { status: 'Healthy', message: 'completed' };
  if (status?.phase === 'Failed') {
    const why = [status.reason, status.message].filter(Boolean).join(': ') || failedContainer(containers);
    return { status: 'Degraded', message: `failed${why === undefined ? '' : `: ${why}`}` };
  }
  const stuck = stuckContainer(containers);
  if (stuck !== undefined) return { status: 'Degraded', message: stuck };
  if (isReady(pod)) return { status: 'Healthy', message: `running on ${pod.spec.nodeName ?? 'its node'}` };
  if (pod.spec.nodeName === undefined) {
    const told = findCondition(status?.conditions, 'PodScheduled');
    return {
      status: 'Progressing',
      message:
        told?.status === 'False' ? `not scheduled: ${told.message ?? told.reason ?? ''}` : 'waits to be scheduled',
    };
  }
  const waiting = containers.find((container) => container.state.waiting);
  if (waiting?.state.waiting) {
    const { reason, message } = waiting.state.waiting;
    return {
      status: 'Progressing',
      message: `container ${waiting.name}: ${reason} on ${pod.spec.nodeName}${message === undefined ? '' : `: ${message}`}`,
    };
  }
  const unready = containers.find((container) => container.state.running && !container.ready);
  if (unready)
    return {
      status: 'Progressing',
      message: `container ${unready.name} runs on ${pod.spec.nodeName} and is not ready`,
    };
  const told = findCondition(status?.conditions, 'Ready');
  return { status: 'Progressing', message: told?.message ?? `starts on ${pod.spec.nodeName}` };
}
