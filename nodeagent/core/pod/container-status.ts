/**
 * The status of one container, in Kubernetes' words. Source: Kubernetes documentation, "Pod Lifecycle"; kubelet's
 * reasons.
 */
import type { ContainerState, ContainerStatus } from '../../../contracts/objects/index.ts';
import { durationText, restartAfter } from './backoff.ts';
import { podTitle } from './identity.ts';
import type { Failure, PodMemory } from './memory.ts';
import { identityOf } from './objects.ts';
import { isOver, type ContainerView, type ObservedContainer } from './observed.ts';
import { comesBack, endOf, type PodInput } from './plan.ts';
import { replaced } from './allocation.ts';
import { inForce, isResizable, resizeOf } from './resize.ts';

/** For how long a failed pull is shown as itself before it is shown as a pause. */
export const PULL_ERROR_SHOWN_MS = 5000;
/** Reason of volumes that could not be made; another one is that of an image that could not be had. */
const MOUNT_FAILED = 'FailedMount';
/** Characters of a runtime's error that a status carries. */
const MAX_MESSAGE = 1024;

export const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

export function containerStatus(input: PodInput, view: ContainerView, initialising: boolean): ContainerStatus {
  const current = view.current;
  const before = [
    ...(input.previous?.containerStatuses ?? []),
    ...(input.previous?.initContainerStatuses ?? []),
    ...(input.previous?.ephemeralContainerStatuses ?? []),
  ].find((s) => s.name === view.spec.name);
  const shown = current ?? view.newest;
  const isOverForGood = input.previous?.phase === 'Succeeded' || input.previous?.phase === 'Failed';
  // Nothing is left of one whose pod was evicted but what was told of it.
  if (isOverForGood && !view.newest && before) return { ...before, ready: false, started: false };
  const state = stateOf(input, view, initialising);
  const running = state.running !== undefined;
  const verdict = current && input.probes.get(current.id);
  const waitsAfterEnd = state.waiting !== undefined && shown !== undefined && isOver(shown);
  const last = waitsAfterEnd ? terminated(shown) : view.previous ? terminated(view.previous) : undefined;
  const started = running && (verdict?.started ?? view.spec.startupProbe === undefined);
  const lastState = last ? { terminated: last } : shown?.attempt === 0 ? {} : (before?.lastState ?? {});
  return {
    name: view.spec.name,
    state,
    lastState,
    ready:
      view.role === 'init'
        ? state.terminated?.exitCode === 0
        : running && started && (verdict?.ready ?? view.spec.readinessProbe === undefined),
    started,
    restartCount: view.restarts,
    image: view.spec.image,
    imageID: shown?.imageRef ?? '',
    ...(shown && { containerID: `containerd://${shown.id}` }),
    ...(view.spec.lifecycle?.stopSignal !== undefined && { stopSignal: view.spec.lifecycle.stopSignal }),
    ...resourcesOf(input, view),
  };
}

/** What its node has said yes to, and what is in force. Source: Kubernetes, KEP-1287, "API changes". */
function resourcesOf(input: PodInput, view: ContainerView): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  const { spec, current } = view;
  const { limits, requests } = spec.resources as Pick<NonNullable<ContainerStatus['resources']>, 'limits' | 'requests'>;
  if (!limits && !requests) return {};
  const runs = isResizable(view) && current?.state === 'running' ? current : undefined;
  const now = runs && resizeOf(spec, runs, input) !== 'none' ? inForce(runs, input) : undefined;
  const allocated = { ...(limits && { limits }), ...(requests && { requests }) };
  return {
    ...(requests && { allocatedResources: requests }),
    resources: now ? replaced(allocated, now) : allocated,
  };
}

function stateOf(input: PodInput, view: ContainerView, initialising: boolean): ContainerState {
  const { current, newest } = view;
  if (current?.state === 'running') return { running: { startedAt: rfc3339(current.detail.startedAt) } };
  const ended = current && isOver(current) ? current : undefined;
  if (ended && staysEnded(input, view, ended)) return { terminated: terminated(ended) };
  const failed = waitingOn(input.memory, view.spec.name, view.spec.image, input.monotonic);
  if (failed) return { waiting: failed };
  if (ended) return pausedOrEnded(input, view, ended);
  // The sandbox went away under it; what it came to is still the last word until a new one is there.
  if (newest && isOver(newest) && staysEnded(input, view, newest)) return { terminated: terminated(newest) };
  if (initialising) return { waiting: { reason: 'PodInitializing' } };
  const unpulled = input.memory.volumes?.failure;
  if (unpulled && unpulled.reason !== MOUNT_FAILED)
    return { waiting: pullFailure(unpulled, 'the image of a volume', input.monotonic) };
  const blocked = whyNoSandbox(input.memory);
  return {
    waiting: { reason: 'ContainerCreating', ...(blocked !== undefined && { message: blocked.slice(0, MAX_MESSAGE) }) },
  };
}

/** What keeps the whole pod from starting, in the words of the event about it. */
function whyNoSandbox(memory: PodMemory): string | undefined {
  return (
    memory.volumes?.failure?.message ?? (memory.sandbox && `Failed to create pod sandbox: ${memory.sandbox.message}`)
  );
}

function waitingOn(
  memory: PodMemory,
  name: string,
  imageName: string,
  now: number,
): { reason: string; message?: string } | undefined {
  const start = memory.starts.get(name);
  if (start) return { reason: start.reason, message: start.message };
  const image = memory.images.get(name);
  if (image?.ready !== false) return undefined;
  return pullFailure(image, `image "${imageName}"`, now);
}

function pullFailure(failure: Failure, what: string, now: number): { reason: string; message: string } {
  return failure.reason === 'ErrImagePull' && now - failure.at >= PULL_ERROR_SHOWN_MS
    ? { reason: 'ImagePullBackOff', message: `Back-off pulling ${what}` }
    : { reason: failure.reason, message: failure.message.slice(0, MAX_MESSAGE) };
}

function pausedOrEnded(input: PodInput, view: ContainerView, ended: ObservedContainer): ContainerState {
  const { at, pauseMs } = restartAfter(endOf(input, ended));
  if (pauseMs === 0 || at <= input.monotonic) return { terminated: terminated(ended) };
  const title = podTitle(identityOf(input.pod));
  return {
    waiting: {
      reason: 'CrashLoopBackOff',
      message: `back-off ${durationText(pauseMs)} restarting failed container=${view.spec.name} pod=${title}`,
    },
  };
}

function staysEnded(input: PodInput, view: ContainerView, ended: ObservedContainer): boolean {
  const over =
    input.previous?.phase === 'Succeeded' ||
    input.previous?.phase === 'Failed' ||
    input.pod.metadata.deletionTimestamp !== undefined;
  return over || !comesBack(input, view, ended);
}

function terminated(container: ObservedContainer): NonNullable<ContainerState['terminated']> {
  const { detail } = container;
  const finished = detail.finishedAt || container.createdAt;
  return {
    exitCode: detail.exitCode,
    reason: detail.reason !== '' ? detail.reason : detail.exitCode === 0 ? 'Completed' : 'Error',
    ...(detail.message !== '' && { message: detail.message }),
    startedAt: rfc3339(detail.startedAt || container.createdAt),
    finishedAt: rfc3339(finished),
    containerID: `containerd://${container.id}`,
  };
}
