/** A pod's status as its node reports it. Source: Kubernetes documentation, "Pod Lifecycle": phase, conditions. */
import { withCondition } from '../../../contracts/objects/conditions.ts';
import type { Condition, ContainerStatus, PodStatus } from '../../../contracts/objects/index.ts';
import { qosClass } from '../../../contracts/objects/qos.ts';
import { containerStatus, rfc3339 } from './container-status.ts';
import { containerViews, presentSandbox } from './observed.ts';
import type { PodInput, PodOver } from './plan.ts';
import { isResizable, resizeOf } from './resize.ts';
import { initFront } from './start-order.ts';

export interface StatusInput extends PodInput {
  readonly over: PodOver | undefined;
  /** How the pod will be over, once nothing of it runs. */
  readonly soonOver?: PodOver | undefined;
  readonly hostIP: string;
  /** Empty where the machine has none, or the cluster no IPv6. */
  readonly hostIPv6?: string;
}

export function podStatus(input: StatusInput): PodStatus {
  const views = containerViews(input.pod, input.observed);
  const initViews = views.filter(({ role }) => role === 'init' || role === 'sidecar');
  const sidecars = new Set(views.filter(({ role }) => role === 'sidecar').map(({ spec }) => spec.name));
  const firstPending = initFront(views, input.probes);
  const appsRan = views.some((view) => view.role === 'app' && view.newest !== undefined);
  const initialised = firstPending === undefined || appsRan;
  const overAlready: StatusInput =
    input.over && input.previous?.phase !== input.over.phase
      ? { ...input, previous: { ...input.previous, phase: input.over.phase } }
      : input;
  const inits = initViews.map((view) => containerStatus(overAlready, view, view !== firstPending));
  const apps = views
    .filter((view) => view.role === 'app')
    .map((view) => containerStatus(overAlready, view, !initialised));
  // They count in nothing: neither in the phase nor in Ready.
  const ephemeral = views
    .filter(({ role }) => role === 'ephemeral')
    .map((view) => ({ ...containerStatus(overAlready, view, false), ready: false }));
  // A pod that its node refused has no containers to tell of.
  const neverRan =
    input.over !== undefined &&
    views.every((view) => view.newest === undefined) &&
    input.previous?.containerStatuses === undefined;
  const phase = phaseOf(input, inits, apps, initialised);
  const address =
    input.observed.address !== ''
      ? input.observed.address
      : input.pod.spec.hostNetwork && input.observed.sandboxes.length > 0
        ? input.hostIP
        : input.over || input.pod.metadata.deletionTimestamp !== undefined
          ? input.previous?.podIP
          : undefined;
  return {
    phase,
    conditions: conditionsOf(input, phase, { inits, apps, sidecars, initialised }),
    ...(input.over?.reason !== undefined && { reason: input.over.reason }),
    ...(input.over?.message !== undefined && { message: input.over.message }),
    ...(input.pod.metadata.generation !== undefined && { observedGeneration: input.pod.metadata.generation }),
    qosClass: qosClass(input.pod.spec),
    ...(input.hostIP !== '' && { hostIP: input.hostIP, hostIPs: listOf(input.hostIP, input.hostIPv6) }),
    ...(address !== undefined &&
      address !== '' && { podIP: address, podIPs: listOf(address, secondAddress(input, address)) }),
    startTime: input.previous?.startTime ?? rfc3339(input.now),
    ...(!neverRan && inits.length > 0 && { initContainerStatuses: inits }),
    ...(!neverRan && { containerStatuses: apps }),
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
  };
}

function listOf(...addresses: readonly (string | undefined)[]): { readonly ip: string }[] {
  return addresses.flatMap((ip) => (ip === undefined || ip === '' ? [] : [{ ip }]));
}

/** The address of IPv6 that goes with the first one. */
function secondAddress({ observed, pod, previous, hostIPv6 }: StatusInput, first: string): string | undefined {
  if (observed.address !== '') return observed.addressIPv6;
  if (pod.spec.hostNetwork) return hostIPv6;
  return previous?.podIP === first ? previous.podIPs?.[1]?.ip : undefined;
}

/**
 * A status that was told before the machine was started anew, as it can only be now: what ran has ended, in the words
 * of a runtime that finds it ended. Told until the pod was looked at.
 */
export function statusAfterReboot(before: PodStatus, now: number): PodStatus {
  if (before.phase === 'Succeeded' || before.phase === 'Failed') return before;
  const ended = (status: ContainerStatus): ContainerStatus => {
    const { running } = status.state;
    const terminated = running && {
      exitCode: 255,
      reason: 'Unknown',
      startedAt: running.startedAt,
      finishedAt: rfc3339(now),
      containerID: status.containerID ?? '',
    };
    return { ...status, ready: false, started: false, ...(terminated && { state: { terminated } }) };
  };
  const apps = (before.containerStatuses ?? []).map(ended);
  const inits = before.initContainerStatuses?.map((status) => (status.state.running ? ended(status) : status));
  const ephemeral = before.ephemeralContainerStatuses?.map((status) => (status.state.running ? ended(status) : status));
  const unready: Omit<Condition, 'type'> = {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${apps.map(({ name }) => name).join(' ')}]`,
  };
  const conditions = (['Ready', 'ContainersReady'] as const).reduce<readonly Condition[] | undefined>(
    (list, type) => withCondition(list, { type, ...unready }, rfc3339(now)),
    before.conditions,
  );
  return {
    ...before,
    ...(conditions && { conditions: [...conditions] }),
    ...(inits && { initContainerStatuses: inits }),
    ...(ephemeral && { ephemeralContainerStatuses: ephemeral }),
    containerStatuses: apps,
  };
}

function phaseOf(
  input: StatusInput,
  inits: readonly ContainerStatus[],
  apps: readonly ContainerStatus[],
  initialised: boolean,
): PodStatus['phase'] {
  if (input.over && !sidecarsEndYet(input)) return input.over.phase;
  if (!initialised && inits.length > 0) return 'Pending';
  // A container that ran once counts as running while it waits to be started again.
  const hasRun = (status: ContainerStatus): boolean =>
    status.state.running !== undefined ||
    status.state.terminated !== undefined ||
    status.lastState.terminated !== undefined;
  return apps.every(hasRun) ? 'Running' : 'Pending';
}

/**
 * A pod whose containers have ended by themselves is not over while its sidecars end. One that its node or a deadline
 * ends is: nothing that its containers still do changes that.
 */
function sidecarsEndYet({ over, previous, observed }: StatusInput): boolean {
  const before = previous?.phase;
  return (
    over?.reason === undefined &&
    before !== 'Succeeded' &&
    before !== 'Failed' &&
    observed.containers.some(({ state }) => state === 'running')
  );
}

interface Told {
  readonly inits: readonly ContainerStatus[];
  readonly apps: readonly ContainerStatus[];
  /** Names of those among `inits`. */
  readonly sidecars: ReadonlySet<string>;
  readonly initialised: boolean;
}

/**
 * Of a pod that goes as its node is short of something, or goes down. One that took more than its own limit has itself to
 * blame. Source: Kubernetes, pkg/kubelet/eviction/eviction_manager.go (synchronize, emptyDirLimitEviction),
 * pkg/kubelet/nodeshutdown.
 */
const DISRUPTED = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' } as const;

function conditionsOf(input: StatusInput, phase: PodStatus['phase'], told: Told): Condition[] {
  const { inits, apps, sidecars, initialised } = told;
  const now = rfc3339(input.now);
  const lasting = [...inits.filter(({ name }) => sidecars.has(name)), ...apps];
  const unready = lasting.filter((status) => !status.ready).map((status) => status.name);
  const uninitialised = inits
    .filter(({ name, ready, started }) => (sidecars.has(name) ? started !== true : !ready))
    .map(({ name }) => name);
  const containersReady: Omit<Condition, 'type'> =
    phase === 'Succeeded'
      ? { status: 'False', reason: 'PodCompleted' }
      : phase === 'Failed'
        ? { status: 'False', reason: 'PodFailed' }
        : unready.length > 0 || !initialised
          ? {
              status: 'False',
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${unready.join(' ')}]`,
            }
          : { status: 'True' };
  const initialisedCondition: Omit<Condition, 'type'> = initialised
    ? { status: 'True', ...(phase === 'Succeeded' && { reason: 'PodCompleted' }) }
    : {
        status: 'False',
        reason: 'ContainersNotInitialized',
        message: `containers with incomplete status: [${uninitialised.join(' ')}]`,
      };
  let conditions = input.previous?.conditions ?? input.pod.status?.conditions?.filter((c) => c.type === 'PodScheduled');
  const isReadyToStart = presentSandbox(input.observed) !== undefined;
  conditions = withCondition(
    conditions,
    { type: 'PodReadyToStartContainers', status: isReadyToStart ? 'True' : 'False' },
    now,
  );
  conditions = withCondition(conditions, { type: 'Initialized', ...initialisedCondition }, now);
  conditions = withCondition(conditions, { type: 'Ready', ...containersReady }, now);
  conditions = withCondition(conditions, { type: 'ContainersReady', ...containersReady }, now);
  conditions = withCondition(conditions, { type: 'PodScheduled', status: 'True' }, now);
  conditions = resizeConditions(input, conditions, now);
  const end = input.over ?? input.soonOver;
  return end?.cause === 'NodePressure' || end?.cause === 'NodeShutdown'
    ? withCondition(conditions, { ...DISRUPTED, message: end.message ?? '' }, now)
    : conditions;
}

/** Source: Kubernetes, KEP-1287: both are absent where there is nothing to tell. */
function resizeConditions(input: StatusInput, before: Condition[], now: string): Condition[] {
  const { pod, resize, memory, over } = input;
  const rest = before.filter(({ type }) => type !== 'PodResizePending' && type !== 'PodResizeInProgress');
  if (over) return rest;
  const generation = pod.metadata.generation;
  const told = { status: 'True' as const, ...(generation !== undefined && { observedGeneration: generation }) };
  const set = (condition: Omit<Condition, 'lastTransitionTime'>): Condition[] =>
    withCondition(before, condition, now).filter(({ type }) => type === condition.type);
  const underWay = containerViews(pod, input.observed).filter(
    (view) =>
      isResizable(view) && view.current?.state === 'running' && resizeOf(view.spec, view.current, input) !== 'none',
  );
  const failure = underWay.flatMap(({ spec }) => memory.resizes.get(spec.name) ?? [])[0];
  return [
    ...rest,
    ...(resize && resize.is !== 'fits'
      ? set({ type: 'PodResizePending', ...told, reason: resize.is, message: resize.message })
      : []),
    ...(underWay.length > 0
      ? set({ type: 'PodResizeInProgress', ...told, ...(failure && { reason: 'Error', message: failure.message }) })
      : []),
  ];
}
