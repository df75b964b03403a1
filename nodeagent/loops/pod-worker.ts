/** Brings one pod to what it should be: looks, plans, does, and looks again. One pass at a time. */
import { errorText } from '../../contracts/errors.ts';
import type { Pod, PodStatus } from '../../contracts/objects/index.ts';
import { lastingContainers } from '../../contracts/objects/pod-containers.ts';
import type { Pressure } from '../../contracts/objects/taints.ts';
import type { Refusal } from '../core/pod/admission.ts';
import { memoryAfter, remember, type PodMemory, type StepOutcome } from '../core/pod/memory.ts';
import { datedEnds, NOTHING_OBSERVED, type ObservedPod } from '../core/pod/observed.ts';
import type { PodObjects } from '../core/pod/objects.ts';
import { planPod, type EvictionCause, type GivenUp, type PodInput, type PodPlan } from '../core/pod/plan.ts';
import type { PodIdentity } from '../core/pod/runtime-types.ts';
import { allocatedBefore, asked, sameAllocation, withAllocation, type Allocation } from '../core/pod/allocation.ts';
import type { ResizeVerdict } from '../core/pod/resize.ts';
import { statusEvents } from '../core/pod/status-events.ts';
import { podStatus } from '../core/pod/status.ts';
import type { PodStep } from '../core/pod/steps.ts';
import { EVICTED } from '../core/node/eviction.ts';
import { goesOn, TERMINATED } from '../core/node/shutdown.ts';
import { deletionGrace, planEnd } from '../core/pod/terminate.ts';
import { volumesVersion } from '../core/pod/volumes/index.ts';
import { createPodObserver } from './pod-observer.ts';
import { performStep, type StepContext, type StepDeps } from './pod-steps.ts';
import type { Prober } from './prober.ts';
import type { PodEvent, StatusHub } from './status-hub.ts';
import { createWaker } from './waker.ts';

export interface PodWorkerDeps extends StepDeps {
  readonly hub: StatusHub;
  readonly prober: Prober;
  objects(namespace: string): PodObjects;
  /** What the node is short of. */
  pressures(): readonly Pressure[];
  /** Whether the node has room for cpu and memory that a pod of its own asks for now. */
  judgeResize(uid: string, wanted: Pod): ResizeVerdict;
  /** Nothing of the pod is left on the node. `last`: the last status that was told of it. */
  onGone(identity: PodIdentity, last: PodStatus | undefined): void;
  /** The runtime's ids of the pod's parts, whenever they were looked at. */
  onObserved(identity: PodIdentity, observed: ObservedPod): void;
}

export interface PodWorker {
  readonly identity: PodIdentity;
  /** It runs no more, or never will: it takes nothing of the node. */
  isOver(): boolean;
  /** Nothing of it is on the node but its status. */
  isCleared(): boolean;
  /** With the cpu and memory that the node has said yes to; undefined for one that nobody tells of any more. */
  allocated(): Pod | undefined;
  /** It asks for cpu or memory that the node does not have now. */
  waitsForRoom(): boolean;
  /** What the assignment says now; undefined: it is to be removed. */
  assign(pod: Pod | undefined): void;
  /** A ConfigMap or Secret that the pod names changed. */
  objectsChanged(): void;
  /** The node gives the pod up: it fails with the reason `Evicted`, and nothing of it stays but its status. */
  evict(message: string, cause: EvictionCause): void;
  /**
   * The machine goes down: ends what runs, within so many seconds. Of a pod that goes on when the machine is back nothing
   * more is told; another one is `Failed` then. Resolves when nothing of it runs.
   */
  shutDown(graceSeconds: number): Promise<void>;
  /** Something may be different: look. */
  wake(): void;
  /** The runtime said that this container or sandbox ended; its list may still be a moment behind. */
  noteExit(id: string): void;
  close(): Promise<void>;
}

export interface PodWorkerStart {
  readonly identity: PodIdentity;
  readonly pod: Pod | undefined;
  /** Last reported status, of this agent or one before. */
  readonly previous: PodStatus | undefined;
  /** The node is known to hold nothing of it. */
  readonly fresh: boolean;
  /** The node does not take it in: it fails with that. */
  readonly refused: Refusal | undefined;
}

/** Pauses after steps that failed without a pause of their own. */
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;
/** An exit that the runtime's list does not show yet: looked at again after these. */
const EXIT_LOOKS_MS = [15, 40, 100, 300, 1000];
/** Running steps may end by themselves after the agent was told to go. */
const CLOSE_GRACE_MS = 5000;

export function startPodWorker(deps: PodWorkerDeps, start: PodWorkerStart): PodWorker {
  const { identity } = start;
  const observer = createPodObserver(identity.uid, deps.runtime, deps.files);
  const waker = createWaker(deps.clock);
  const closing = new AbortController();
  let closed = false;
  /** As it was assigned. */
  let assigned = start.pod;
  let allocation: Allocation = new Map();
  let resize: ResizeVerdict = { is: 'fits' };
  /** As the node has allocated it. */
  let pod: Pod | undefined = start.pod;
  let previous = start.previous;
  let memory: PodMemory = memoryAfter(previous);
  if (start.pod) {
    allocation = allocatedBefore(start.pod, previous);
    pod = withAllocation(start.pod, allocation);
  }
  let observed: ObservedPod = NOTHING_OBSERVED;
  let fresh = start.fresh;
  let ends: ReadonlyMap<string, number> = new Map();
  let lookedAt: number | undefined;
  let failures = 0;
  /** The last steps, as text, while they went well and no pass found all as it should be since. */
  let done = '';
  let refused: GivenUp | undefined = start.refused && {
    reason: start.refused.reason,
    message: `Pod was rejected: ${start.refused.message}`,
  };
  /** The machine goes down. */
  let shutdown: { readonly graceSeconds: number; readonly over: () => void } | undefined;
  let hurry = new AbortController();
  let busy = false;
  let refreshing: Promise<void> | undefined;
  const exits = new Map<string, number>();

  const isEnding = (): boolean => assigned === undefined || assigned.metadata.deletionTimestamp !== undefined;
  /** The machine goes down, and with it for good what the pod had begun. */
  const isCutOff = (): boolean =>
    shutdown !== undefined &&
    pod !== undefined &&
    !isEnding() &&
    !isFinal(previous) &&
    observed.containers.length > 0 &&
    !goesOn(pod);
  const now = (): number => deps.clock.monotonic();
  const tell = (event: PodEvent): void => deps.hub.tellEvent(identity, event);

  /** Says yes to cpu and memory that there is room for. A pod that ends keeps what it has. */
  function allocate(): void {
    if (assigned && !isEnding() && !isFinal(previous)) {
      const wanted = asked(assigned);
      resize = sameAllocation(wanted, allocation) ? { is: 'fits' } : deps.judgeResize(identity.uid, assigned);
      if (resize.is === 'fits') allocation = wanted;
    }
    pod = assigned && withAllocation(assigned, allocation);
  }

  async function look(): Promise<void> {
    observed = fresh ? NOTHING_OBSERVED : await observer.observe(pod, closing.signal);
    fresh = false;
    const monotonic = now();
    ends = datedEnds(ends, observed.containers, { now: deps.clock.now().getTime(), monotonic, lookedAt });
    lookedAt = monotonic;
    deps.onObserved(identity, observed);
    for (const id of exits.keys()) if (!isShownAlive(id)) exits.delete(id);
    followProbes();
  }

  function isShownAlive(id: string): boolean {
    return (
      observed.containers.some((c) => c.id === id && c.state === 'running') ||
      observed.sandboxes.some((sandbox) => sandbox.id === id && sandbox.ready)
    );
  }

  function followProbes(): void {
    if (isEnding() || shutdown || !pod) return deps.prober.freeze(identity.uid);
    const probed = lastingContainers(pod.spec);
    const running = observed.containers.flatMap((container) => {
      const spec = container.state === 'running' ? probed.find((c) => c.name === container.name) : undefined;
      return spec ? [{ spec, id: container.id, startedAt: container.detail.startedAt }] : [];
    });
    const address = pod.spec.hostNetwork ? deps.facts().hostIP : observed.address;
    deps.prober.follow(identity, address, running, previous);
  }

  function input(of: Pod): PodInput {
    return {
      pod: of,
      resize,
      observed,
      memory,
      probes: deps.prober.verdicts(identity.uid),
      previous,
      volumesVersion: volumesVersion(of, deps.objects(identity.namespace)),
      refused,
      reclaim: deps.pressures().includes('DiskPressure'),
      ends,
      now: deps.clock.now().getTime(),
      monotonic: now(),
    };
  }

  function plan(): PodPlan {
    const isDeleted = isEnding();
    if (pod && !isDeleted && !shutdown) return planPod(input(pod));
    const ending = {
      pod,
      graceSeconds: Math.min(deletionGrace(pod, observed), shutdown?.graceSeconds ?? Number.POSITIVE_INFINITY),
      reason: isDeleted ? ('Deleted' as const) : ('NodeShutdown' as const),
      memory,
      remove: isDeleted,
    };
    const steps = planEnd(observed, ending);
    return { steps, wakeAt: undefined, over: isCutOff() && steps.length === 0 ? TERMINATED : undefined };
  }

  function report(over: PodPlan['over']): void {
    if (!pod || (shutdown && !isCutOff()) || (isEnding() && memory.cleaned)) return;
    const terminal = isFinal(previous)
      ? {
          phase: previous.phase,
          ...(previous.reason !== undefined && { reason: previous.reason }),
          ...(previous.message !== undefined && { message: previous.message }),
        }
      : undefined;
    const status = podStatus({
      ...input(pod),
      over: over ?? terminal,
      soonOver: isCutOff() ? TERMINATED : undefined,
      hostIP: deps.facts().hostIP,
      hostIPv6: deps.facts().hostIPv6 ?? '',
    });
    for (const event of statusEvents(identity, previous, status)) tell(event);
    previous = status;
    deps.hub.tellPod(identity, status);
  }

  /** Tells what changed while a long step runs. */
  function refresh(): void {
    refreshing ??= look()
      .then(() => {
        // What was assigned meanwhile is not told of before it was weighed.
        allocate();
        report(plan().over);
      })
      .catch(() => undefined)
      .finally(() => {
        refreshing = undefined;
      });
  }

  async function perform(steps: readonly PodStep[]): Promise<boolean> {
    hurry = new AbortController();
    const kills = new Map<string, Promise<boolean>>();
    const context: StepContext = {
      identity,
      pod,
      observed,
      objects: deps.objects(identity.namespace),
      tell,
      ended: (ids) => Promise.all(ids.flatMap((id) => kills.get(id) ?? [])),
      hurry: hurry.signal,
      closing: closing.signal,
    };
    const one = async (step: PodStep): Promise<boolean> => {
      const outcome = await performStep(deps, context, step);
      memory = remember(memory, step, outcome, now());
      if (!outcome.ok) logFailure(step, outcome);
      return outcome.ok || hasOwnPause(step);
    };
    // Containers start in the spec's order, each when the one before it was started.
    const inTurn = async (): Promise<boolean[]> => {
      const results: boolean[] = [];
      for (const step of steps.filter((s) => s.do === 'startContainer'))
        results.push(hurry.signal.aborted || (await one(step)));
      return results;
    };
    const others = steps
      .filter((s) => s.do !== 'startContainer')
      .map((step) => {
        const done = one(step);
        if (step.do === 'killContainer') kills.set(step.id, done);
        return done;
      });
    const results = await Promise.all([...others, inTurn()]);
    return results.flat().every(Boolean);
  }

  function logFailure(step: PodStep, outcome: StepOutcome): void {
    if (!outcome.ok && !hurry.signal.aborted && !closed)
      deps.log.warn('pod step failed', {
        pod: `${identity.namespace}/${identity.name}`,
        step: step.do,
        reason: outcome.reason,
        detail: outcome.message,
      });
  }

  /** Tells when to look again; undefined: when something happens. */
  async function pass(): Promise<number | undefined> {
    await refreshing;
    await look();
    allocate();
    const next = plan();
    report(next.over);
    if (next.steps.length === 0) {
      done = '';
      shutdown?.over();
      if (isEnding()) deps.onGone(identity, previous);
      return exitLook(next.wakeAt);
    }
    busy = true;
    const well = await perform(next.steps).finally(() => {
      busy = false;
    });
    const steps = JSON.stringify(next.steps);
    // What went well and is wanted again changed nothing: at once it would be done as often as the runtime can answer.
    const isProgress = well && steps !== done;
    done = well ? steps : '';
    failures = isProgress ? 0 : failures + 1;
    return isProgress || hurry.signal.aborted
      ? now()
      : now() + Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS);
  }

  function exitLook(wakeAt: number | undefined): number | undefined {
    let at = wakeAt ?? Number.POSITIVE_INFINITY;
    for (const [id, looks] of exits) {
      const pause = EXIT_LOOKS_MS[looks];
      if (pause === undefined) exits.delete(id);
      else {
        exits.set(id, looks + 1);
        at = Math.min(at, now() + pause);
      }
    }
    return Number.isFinite(at) ? at : undefined;
  }

  async function run(): Promise<void> {
    while (!closed) {
      let wakeAt: number | undefined;
      try {
        wakeAt = await pass();
      } catch (cause) {
        if (closed) return;
        failures += 1;
        deps.log.warn('pod pass failed', {
          pod: `${identity.namespace}/${identity.name}`,
          detail: errorText(cause),
        });
        wakeAt = now() + Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10), LONGEST_RETRY_MS);
      }
      await waker.until(wakeAt);
    }
  }
  if (start.refused) tell({ type: 'Warning', ...start.refused });
  const running = run();

  return {
    identity,
    isOver: () => refused !== undefined || isFinal(previous),
    isCleared: () => memory.cleaned,
    allocated: () => pod,
    waitsForRoom: () => resize.is !== 'fits',
    assign(next) {
      const wasEnding = isEnding();
      const before = pod;
      const graceBefore = deletionGrace(pod, observed);
      if (next && !assigned) allocation = allocatedBefore(next, previous);
      assigned =
        next ??
        (assigned && {
          ...assigned,
          metadata: {
            ...assigned.metadata,
            deletionTimestamp: assigned.metadata.deletionTimestamp ?? deps.clock.now().toISOString(),
          },
        });
      pod = assigned && withAllocation(assigned, allocation);
      if (pod && before && tellsOfItself(pod) !== tellsOfItself(before)) this.objectsChanged();
      const isMoreUrgent = isEnding() && (!wasEnding || deletionGrace(pod, observed) < graceBefore);
      if (isMoreUrgent) hurry.abort();
      this.wake();
    },
    objectsChanged() {
      memory = {
        ...memory,
        starts: new Map([...memory.starts].filter(([, failure]) => failure.reason !== 'CreateContainerConfigError')),
        // A registry may let it in now.
        ...(pod?.spec.imagePullSecrets && { images: new Map([...memory.images].filter(([, image]) => image.ready)) }),
      };
      this.wake();
    },
    evict(message, cause) {
      refused = { reason: EVICTED, message, cause };
      tell({ type: 'Warning', reason: EVICTED, message });
      hurry.abort();
      this.wake();
    },
    shutDown(graceSeconds) {
      return new Promise((resolve) => {
        shutdown = { graceSeconds, over: resolve };
        hurry.abort();
        this.wake();
      });
    },
    wake() {
      waker.wake();
      if (busy) refresh();
    },
    noteExit(id) {
      exits.set(id, 0);
      this.wake();
    },
    async close() {
      closed = true;
      hurry.abort();
      waker.wake();
      const late = new AbortController();
      await Promise.race([running, deps.clock.sleep(CLOSE_GRACE_MS, late.signal).catch(() => undefined)]);
      late.abort();
      closing.abort();
      await running;
    },
  };
}

/** What a container may be told of its pod, and that may change. */
function tellsOfItself({ metadata: { labels, annotations } }: Pod): string {
  return JSON.stringify([labels, annotations]);
}

function isFinal(status: PodStatus | undefined): status is PodStatus & { readonly phase: 'Succeeded' | 'Failed' } {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** Steps after whose failure the plan itself waits. */
function hasOwnPause(step: PodStep): boolean {
  return (
    step.do === 'ensureImage' || step.do === 'runSandbox' || step.do === 'startContainer' || step.do === 'syncVolumes'
  );
}
