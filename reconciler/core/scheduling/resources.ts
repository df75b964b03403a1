/** What pods ask for and nodes have, in whole units. Source: Kubernetes documentation, "Resource Management for Pods and Containers". */
import { parseMilli, parseQuantity, type Pod, type PodSpec, type ResourceList } from '../../../contracts/objects/index.ts';

/** Amounts by resource name: cpu in thousandths of a core, everything else in bytes or pieces, whole numbers. */
export type Amounts = ReadonlyMap<string, number>;

function amount(resource: string, quantity: string): number {
  return resource === 'cpu' ? parseMilli(quantity) : Math.ceil(parseQuantity(quantity));
}

/** Amounts that a node has; rounded down, so that nothing is promised that is not there. */
export function capacityOf(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([resource, quantity]) =>
    [resource, resource === 'cpu' ? Math.floor(Number((parseQuantity(quantity) * 1000).toFixed(6))) : Math.floor(parseQuantity(quantity))]));
}

/** Specs are never mutated, so each is summed once for as long as it lives. */
const known = new WeakMap<PodSpec, Amounts>();

/**
 * What a pod occupies: the sum of its containers, or the largest of its init containers where that is more (they run one at a time,
 * before the others), its overhead on top, and one of `pods`.
 */
export function requestsOf(pod: Pod): Amounts {
  let requests = known.get(pod.spec);
  if (!requests) known.set(pod.spec, (requests = new Map([['pods', 1], ...summed(pod.spec, {})])));
  return requests;
}

/** A container that does not say what it needs still weighs something where nodes are compared. Source: kube-scheduler's non-zero requests. */
const LEAST_WEIGHT = { cpu: '100m', memory: '200Mi' };

/** What a pod weighs where nodes are compared: {@link requestsOf}, with a floor for each container that is silent. */
export function weightOf(pod: Pod): { readonly cpu: number; readonly memory: number } {
  const sum = summed(pod.spec, LEAST_WEIGHT);
  return { cpu: sum.get('cpu') ?? 0, memory: sum.get('memory') ?? 0 };
}

function summed({ containers, initContainers = [], overhead = {} }: PodSpec, silent: ResourceList): Map<string, number> {
  const sum = new Map<string, number>();
  const each = (list: ResourceList, merge: (before: number, more: number) => number): void => {
    for (const [resource, quantity] of Object.entries(list)) sum.set(resource, merge(sum.get(resource) ?? 0, amount(resource, quantity)));
  };
  const add = (before: number, more: number): number => before + more;
  for (const { resources } of containers) each({ ...silent, ...resources.requests }, add);
  for (const { resources } of initContainers) each({ ...silent, ...resources.requests }, Math.max);
  each(overhead, add);
  return sum;
}

/** Images of all containers, each with its tag, as nodes report them. */
export function imagesOf({ spec }: Pod): readonly string[] {
  return [...(spec.initContainers ?? []), ...spec.containers].map(({ image }) => (image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image));
}
