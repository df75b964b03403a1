/**
 * How the pods of a DaemonSet follow a new template, node by node. Source: Kubernetes, rollingUpdate of
 * pkg/controller/daemon/update.go, and KEP-1591 (maxSurge).
 */
import type { DaemonSetSpec, StoredDaemonSet, StoredPod } from '../../../contracts/objects/index.ts';
import type { DaemonNode } from './daemon-pod.ts';
import { isAvailable, isFinished, isTerminating } from './pod-state.ts';
import { share } from './rollout-numbers.ts';

export interface DaemonBounds {
  /** Nodes that may have a new pod beside an old one that is available. */
  readonly surge: number;
  /** Nodes that may be without an available pod for the update's sake. */
  readonly unavailable: number;
}

/** Whether a node may have two pods at all, an old and a new one. */
export function allowsSurge({ updateStrategy }: DaemonSetSpec): boolean {
  return updateStrategy.type === 'RollingUpdate' && share(updateStrategy.rollingUpdate.maxSurge, 1, Math.ceil) > 0;
}

/** `desired`: nodes that should have a pod. Shares are of these, rounded up; where both come to 0, one may be missing. */
export function daemonBounds({ updateStrategy }: DaemonSetSpec, desired: number): DaemonBounds {
  if (updateStrategy.type !== 'RollingUpdate') return { surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = updateStrategy.rollingUpdate;
  const surge = share(maxSurge, desired, Math.ceil);
  const unavailable = share(maxUnavailable, desired, Math.ceil);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** With an update of larger steps: twice as many nodes at once. */
export function withLargerDaemonSteps(spec: DaemonSetSpec, desired: number): DaemonSetSpec {
  const { updateStrategy } = spec;
  if (updateStrategy.type !== 'RollingUpdate') return spec;
  const { surge, unavailable } = daemonBounds(spec, desired);
  const rollingUpdate = { maxSurge: 2 * surge, maxUnavailable: 2 * unavailable };
  return { ...spec, updateStrategy: { ...updateStrategy, rollingUpdate } };
}

export interface RolloutInput {
  readonly daemonSet: StoredDaemonSet;
  readonly nodes: readonly DaemonNode[];
  readonly isUpdated: (pod: StoredPod) => boolean;
  readonly now: Date;
}

/**
 * Pods to delete, and nodes to make one on, so that the update goes on. An old pod that is not available is replaced
 * whatever the bounds say, as it serves nobody, but counts as missing. On a node that takes no new pods the old one stays until it does. Nothing
 * while pods are replaced on deletion only.
 */
export function rollNodes({ daemonSet, nodes, isUpdated, now }: RolloutInput): {
  readonly makeOn: readonly string[];
  readonly remove: readonly StoredPod[];
} {
  const { spec } = daemonSet;
  if (spec.updateStrategy.type === 'OnDelete') return { makeOn: [], remove: [] };
  const serves = (pod: StoredPod): boolean => isAvailable(pod, spec.minReadySeconds, now);
  const wanted = nodes.filter(({ wants }) => wants === 'run');
  const bounds = daemonBounds(spec, wanted.length);
  const inSurge = allowsSurge(spec);
  const urgent: Replacement[] = [];
  const inTurn: Replacement[] = [];
  const remove: StoredPod[] = [];
  /** Nodes that the bound counts already. */
  let taken = 0;
  for (const { name, pods } of wanted) {
    const staying = pods.filter((pod) => !isTerminating(pod) && !isFinished(pod));
    const next = staying.find(isUpdated);
    const old = staying.find((pod) => !isUpdated(pod));
    if (old && !next) (serves(old) ? inTurn : urgent).push({ node: name, pod: old });
    else if (inSurge && old && next && serves(next)) remove.push(old);
    else if (inSurge ? old && next : !next || old || !serves(next)) taken += 1;
  }
  const limit = inSurge ? bounds.surge : bounds.unavailable;
  const chosen = [...urgent, ...inTurn.slice(0, Math.max(0, limit - taken - urgent.length))];
  return inSurge
    ? { makeOn: chosen.map(({ node }) => node), remove }
    : { makeOn: [], remove: chosen.map(({ pod }) => pod) };
}

interface Replacement {
  readonly node: string;
  readonly pod: StoredPod;
}
