/**
 * In which order a pod's containers start: its init containers one after the other, each when the one before it has
 * ended well or, if that is a sidecar, has started; then all others. What was put into the pod waits for none: it may be
 * there to find out why they do not start. Source: Kubernetes
 * pkg/kubelet/kuberuntime/kuberuntime_manager.go, computeInitContainerActions; KEP-753.
 */
import { isOver, presentSandbox, type ContainerView, type ObservedPod, type ProbeVerdict } from './observed.ts';

type Probes = ReadonlyMap<string, ProbeVerdict>;

/** Whether the next one may start. */
function hasMadeWay({ role, spec, current }: ContainerView, probes: Probes): boolean {
  if (!current) return false;
  if (role === 'init') return isOver(current) && current.detail.exitCode === 0;
  return current.state === 'running' && (probes.get(current.id)?.started ?? spec.startupProbe === undefined);
}

const isInit = ({ role }: ContainerView): boolean => role === 'init' || role === 'sidecar';

/**
 * The init container that the start of the pod has come to; undefined where all have made way. What came before the last
 * one that was begun made way once, and is not asked again: a sidecar that ends later holds nobody up.
 */
export function initFront(views: readonly ContainerView[], probes: Probes): ContainerView | undefined {
  const inits = views.filter(isInit);
  const last = inits.findLastIndex(({ current }) => current !== undefined);
  const begun = inits[last];
  return inits[begun && !hasMadeWay(begun, probes) ? last : last + 1];
}

/** Init containers that were cleared away are not run again beside their running pod. */
export function appsHaveRun(views: readonly ContainerView[], observed: ObservedPod): boolean {
  return (
    presentSandbox(observed) !== undefined && views.some((view) => view.role === 'app' && view.current !== undefined)
  );
}

/** The containers whose turn it is: that they run, or ran, is what the pod needs now. */
export function inTurn(
  views: readonly ContainerView[],
  observed: ObservedPod,
  probes: Probes,
): readonly ContainerView[] {
  const front = appsHaveRun(views, observed) ? undefined : initFront(views, probes);
  const before = front ? views.slice(0, views.indexOf(front)) : views.filter(isInit);
  const sidecars = before.filter(({ role }) => role === 'sidecar');
  const ephemeral = views.filter(({ role }) => role === 'ephemeral');
  return [...ephemeral, ...sidecars, ...(front ? [front] : views.filter(({ role }) => role === 'app'))];
}
