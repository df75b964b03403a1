/** Which pods may be evicted at all. Source: kubernetes-sigs/descheduler, DefaultEvictor. */
import {
  CRITICAL_PRIORITY,
  EVICT_ANNOTATION,
  PREFER_NO_EVICTION_ANNOTATION,
  readKey,
  selectorMatches,
  SYSTEM_PRIORITIES,
  type DefaultEvictorArgs,
  type DeschedulerPlugin,
  type Namespaces,
  type StoredPodDisruptionBudget,
} from '../../../../contracts/objects/index.ts';
import { covers } from '../../workloads/disruption.ts';
import { controllerOf } from '../../workloads/owners.ts';
import type { Running, Simulation } from './simulation.ts';

export interface EvictorContext {
  readonly sim: Simulation;
  /** Pods that run, by the uid of their controller. */
  readonly replicas: ReadonlyMap<string, number>;
  readonly budgets: readonly StoredPodDisruptionBudget[];
  readonly now: Date;
}

/** Why the pod stays whatever a strategy wants; undefined when it may be evicted. */
export function whyNotEvictable(
  running: Running,
  args: DefaultEvictorArgs,
  context: EvictorContext,
): string | undefined {
  const { pod } = running;
  const annotations = pod.metadata.annotations ?? {};
  if (!context.sim.profileOf(pod)) return `it is placed by scheduler ${pod.spec.schedulerName}`;
  if (annotations[EVICT_ANNOTATION] !== undefined) return undefined;
  if (args.noEvictionPolicy === 'Mandatory' && annotations[PREFER_NO_EVICTION_ANNOTATION] !== undefined)
    return 'it asks not to be evicted';
  return whyProtected(running, args, context) ?? whyLeftOut(running, args, context);
}

function whyProtected(
  { pod, priority }: Running,
  args: DefaultEvictorArgs,
  { budgets }: EvictorContext,
): string | undefined {
  const { defaultDisabled: off = [], extraEnabled: on = [] } = args.podProtections ?? {};
  const controller = controllerOf(pod.metadata);
  if (!controller) return 'it has no controller that would replace it';
  if (controller.kind === 'DaemonSet' && !args.evictDaemonSetPods && !off.includes('DaemonSetPods'))
    return 'it is one of a DaemonSet';
  if (priority >= CRITICAL_PRIORITY && !args.evictSystemCriticalPods && !off.includes('SystemCriticalPods'))
    return 'it has a system critical priority';
  if (hasLocalStorage(pod) && !args.evictLocalStoragePods && !off.includes('PodsWithLocalStorage'))
    return 'it has local storage (emptyDir or hostPath)';
  if ((args.ignorePodsWithoutPDB || on.includes('PodsWithoutPDB')) && !budgets.some((budget) => covers(budget, pod)))
    return 'no PodDisruptionBudget is over it';
  return undefined;
}

function hasLocalStorage({ spec }: Running['pod']): boolean {
  return (spec.volumes ?? []).some(({ emptyDir, hostPath }) => emptyDir !== undefined || hostPath !== undefined);
}

function whyLeftOut(
  { pod, priority }: Running,
  args: DefaultEvictorArgs,
  { sim, replicas, now }: EvictorContext,
): string | undefined {
  const { labelSelector, priorityThreshold, minReplicas = 0, minPodAge } = args;
  if (labelSelector && !selectorMatches(labelSelector, pod.metadata.labels))
    return "the evictor's labelSelector leaves it out";
  const { name } = priorityThreshold ?? {};
  const threshold =
    name === undefined
      ? priorityThreshold?.value
      : (readKey(SYSTEM_PRIORITIES, name) ?? sim.cluster.priorityClasses.get(name)?.value);
  if (priorityThreshold && threshold === undefined)
    return `the priorityThreshold names PriorityClass ${name ?? ''}, which does not exist`;
  if (threshold !== undefined && priority >= threshold)
    return `its priority is ${priority}, the threshold ${threshold}`;
  const count = replicas.get(controllerOf(pod.metadata)?.uid ?? '') ?? 0;
  if (count < minReplicas) return `its owner has ${count} pods, minReplicas is ${minReplicas}`;
  const started = Date.parse(pod.status?.startTime ?? '');
  if (minPodAge !== undefined && !(now.getTime() - started >= minPodAge * 1000))
    return `it has not run for ${minPodAge} s`;
  return undefined;
}

/** Whether the plugin's own arguments let the pod be evicted by it. */
export function concerns({ args }: DeschedulerPlugin, { pod }: Running): boolean {
  const namespaces: Namespaces | undefined =
    'namespaces' in args ? args.namespaces : 'evictableNamespaces' in args ? args.evictableNamespaces : undefined;
  const { include, exclude = [] } = namespaces ?? {};
  const namespace = pod.metadata.namespace ?? '';
  if ((include && !include.includes(namespace)) || exclude.includes(namespace)) return false;
  return !('labelSelector' in args) || !args.labelSelector || selectorMatches(args.labelSelector, pod.metadata.labels);
}
