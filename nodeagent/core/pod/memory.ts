/**
 * What a pod's worker remembers of its own attempts. Nothing here is needed to be right: an agent that starts anew just
 * tries again.
 */
import type { PodStatus } from '../../../contracts/objects/index.ts';
import { nextPause } from './backoff.ts';
import type { Resources } from './allocation.ts';
import type { PodLimits } from './pod-limits.ts';
import type { PodStep } from './steps.ts';

export interface Failure {
  /** Kubernetes' waiting reason, such as `ErrImagePull`. */
  readonly reason: string;
  readonly message: string;
  /** By the monotonic clock. */
  readonly at: number;
  readonly pauseMs: number;
}

export interface PodMemory {
  /** Images made sure of for the coming start, by container name. */
  readonly images: ReadonlyMap<string, { readonly ready: true } | ({ readonly ready: false } & Failure)>;
  /** Why the last attempt to make or start a container failed, by container name. */
  readonly starts: ReadonlyMap<string, Failure>;
  readonly sandbox: Failure | undefined;
  readonly volumes: { readonly version: string; readonly failure: Failure | undefined } | undefined;
  /** Ids of sandboxes that were stopped. */
  readonly stopped: ReadonlySet<string>;
  readonly cleaned: boolean;
  /** What containers were resized to, by id. */
  readonly resized: ReadonlyMap<string, Resources>;
  /** Ids of containers that were ended to be made anew with other resources, or may have been by an agent before. */
  readonly endedToResize: ReadonlySet<string>;
  /** What the pod as a whole is held to since containers of it were resized. */
  readonly limits: PodLimits | undefined;
  /** Why the last attempt to resize a container failed, by its name. */
  readonly resizes: ReadonlyMap<string, Failure>;
}

export const NO_MEMORY: PodMemory = {
  images: new Map(),
  starts: new Map(),
  sandbox: undefined,
  volumes: undefined,
  stopped: new Set(),
  cleaned: false,
  resized: new Map(),
  endedToResize: new Set(),
  limits: undefined,
  resizes: new Map(),
};

/** What an agent begins with: of what ran when it was told last, an agent before it may have ended some. */
export function memoryAfter(previous: PodStatus | undefined): PodMemory {
  const told = [...(previous?.containerStatuses ?? []), ...(previous?.initContainerStatuses ?? [])];
  const running = told.flatMap(({ state, containerID }) => (state.running ? (containerID ?? []) : []));
  return { ...NO_MEMORY, endedToResize: new Set(running.map((id) => id.replace(/^containerd:\/\//, ''))) };
}

/** How a step ended. `reason` is Kubernetes' word for the failure. */
export type StepOutcome =
  { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly message: string };

/** Pause after a sandbox or container that could not be made. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;

/** `now`: by the monotonic clock. */
export function remember(memory: PodMemory, step: PodStep, outcome: StepOutcome, now: number): PodMemory {
  switch (step.do) {
    case 'ensureImage': {
      const before = memory.images.get(step.container);
      const pauseMs = nextPause(before && !before.ready ? before.pauseMs : 0);
      return {
        ...memory,
        images: withEntry(
          memory.images,
          step.container,
          outcome.ok ? { ready: true } : { ready: false, ...outcome, at: now, pauseMs },
        ),
      };
    }
    case 'startContainer': {
      // The next start makes sure of the image again, as imagePullPolicy Always wants.
      const images = without(memory.images, step.container);
      if (outcome.ok) return { ...memory, images, starts: without(memory.starts, step.container) };
      return {
        ...memory,
        images,
        starts: withEntry(memory.starts, step.container, failure(outcome, memory.starts.get(step.container), now)),
      };
    }
    case 'runSandbox':
      return { ...memory, sandbox: outcome.ok ? undefined : failure(outcome, memory.sandbox, now) };
    case 'syncVolumes':
      return {
        ...memory,
        volumes: {
          version: step.version,
          failure: outcome.ok ? undefined : failure(outcome, memory.volumes?.failure, now),
        },
      };
    case 'stopSandbox':
      return outcome.ok ? { ...memory, stopped: new Set([...memory.stopped, step.id]) } : memory;
    case 'resizeContainer':
      return outcome.ok
        ? {
            ...memory,
            resized: withEntry(memory.resized, step.id, step.to),
            resizes: without(memory.resizes, step.container),
          }
        : {
            ...memory,
            resizes: withEntry(
              memory.resizes,
              step.container,
              failure(outcome, memory.resizes.get(step.container), now),
            ),
          };
    case 'limitPod':
      return outcome.ok ? { ...memory, limits: step.limits } : memory;
    case 'removeContainer':
      return outcome.ok
        ? {
            ...memory,
            resized: without(memory.resized, step.id),
            endedToResize: new Set([...memory.endedToResize].filter((id) => id !== step.id)),
          }
        : memory;
    case 'cleanUp':
      return { ...memory, cleaned: outcome.ok };
    case 'killContainer':
      return step.reason === 'Resized'
        ? { ...memory, endedToResize: new Set([...memory.endedToResize, step.id]) }
        : memory;
    case 'removeSandbox':
      return memory;
  }
}

function failure(
  outcome: { readonly reason: string; readonly message: string },
  before: Failure | undefined,
  now: number,
): Failure {
  return {
    reason: outcome.reason,
    message: outcome.message,
    at: now,
    pauseMs: before ? Math.min(before.pauseMs * 2, LONGEST_RETRY_MS) : FIRST_RETRY_MS,
  };
}

function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V): ReadonlyMap<string, V> {
  return new Map([...map, [key, value]]);
}
function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  return new Map([...map].filter(([one]) => one !== key));
}
