/**
 * How a pod's parts are named on a node: labels, annotations, folders, cgroups. All that is needed to adopt them
 * without any record of our own.
 */
import { NODE_NAMES } from '../../../contracts/agent/places.ts';
import type { PodIdentity, SandboxSummary } from './runtime-types.ts';

/** Labels that every CRI client sets (Kubernetes pkg/kubelet/types), so that common tools show our pods by name. */
export const LABEL = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  /** Marks what is ours. */
  managed: 'plumbline.dev/managed',
} as const;

export const ANNOTATION = {
  /** Restarts before this container. */
  restarts: 'plumbline.dev/restart-count',
  /** Pause after this container's exit, milliseconds: see back-off. */
  backoff: 'plumbline.dev/backoff-ms',
  /** Termination grace, seconds, of a pod that the assignment no longer tells of. */
  grace: 'plumbline.dev/grace-seconds',
  /** Of a sandbox whose pod's cgroup holds it to {@link podLimits}: others were made by an agent that did not. */
  limited: 'plumbline.dev/pod-limits',
  /** Of a sandbox with users of its own: the node's id that is 0 in it. */
  userIds: 'plumbline.dev/user-ids',
  /** Name of the signal that the container is asked to end with, where its pod says one. */
  stopSignal: 'plumbline.dev/stop-signal',
  /** `init`, `sidecar`, `app` or `ephemeral`. */
  role: 'plumbline.dev/role',
  /** cpu and memory that the container was made with, JSON. */
  resources: 'plumbline.dev/resources',
  terminationMessage: 'plumbline.dev/termination-message',
  /** The pod's address when this container was made: its next sandbox asks for it. */
  address: 'plumbline.dev/pod-ip',
} as const;

/** Whether the cgroup of the sandbox's pod is the agent's to set. */
export function isLimited({ annotations }: Pick<SandboxSummary, 'annotations'>): boolean {
  return Object.hasOwn(annotations, ANNOTATION.limited);
}

export function podLabels(pod: PodIdentity): Record<string, string> {
  return {
    [LABEL.podName]: pod.name,
    [LABEL.podNamespace]: pod.namespace,
    [LABEL.podUid]: pod.uid,
    [LABEL.managed]: 'true',
  };
}

/** Name of a pod's folder of logs, as kubelet builds it. */
export function podLogFolder(pod: PodIdentity): string {
  return `${pod.namespace}_${pod.name}_${pod.uid}`;
}

/** Whose folder of logs it is; undefined for a name that {@link podLogFolder} does not make. */
export function podOfLogFolder(folder: string): PodIdentity | undefined {
  const [namespace, name, uid, ...more] = folder.split('_');
  return namespace && name && uid && more.length === 0 ? { namespace, name, uid } : undefined;
}

export function containerLogPath(container: string, attempt: number): string {
  return `${container}/${attempt}.log`;
}

/** With the systemd driver a parent is a slice, and `-` separates its levels. */
export function cgroupParent(uid: string, systemd: boolean): string {
  if (!systemd) return `${NODE_NAMES.cgroup}/pod${uid}`;
  const root = NODE_NAMES.cgroup.slice(1);
  return `${root}-pod${uid.replaceAll('-', '_')}.slice`;
}

/** `name_namespace(uid)`, as Kubernetes' messages name a pod. */
export function podTitle(pod: PodIdentity): string {
  return `${pod.name}_${pod.namespace}(${pod.uid})`;
}
