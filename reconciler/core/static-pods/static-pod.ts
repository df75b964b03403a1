/** A pod of a file of its node: how it is known, what it may not have, and what is to be done for it. */
import { keyOf, type Pod, type PodSpec, type StoredPod } from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { SOURCE_ANNOTATION } from '../diff/types.ts';
import type { Step } from '../step.ts';

export const STATIC_NAMESPACE = 'kube-system';
/** Kubernetes' own: pkg/kubelet/types/pod_update.go. */
const SOURCE = 'kubernetes.io/config.source';
const HASH = 'kubernetes.io/config.hash';
const MIRROR = 'kubernetes.io/config.mirror';

/** `hash`: of all that its file says of it. */
export function asStaticPod(pod: Pod, hash: string): Pod {
  const annotations = { ...pod.metadata.annotations, [SOURCE]: 'file', [HASH]: hash, [MIRROR]: hash };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

/** What a node may not have by writing a file. */
export function problemOfSpec(name: string, spec: PodSpec): string | undefined {
  const used = podReferences(spec, name).find(({ kind }) => kind !== 'RuntimeClass');
  if (used) return `it uses the ${used.kind} ${used.name}; a pod of a node's files uses no other object`;
  if (spec.serviceAccountName !== undefined) return "a pod of a node's files goes by no ServiceAccount";
  if ((spec.schedulingGates ?? []).length > 0) return "a pod of a node's files is not scheduled, so no gate holds it";
  return undefined;
}

/** What of a pod, or of one that a node claims, tells whether it is of a file. */
export interface MayBeStatic {
  readonly metadata: Pick<Pod['metadata'], 'name' | 'namespace' | 'labels' | 'annotations'> & {
    readonly ownerReferences?: readonly unknown[] | undefined;
  };
  readonly spec: PodSpec;
}

/** Whether a pod is one of the node's own files, by all that such a pod is. */
export function isStaticPod({ metadata, spec }: MayBeStatic, node: string): boolean {
  return (
    metadata.namespace === STATIC_NAMESPACE &&
    metadata.annotations?.[SOURCE] === 'file' &&
    metadata.annotations[SOURCE_ANNOTATION] === undefined &&
    metadata.name.endsWith(`-${node}`) &&
    Object.keys(metadata.labels ?? {}).length === 0 &&
    (metadata.ownerReferences ?? []).length === 0 &&
    spec.nodeName === node &&
    problemOfSpec(metadata.name, spec) === undefined
  );
}

/**
 * What is to be done on the node, of whose pods `present` are all: one whose file has changed or is gone ends, and is made
 * anew when it has ended. One that has come to its own end stays as it is.
 */
export function staticSteps(node: string, pods: readonly Pod[], present: readonly StoredPod[]): readonly Step[] {
  const hashOf = ({ metadata }: Pick<Pod, 'metadata'>): string | undefined => metadata.annotations?.[HASH];
  const wanted = new Map(pods.map((pod) => [keyOf(pod), pod]));
  const there = new Set(present.map(keyOf));
  const ending = present
    .filter((pod) => isStaticPod(pod, node) && pod.metadata.deletionTimestamp === undefined)
    .filter((pod) => {
      const one = wanted.get(keyOf(pod));
      return one === undefined || hashOf(one) !== hashOf(pod);
    });
  return [
    ...ending.map((pod): Step => ({ do: 'delete', key: keyOf(pod), uid: pod.metadata.uid })),
    ...pods.filter((pod) => !there.has(keyOf(pod))).map((object): Step => ({ do: 'create', object })),
  ];
}
