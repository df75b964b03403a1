/**
 * How a pod ends: its containers together, each with its hook and its grace; of these its sidecars last, the one that
 * started first after the others; then its sandbox, then what is left of it. Source: Kubernetes
 * pkg/kubelet/kuberuntime/kuberuntime_termination_order.go.
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { allContainers, isSidecar } from '../../../contracts/objects/pod-containers.ts';
import { ANNOTATION } from './identity.ts';
import type { PodMemory } from './memory.ts';
import { annotated, type ObservedContainer, type ObservedPod } from './observed.ts';
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
    return inOrder(running, ending.pod).map(({ container, after }): PodStep => ({
      do: 'killContainer',
      id: container.id,
      container: container.name,
      graceSeconds: ending.graceSeconds,
      reason: ending.reason,
      message: `Stopping container ${container.name}`,
      preStop:
        ending.pod && allContainers(ending.pod.spec).find(({ name }) => name === container.name)?.lifecycle?.preStop,
      after,
    }));
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

interface Turn {
  readonly container: ObservedContainer;
  /** Ids of those that end before it. */
  readonly after: readonly string[];
}

/** Who waits comes after whom it waits for. Without a spec, sidecars are known by what was written on them. */
function inOrder(running: readonly ObservedContainer[], pod: Pod | undefined): readonly Turn[] {
  const sidecars = (pod?.spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name);
  const place = ({ name, annotations }: ObservedContainer): number =>
    pod ? sidecars.indexOf(name) : annotations[ANNOTATION.role] === 'sidecar' ? 0 : -1;
  const placed = running.map((container) => ({ container, place: place(container) }));
  return placed
    .map(({ container, place: own }) => ({
      container,
      own,
      after:
        own < 0
          ? []
          : placed.filter((other) => other.place < 0 || other.place > own).map((other) => other.container.id),
    }))
    .sort((a, b) => a.after.length - b.after.length);
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
