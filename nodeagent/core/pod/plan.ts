/** What to do next for a pod that should run. Called again after every step and whenever something changed. */
import type { Pod, PodStatus } from '../../../contracts/objects/index.ts';
import { EVICTED } from '../node/eviction.ts';
import type { Refusal } from './admission.ts';
import { addressToKeep } from './address.ts';
import { restartAfter, type Ended } from './backoff.ts';
import { ANNOTATION, isLimited } from './identity.ts';
import { isPullDue, isResizeDue, isStartDue } from './due.ts';
import type { PodMemory } from './memory.ts';
import {
  annotated,
  containerViews,
  isOver,
  presentSandbox,
  type ContainerView,
  type ObservedContainer,
  type ObservedPod,
  type ProbeVerdict,
} from './observed.ts';
import { resizableOf } from './allocation.ts';
import { isResizable, resizeOf, type ResizeVerdict } from './resize.ts';
import { podLimits, sameLimits } from './pod-limits.ts';
import { restarts } from './restart.ts';
import { inTurn } from './start-order.ts';
import type { PodStep } from './steps.ts';
import { planEnd } from './terminate.ts';
import { volumesMayFail } from './volumes/index.ts';

export interface PodInput {
  /** As its node has allocated it. */
  readonly pod: Pod;
  /** Of what the pod asks for now. */
  readonly resize?: ResizeVerdict | undefined;
  readonly observed: ObservedPod;
  readonly memory: PodMemory;
  readonly probes: ReadonlyMap<string, ProbeVerdict>;
  /** Last status that was reported, also by an agent before this one. */
  readonly previous: PodStatus | undefined;
  /** See {@link volumesVersion}. */
  readonly volumesVersion: string;
  /** Why the node does not take the pod in, or gives it up; undefined for one that may stay. */
  readonly refused?: GivenUp | undefined;
  /** The disk is short: what is only kept to be looked at goes. */
  readonly reclaim?: boolean | undefined;
  /** When each container that has ended did, by the monotonic clock, by container id. */
  readonly ends: ReadonlyMap<string, number>;
  /** What the wall shows, milliseconds since 1970: for times that are told, and the deadline, which counts from one. */
  readonly now: number;
  /** Milliseconds of the clock that never steps: for all pauses. */
  readonly monotonic: number;
}

/** What a pod is evicted for: that its node is short of something, or that it took more than it may. */
export type EvictionCause = 'NodePressure' | 'Limit';

export interface GivenUp extends Refusal {
  /** Of an eviction. */
  readonly cause?: EvictionCause;
}

export interface PodPlan {
  readonly steps: readonly PodStep[];
  /** Look again then, by the monotonic clock, even if nothing changes. */
  readonly wakeAt: number | undefined;
  /** The pod is over and stays over: `Succeeded`, `Failed`. */
  readonly over: PodOver | undefined;
}
export interface PodOver {
  readonly phase: 'Succeeded' | 'Failed';
  readonly reason?: string;
  readonly message?: string;
  /** Why its node ended it; told once, with the status that says so first. */
  readonly cause?: EvictionCause | 'NodeShutdown';
}

const NOTHING: PodPlan = { steps: [], wakeAt: undefined, over: undefined };

export function planPod(input: PodInput): PodPlan {
  const views = containerViews(input.pod, input.observed);
  const over = podOver(input, views);
  if (over) {
    const evicted = over.reason === EVICTED;
    const reason = evicted ? EVICTED : over.reason === 'DeadlineExceeded' ? 'DeadlineExceeded' : 'PodOver';
    // What an evicted pod leaves behind is what the node lacks.
    const graceSeconds = evicted ? 0 : input.pod.spec.terminationGracePeriodSeconds;
    return {
      ...NOTHING,
      over,
      steps: planEnd(input.observed, { pod: input.pod, graceSeconds, reason, memory: input.memory, remove: evicted }),
    };
  }
  const due = deadline(input);
  const plan = merge([
    planSandbox(input, views),
    planContainers(input, views),
    planLimits(input, views),
    planTidy(input, views),
  ]);
  return {
    ...plan,
    wakeAt: earliest([plan.wakeAt, due === undefined ? undefined : input.monotonic + due - input.now]),
  };
}

/**
 * Once over, always over: an earlier report counts, so that an agent that starts anew does not run a finished pod
 * again.
 */
function podOver(input: PodInput, views: readonly ContainerView[]): PodOver | undefined {
  const { previous } = input;
  if (previous?.phase === 'Succeeded' || previous?.phase === 'Failed') {
    return {
      phase: previous.phase,
      ...(previous.reason !== undefined && { reason: previous.reason }),
      ...(previous.message !== undefined && { message: previous.message }),
    };
  }
  if (input.refused) return { phase: 'Failed', ...input.refused };
  const due = deadline(input);
  if (due !== undefined && due <= input.now) {
    return {
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
  }
  const endedForGood = ({
    container,
    view,
  }: {
    container: ObservedContainer | undefined;
    view: ContainerView;
  }): boolean => container !== undefined && isOver(container) && !comesBack(input, view, container);
  const failed = (container: ObservedContainer | undefined): boolean => (container?.detail.exitCode ?? 0) !== 0;
  const init = views.filter(({ role }) => role === 'init');
  if (init.some((view) => failed(view.current) && endedForGood({ view, container: view.current })))
    return { phase: 'Failed' };
  // Sidecars are not asked: the pod is over without them.
  const apps = views.filter(({ role }) => role === 'app');
  if (!apps.every((view) => endedForGood({ view, container: view.newest }))) return undefined;
  return { phase: apps.some(({ newest }) => failed(newest)) ? 'Failed' : 'Succeeded' };
}

function deadline(input: PodInput): number | undefined {
  const seconds = input.pod.spec.activeDeadlineSeconds;
  const start = input.previous?.startTime;
  return seconds === undefined || start === undefined ? undefined : Date.parse(start) + seconds * 1000;
}

function planSandbox(input: PodInput, views: readonly ContainerView[]): PodPlan {
  const { observed, memory, pod } = input;
  const steps: PodStep[] = [];
  const present = presentSandbox(observed);
  const volumesFailed = memory.volumes?.failure;
  const volumesDue = volumesFailed ? volumesFailed.at + volumesFailed.pauseMs : undefined;
  if (memory.volumes?.version !== input.volumesVersion || (volumesDue !== undefined && volumesDue <= input.monotonic)) {
    steps.push({ do: 'syncVolumes', version: input.volumesVersion });
  }
  if (present) return { ...NOTHING, steps };

  // What an old sandbox left running would be a second copy of the pod.
  const strays = observed.containers.filter((c) => c.state === 'running');
  if (strays.length > 0) {
    return {
      ...NOTHING,
      steps: planEnd(observed, {
        pod,
        graceSeconds: pod.spec.terminationGracePeriodSeconds,
        reason: 'SandboxChanged',
        memory,
        remove: false,
      }),
    };
  }
  const unstopped = observed.sandboxes.filter((sandbox) => !memory.stopped.has(sandbox.id));
  if (unstopped.length > 0)
    return {
      ...NOTHING,
      steps: [...steps, ...unstopped.map((sandbox): PodStep => ({ do: 'stopSandbox', id: sandbox.id }))],
    };

  const due = memory.sandbox ? memory.sandbox.at + memory.sandbox.pauseMs : input.monotonic;
  const wakeAt = earliest([
    due > input.monotonic ? due : undefined,
    volumesDue !== undefined && volumesDue > input.monotonic ? volumesDue : undefined,
  ]);
  if (due > input.monotonic || volumesFailed) return { ...NOTHING, steps, wakeAt };
  // A pod whose volumes cannot be made keeps no address.
  if (steps.length > 0 && volumesMayFail(pod)) return { ...NOTHING, steps, wakeAt };
  steps.push({
    do: 'runSandbox',
    attempt: (observed.sandboxes[0]?.attempt ?? -1) + 1,
    address: addressToKeep(pod, observed, memory),
  });
  for (const view of inTurn(views, observed, input.probes)) steps.push(...imageStep(input, view));
  return { ...NOTHING, steps, wakeAt };
}

function planContainers(input: PodInput, views: readonly ContainerView[]): PodPlan {
  const sandbox = presentSandbox(input.observed);
  if (!sandbox) return NOTHING;
  return merge(
    inTurn(views, input.observed, input.probes).map((view) => planContainer(input, view, sandbox.id, sandbox.attempt)),
  );
}

function planContainer(input: PodInput, view: ContainerView, sandboxId: string, sandboxAttempt: number): PodPlan {
  const { pod, memory, monotonic: now } = input;
  const { current, newest } = view;
  if (current?.state === 'running') {
    const kill = input.probes.get(current.id)?.kill;
    if (!kill) return planResize(input, view, current);
    return {
      ...NOTHING,
      steps: [
        {
          do: 'killContainer',
          id: current.id,
          container: view.spec.name,
          reason: 'Unhealthy',
          message: kill.message,
          graceSeconds: kill.graceSeconds ?? pod.spec.terminationGracePeriodSeconds,
          preStop: view.spec.lifecycle?.preStop,
          after: [],
        },
      ],
    };
  }
  // Made but never started: an agent before this one was cut off in between.
  if (current?.state === 'created') return { ...NOTHING, steps: [{ do: 'removeContainer', id: current.id }] };
  if (newest && isOver(newest) && !mayRestart(input, view, newest)) return NOTHING;

  const start = startDue(input, view, newest);
  if (start.at > now) return { ...NOTHING, wakeAt: start.at };
  if (memory.volumes === undefined || memory.volumes.failure || memory.volumes.version !== input.volumesVersion)
    return NOTHING;
  const image = memory.images.get(view.spec.name);
  if (image?.ready !== true) {
    const due = isPullDue(memory, view.spec.name, now);
    return due.now ? { ...NOTHING, steps: imageStep(input, view) } : { ...NOTHING, wakeAt: due.at };
  }
  const due = isStartDue(memory, view.spec.name, now);
  if (!due.now) return { ...NOTHING, wakeAt: due.at };
  return {
    ...NOTHING,
    steps: [
      {
        do: 'startContainer',
        container: view.spec.name,
        sandboxId,
        sandboxAttempt,
        attempt: {
          number: newest ? newest.attempt + 1 : 0,
          restarts: newest ? view.restarts + 1 : 0,
          backoffMs: start.successorPauseMs,
          role: view.role,
        },
      },
    ],
  };
}

function imageStep(input: PodInput, view: ContainerView): readonly PodStep[] {
  const known = input.memory.images.get(view.spec.name);
  if (known?.ready === true || !isPullDue(input.memory, view.spec.name, input.monotonic).now) return [];
  return [{ do: 'ensureImage', container: view.spec.name, image: view.spec.image, policy: view.spec.imagePullPolicy }];
}

/** The pod's first containers wait for nothing; a successor waits for its predecessor's pause. */
function startDue(
  input: PodInput,
  view: ContainerView,
  newest: ObservedContainer | undefined,
): { readonly at: number; readonly successorPauseMs: number } {
  if (!newest) return { at: input.monotonic, successorPauseMs: 0 };
  const ended = endOf(input, newest);
  const due = restartAfter(ended);
  // A machine that went down is no fault of its pods, nor is it theirs to be made anew with other resources.
  return view.current && resizeOf(view.spec, newest, input) !== 'restart'
    ? due
    : { at: input.monotonic, successorPauseMs: ended.backoffMs };
}

/** One whose end was not dated has just ended. */
export function endOf({ ends, monotonic }: Pick<PodInput, 'ends' | 'monotonic'>, container: ObservedContainer): Ended {
  const { startedAt, finishedAt } = container.detail;
  return {
    startedAt,
    finishedAt,
    endedAt: ends.get(container.id) ?? monotonic,
    backoffMs: annotated(container, ANNOTATION.backoff),
  };
}

function mayRestart(input: PodInput, view: ContainerView, newest: ObservedContainer): boolean {
  return (view.role === 'init' && view.current === undefined) || comesBack(input, view, newest);
}

/** Whether a container that ended is made anew: by its policy, or with the resources that it was ended for. */
export function comesBack(input: PodInput, view: ContainerView, ended: ObservedContainer): boolean {
  return (
    restarts(input.pod, view, ended.detail.exitCode) ||
    // One that has done its work by itself has done it, whatever its resources become.
    (isResizable(view) && input.memory.endedToResize.has(ended.id) && resizeOf(view.spec, ended, input) === 'restart')
  );
}

function planResize(input: PodInput, view: ContainerView, current: ObservedContainer): PodPlan {
  const { spec } = view;
  const resize = isResizable(view) ? resizeOf(spec, current, input) : 'none';
  if (resize === 'none') return NOTHING;
  if (resize === 'restart')
    return {
      ...NOTHING,
      steps: [
        {
          do: 'killContainer',
          id: current.id,
          container: spec.name,
          reason: 'Resized',
          message: `Container ${spec.name} resize requires restart`,
          graceSeconds: input.pod.spec.terminationGracePeriodSeconds,
          preStop: spec.lifecycle?.preStop,
          after: [],
        },
      ],
    };
  const due = isResizeDue(input.memory, spec.name, input.monotonic);
  return due.now
    ? {
        ...NOTHING,
        steps: [{ do: 'resizeContainer', id: current.id, container: spec.name, to: resizableOf(spec) }],
      }
    : { ...NOTHING, wakeAt: due.at };
}

/**
 * A pod's limits are raised before a container's, and lowered when all containers have theirs. Until one is resized, they
 * are what they were made with.
 */
function planLimits({ pod, observed, memory, previous }: PodInput, views: readonly ContainerView[]): PodPlan {
  const sandbox = presentSandbox(observed);
  if (!sandbox || !isLimited(sandbox)) return NOTHING;
  const running = views.flatMap((view) =>
    isResizable(view) && view.current?.state === 'running' ? [{ spec: view.spec, current: view.current }] : [],
  );
  if (!memory.limits && !running.some(({ current }) => memory.resized.has(current.id))) return NOTHING;
  if (running.some(({ spec, current }) => resizeOf(spec, current, { memory, previous }) !== 'none')) return NOTHING;
  const limits = podLimits(pod);
  return sameLimits(memory.limits, limits) ? NOTHING : { ...NOTHING, steps: [{ do: 'limitPod', limits }] };
}

/**
 * One ended predecessor of each container is kept for its log while the disk has room; older ones and empty sandboxes
 * go.
 */
function planTidy(input: PodInput, views: readonly ContainerView[]): PodPlan {
  const { observed } = input;
  const present = presentSandbox(observed);
  if (!present) return NOTHING;
  const kept = new Set(
    views.flatMap((view) => [view.newest?.id, ...(input.reclaim === true ? [] : [view.previous?.id])]),
  );
  const superseded = observed.containers.filter((c) => isOver(c) && !kept.has(c.id));
  const oldSandboxes = observed.sandboxes.filter(
    (sandbox) => sandbox.id !== present.id && !observed.containers.some((c) => c.sandboxId === sandbox.id),
  );
  return {
    ...NOTHING,
    steps: [
      ...superseded.map((c): PodStep => ({ do: 'removeContainer', id: c.id })),
      ...oldSandboxes.map((sandbox): PodStep => ({ do: 'removeSandbox', id: sandbox.id })),
    ],
  };
}

function merge(plans: readonly PodPlan[]): PodPlan {
  return {
    steps: plans.flatMap((plan) => plan.steps),
    wakeAt: earliest(plans.map((plan) => plan.wakeAt)),
    over: undefined,
  };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const set = times.filter((time) => time !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}
