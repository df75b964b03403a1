/**
 * How a pod ends: its containers together, each with its hook and its grace, then its sandbox, then what is left of it.
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { ANNOTATION } from './identity.ts';
import type { PodMemory } from './memory.ts';
import { annotated, type ObservedPod } from './observed.ts';
import type { KillReason, PodStep } from './steps.ts';

export interface Ending {
  /** Undefined for a pod that nobody tells of any more: then its hooks are unknown. */
  readonly pod: Pod | undefined;
  readonly graceSeconds: number;
  readonly reason: KillReason;
  readonly memory: PodMemory;
  /** Whether containers and files go too: not for a pod that is over but not deleted, whose logs stay. */
  readonly remove: boolean;
}

/** The next steps; empty when all is done. */
export function planEnd(observed: ObservedPod, ending: Ending): readonly PodStep[] {
  const running = observed.containers.filter((c) => c.state === 'running');
  if (running.length > 0) {
    return running.map((container): PodStep => {
      const spec =
        ending.pod &&
        [...(ending.pod.spec.initContainers ?? []), ...ending.pod.spec.containers].find(
          (c) => c.name === container.name,
        );
      return {
        do: 'killContainer',
        id: container.id,
        container: container.name,
        graceSeconds: ending.graceSeconds,
        reason: ending.reason,
        message: `Stopping container ${container.name}`,
        preStop: spec?.lifecycle?.preStop,
      };
    });
  }
  const unstopped = observed.sandboxes.filter(
    (sandbox) => sandbox.ready || (ending.remove && !ending.memory.stopped.has(sandbox.id)),
  );
  if (unstopped.length > 0) return unstopped.map((sandbox): PodStep => ({ do: 'stopSandbox', id: sandbox.id }));
  if (!ending.remove) return [];
  if (observed.sandboxes.length > 0)
    return observed.sandboxes.map((sandbox): PodStep => ({ do: 'removeSandbox', id: sandbox.id }));
  if (observed.containers.length > 0)
    return observed.containers.map((container): PodStep => ({ do: 'removeContainer', id: container.id }));
  return ending.memory.cleaned ? [] : [{ do: 'cleanUp' }];
}

const DEFAULT_GRACE_SECONDS = 30;

/** Grace of a deletion: what the deletion says, else what the pod says, else what was written on its sandbox. */
export function deletionGrace(pod: Pod | undefined, observed: ObservedPod): number {
  if (pod) return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
  const sandbox = observed.sandboxes[0];
  if (sandbox?.annotations[ANNOTATION.grace] !== undefined) return Number(sandbox.annotations[ANNOTATION.grace]);
  const container = observed.containers[0];
  return container ? annotated(container, ANNOTATION.grace) : DEFAULT_GRACE_SECONDS;
}
