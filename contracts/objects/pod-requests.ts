/**
 * What pods ask for and nodes have, in whole units. Free of schemas: a node agent uses it. Source: Kubernetes
 * documentation, "Resource Management for Pods and Containers".
 */
import type { Pod, PodSpec } from './pod.ts';
import type { ResourceList } from './quantity.ts';
import { parseMilli, parseQuantity } from './quantity-value.ts';

/** Amounts by resource name: cpu in thousandths of a core, everything else in bytes or pieces, whole numbers. */
export type Amounts = ReadonlyMap<string, number>;

function amount(resource: string, quantity: string): number {
  return resource === 'cpu' ? parseMilli(quantity) : Math.ceil(parseQuantity(quantity));
}

/** Amounts that a node has; rounded down, so that nothing is promised that is not there. */
export function capacityOf(list: ResourceList | undefined): Amounts {
  return new Map(
    Object.entries(list ?? {}).map(([resource, quantity]) => [
      resource,
      resource === 'cpu'
        ? Math.floor(Number((parseQuantity(quantity) * 1000).toFixed(6)))
        : Math.floor(parseQuantity(quantity)),
    ]),
  );
}

/** Specs are never mutated, so each is summed once for as long as it lives. */
const known = new WeakMap<PodSpec, Amounts>();

/**
 * What a pod occupies: the sum of its containers, or the largest of its init containers where that is more (they run
 * one at a time, before the others), its overhead on top, and one of `pods`.
 */
export function requestsOf(pod: Pod): Amounts {
  let requests = known.get(pod.spec);
  if (!requests) known.set(pod.spec, (requests = new Map([['pods', 1], ...sumOfRequests(pod.spec, {})])));
  return requests;
}

/** The sum of {@link requestsOf}, where containers that do not say what they need ask for `silent`. */
export function sumOfRequests(
  { containers, initContainers = [], overhead = {} }: PodSpec,
  silent: ResourceList,
): Map<string, number> {
  const sum = new Map<string, number>();
  const each = (list: ResourceList, merge: (before: number, more: number) => number): void => {
    for (const [resource, quantity] of Object.entries(list))
      sum.set(resource, merge(sum.get(resource) ?? 0, amount(resource, quantity)));
  };
  const add = (before: number, more: number): number => before + more;
  for (const { resources } of containers) each({ ...silent, ...resources.requests }, add);
  for (const { resources } of initContainers) each({ ...silent, ...resources.requests }, Math.max);
  each(overhead, add);
  return sum;
}
