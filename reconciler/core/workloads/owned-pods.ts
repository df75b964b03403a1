/** Pods that an object makes from a template and is the controller of: which they are, and how they come and go. */
import {
  keyOf,
  selectorMatches,
  type LabelSelector,
  type Pod,
  type PodTemplateSpec,
  type Stored,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import type { Step } from '../step.ts';
import { adoptedBy, controllerOf, controllerRef, releasedFrom, sortedByAge } from './owners.ts';
import { isActive } from './pod-state.ts';
import { podMeta } from './template.ts';

/** Pod names serve as host names: one DNS label. */
export const MAX_POD_NAME = 63;
/** Characters at the end of a name that make it the only one. */
export const SUFFIX = 5;

/**
 * Pods that one pass makes: each is news that asks for the next one. A manifest may ask for two billion. Kubernetes makes
 * 500 (BurstReplicas in pkg/controller/replicaset/replica_set.go); here a pass looks at all pods of the owner anew.
 */
export const MOST_AT_ONCE = 5000;

export interface Naming {
  /** A fresh random suffix of the given length. */
  readonly suffix: (length: number) => string;
  /** Whether a pod of that name exists in the namespace. */
  readonly nameTaken: (name: string) => boolean;
}

export interface Claimed {
  readonly pods: readonly StoredPod[];
  readonly steps: readonly Step[];
}

/**
 * Its own of these pods, which it controls or nobody does, the oldest first: adopts matching orphans, lets go of those
 * that no longer match.
 */
export function claimPods(owner: Stored, candidates: readonly StoredPod[], selector: LabelSelector): Claimed {
  const pods: StoredPod[] = [];
  const steps: Step[] = [];
  for (const pod of sortedByAge(candidates)) {
    const controller = controllerOf(pod.metadata);
    const matches = selectorMatches(selector, pod.metadata.labels);
    if (controller?.uid === owner.metadata.uid) {
      if (matches) pods.push(pod);
      else if (isActive(pod)) steps.push({ do: 'update', object: releasedFrom(pod, owner.metadata.uid) });
    } else if (
      controller === undefined &&
      matches &&
      isActive(pod) &&
      pod.metadata.namespace === owner.metadata.namespace
    ) {
      pods.push(pod);
      steps.push({ do: 'update', object: adoptedBy(pod, owner) });
    }
  }
  return { pods, steps };
}

/** `count` names for pods of the owner that no pod has. */
export function freshNames(owner: Stored, count: number, { suffix, nameTaken }: Naming): readonly string[] {
  const base = `${owner.metadata.name}-`.slice(0, MAX_POD_NAME - SUFFIX);
  const names = new Set<string>();
  while (names.size < count) {
    const name = base + suffix(SUFFIX);
    if (!nameTaken(name)) names.add(name);
  }
  return [...names];
}

export function createPod(owner: Stored, name: string, template: PodTemplateSpec): readonly Step[] {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(owner.metadata.namespace !== undefined && { namespace: owner.metadata.namespace }),
      ...podMeta(template),
      ownerReferences: [controllerRef(owner)],
    },
    spec: template.spec,
    status: { phase: 'Pending' },
  };
  const message = `Created pod: ${name}`;
  return [
    { do: 'create', object: pod },
    { do: 'event', regarding: owner, type: 'Normal', reason: 'SuccessfulCreate', message },
  ];
}

export function deletePod(owner: Stored, pod: StoredPod): readonly Step[] {
  const message = `Deleted pod: ${pod.metadata.name}`;
  return [
    { do: 'delete', key: keyOf(pod), uid: pod.metadata.uid },
    { do: 'event', regarding: owner, type: 'Normal', reason: 'SuccessfulDelete', message },
  ];
}
