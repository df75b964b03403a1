/**
 * What pods ask for and nodes have, in whole units. Free of schemas: a node agent uses it. Source: Kubernetes
 * documentation, "Resource Management for Pods and Containers".
 */
import { findCondition } from './conditions.ts';
import { isSidecar, lastingContainers } from './pod-containers.ts';
import type { Pod, PodSpec, PodStatus } from './pod.ts';
import { sumOfRequests, type Amounts } from './pod-sums.ts';
import type { ResourceList } from './quantity.ts';
import { parseQuantity } from './quantity-value.ts';

export { sumOfRequests, type Amounts } from './pod-sums.ts';

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
 * What a pod occupies: of one that is being resized, the larger of what is asked for and what its node has allocated; a
 * resize that can never be counts for nothing. Source: Kubernetes, KEP-1287, "Scheduler and API Server Interaction".
 */
export function requestsOf(pod: Pod): Amounts {
  return (isResizing(pod) && new Map([['pods', 1], ...sumOfRequests(whileResizing(pod), {})])) || requestsBySpec(pod);
}

/** Whether the pod's node has allocated something else than the pod asks for. */
export function isResizing({ spec, status }: Pod): boolean {
  if (!status?.containerStatuses && !status?.initContainerStatuses) return false;
  return lastingContainers(spec).some(({ name, resources: { requests = {} } }) => {
    const allocated = allocatedOf(status, name);
    return allocated !== undefined && RESIZABLE.some((resource) => allocated[resource] !== requests[resource]);
  });
}

export const RESIZABLE = ['cpu', 'memory'] as const;

function allocatedOf(status: PodStatus, name: string): ResourceList | undefined {
  const statuses = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])];
  return statuses.find((one) => one.name === name)?.allocatedResources;
}

function whileResizing({ spec, status }: Pod): PodSpec {
  const pending = findCondition(status?.conditions, 'PodResizePending');
  const isRefused = pending?.status === 'True' && pending.reason === 'Infeasible';
  const resize = <C extends PodSpec['containers'][number]>(container: C): C => {
    const allocated = status && allocatedOf(status, container.name);
    if (!allocated) return container;
    const requests: Record<string, string> = { ...container.resources.requests };
    for (const resource of RESIZABLE) {
      if (allocated[resource] === undefined && requests[resource] === undefined) continue;
      const [has, asked] = [allocated[resource] ?? '0', requests[resource] ?? '0'];
      requests[resource] = isRefused || parseQuantity(has) > parseQuantity(asked) ? has : asked;
    }
    return { ...container, resources: { ...container.resources, requests } };
  };
  return {
    ...spec,
    containers: spec.containers.map(resize),
    ...(spec.initContainers && {
      initContainers: spec.initContainers.map((one) => (isSidecar(one) ? resize(one) : one)),
    }),
  };
}

/**
 * What a pod asks for: the sum of its containers and sidecars, or what it takes while one of its init containers runs
 * (one at a time, beside the sidecars before it) where that is more, its overhead on top, and one of `pods`. Source:
 * Kubernetes, KEP-753, "Resources calculation for scheduling and pod admission".
 */
function requestsBySpec(pod: Pod): Amounts {
  let requests = known.get(pod.spec);
  if (!requests) known.set(pod.spec, (requests = new Map([['pods', 1], ...sumOfRequests(pod.spec, {})])));
  return requests;
}
