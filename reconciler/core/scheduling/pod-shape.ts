/**
 * What placement looks at in a pod. Pods of one owner differ in name and uid only: they share one shape, and what was
 * worked out for the shape holds for all of them.
 */
import {
  isSidecar,
  POD_GROUP_LABEL,
  type OwnerReference,
  type Affinity,
  type NodeSelectorTerm,
  type Pod,
  type PodAffinityTerm,
  type PodSpec,
  type TopologySpreadConstraint,
} from '../../../contracts/objects/index.ts';
import { claimNames } from '../volumes/pod-claims.ts';
import { controllerOf } from '../workloads/owners.ts';
import { isTerminating } from '../workloads/pod-state.ts';
import { hostPortsOf, type HostPort } from '../../../contracts/objects/host-ports.ts';
import { isResizing, requestsOf, type Amounts } from '../../../contracts/objects/pod-requests.ts';
import { imagesOf, weightOf } from './resources.ts';

/**
 * Fields of a pod's spec that are equal in all pods of a shape. Of containers: image, requests and ports, and which of
 * them are sidecars.
 */
type SharedField =
  | 'containers'
  | 'initContainers'
  | 'overhead'
  | 'nodeSelector'
  | 'affinity'
  | 'tolerations'
  | 'topologySpreadConstraints'
  | 'hostNetwork'
  | 'schedulerName'
  | 'preemptionPolicy';

export interface PodShape {
  /** Equal for equal shapes; not stable over processes. */
  readonly key: string;
  /**
   * What its pods ask of a node, whatever else is where: room, ports, images, a node that they select or tolerate.
   * Equal for shapes that differ in namespace, labels, owner, priority, or in what they want of other pods.
   */
  readonly asks: string;
  /** Number in this {@link ShapeTable}. */
  readonly id: number;
  /** What the key holds of the spec of its pods. */
  readonly sample: { readonly spec: Pick<PodSpec, SharedField> };
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The controller that owns its pods. */
  readonly owner: OwnerReference | undefined;
  /** `namespace/name` of the PodGroup it belongs to. */
  readonly group: string | undefined;
  readonly priority: number;
  /** Being deleted: takes its room still, but counts no more where pods are spread. */
  readonly terminating: boolean;
  readonly requests: Amounts;
  /** What it weighs when nodes are compared: requests, with a floor for containers that ask for no cpu or memory. */
  readonly weight: { readonly cpu: number; readonly memory: number };
  readonly hostPorts: readonly HostPort[];
  /** Of all containers, with their tags. */
  readonly images: readonly string[];
  readonly affinity: Affinity | undefined;
  readonly spread: readonly TopologySpreadConstraint[];
  /** Names of the claims that its pods use; of one that is made with a pod, that pod is alone in its shape. */
  readonly claims: readonly string[];
}

export type { NodeSelectorTerm, PodAffinityTerm };

/** What a shape was made of, beside a spec. Objects are never changed: the same ones are equal. */
interface Worked {
  readonly labels: Pod['metadata']['labels'];
  readonly owners: Pod['metadata']['ownerReferences'];
  readonly shape: PodShape;
}

/** Gives equal pods the same {@link PodShape} object. */
export class ShapeTable {
  readonly #byKey = new Map<string, PodShape>();
  /** The last shape of a pod with this very spec: all that waits of one owner has one, and what changes in status alone. */
  readonly #bySpec = new WeakMap<PodSpec, Worked>();
  #next = 0;

  get size(): number {
    return this.#byKey.size;
  }

  of(pod: Pod, priority: number): PodShape {
    const terminating = isTerminating(pod);
    const { metadata, spec } = pod;
    const worked = this.#bySpec.get(spec);
    if (
      worked?.labels === metadata.labels &&
      worked?.owners === metadata.ownerReferences &&
      worked?.shape.namespace === (metadata.namespace ?? '') &&
      worked.shape.priority === priority &&
      worked.shape.terminating === terminating &&
      this.#byKey.get(worked.shape.key) === worked.shape &&
      !isResizing(pod)
    )
      return worked.shape;
    const owner = controllerOf(metadata);
    const asks = asksOf(pod);
    const key = keyOfShape(asks, pod, owner?.uid, priority, terminating);
    let shape = this.#byKey.get(key);
    if (!shape) this.#byKey.set(key, (shape = shapeOf(pod, key, asks, this.#next++, owner, priority, terminating)));
    // Names of claims may be the pod's own, whose spec others have too; and what is resized is told by the status.
    if (shape.claims.length === 0 && !isResizing(pod))
      this.#bySpec.set(spec, { labels: metadata.labels, owners: metadata.ownerReferences, shape });
    return shape;
  }

  /** Forgets shapes that nothing uses. */
  sweep(inUse: (shape: PodShape) => boolean): void {
    for (const [key, shape] of this.#byKey) if (!inUse(shape)) this.#byKey.delete(key);
  }
}

/** Members in the order in which they are written: two texts for one shape only cost sharing. */
function asksOf(pod: Pod): string {
  const { spec } = pod;
  const containers: unknown[] = [];
  for (const c of spec.containers) containers.push(c.image, c.resources.requests, c.ports);
  const init = spec.initContainers?.map((c) => [c.image, c.resources.requests, isSidecar(c) && c.ports]);
  return JSON.stringify([
    containers,
    init,
    spec.overhead,
    spec.resources?.requests,
    spec.nodeSelector,
    spec.affinity?.nodeAffinity,
    spec.tolerations,
    spec.hostNetwork,
    isResizing(pod) && [...requestsOf(pod)],
  ]);
}

function keyOfShape(asks: string, pod: Pod, owner: string | undefined, priority: number, terminating: boolean): string {
  const { metadata, spec } = pod;
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  return (
    asks +
    JSON.stringify([
      metadata.namespace,
      metadata.labels,
      owner,
      priority,
      terminating,
      podAffinity,
      podAntiAffinity,
      spec.topologySpreadConstraints,
      spec.schedulerName,
      spec.preemptionPolicy,
      claimNames(pod),
    ])
  );
}

function shapeOf(
  pod: Pod,
  key: string,
  asks: string,
  id: number,
  owner: OwnerReference | undefined,
  priority: number,
  terminating: boolean,
): PodShape {
  const group = pod.metadata.labels?.[POD_GROUP_LABEL];
  return {
    group: group === undefined ? undefined : `${pod.metadata.namespace ?? ''}/${group}`,
    key,
    asks,
    id,
    sample: pod,
    owner,
    priority,
    terminating,
    namespace: pod.metadata.namespace ?? '',
    labels: pod.metadata.labels ?? {},
    requests: requestsOf(pod),
    weight: weightOf(pod),
    hostPorts: hostPortsOf(pod),
    images: imagesOf(pod),
    affinity: pod.spec.affinity,
    spread: pod.spec.topologySpreadConstraints ?? [],
    claims: claimNames(pod),
  };
}
