/**
 * Changes of cpu and memory while a pod runs. What the node has said yes to (the allocation) is what containers are made
 * with and run with; what the assignment asks for becomes the allocation when there is room. Source: Kubernetes,
 * KEP-1287; pkg/kubelet/allocation/allocation_manager.go.
 */
import { readKey } from '../../../contracts/objects/own-key.ts';
import { isSidecar, lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import { RESIZABLE } from '../../../contracts/objects/pod-requests.ts';
import type { Container, Pod, PodStatus } from '../../../contracts/objects/index.ts';

type Amounts = Readonly<Record<string, string>>;
export interface Resources {
  readonly limits?: Amounts;
  readonly requests?: Amounts;
}
/** cpu and memory by container's name, of those that can be resized. */
export type Allocation = ReadonlyMap<string, Resources>;

export function resizableOf({ resources }: Pick<Container, 'resources'>): Resources {
  const { limits, requests } = resources as Resources;
  return { ...(limits && { limits: only(limits) }), ...(requests && { requests: only(requests) }) };
}

function only(list: Amounts): Amounts {
  return Object.fromEntries(
    RESIZABLE.flatMap((name) => {
      const amount = readKey(list, name);
      return amount === undefined ? [] : [[name, amount]];
    }),
  );
}

export function asked({ spec }: Pod): Allocation {
  return new Map(lastingContainers(spec).map((container) => [container.name, resizableOf(container)]));
}

/**
 * What was allocated when the status was told, by this agent or one before it: what each container runs with. A resize
 * that was under way then is decided on again.
 */
export function allocatedBefore(pod: Pod, status: PodStatus | undefined): Allocation {
  const told = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  return new Map(
    lastingContainers(pod.spec).map((container) => {
      const resources = told.find(({ name }) => name === container.name)?.resources as Resources | undefined;
      return [container.name, resizableOf(resources ? { resources } : container)];
    }),
  );
}

export function sameAllocation(one: Allocation, other: Allocation): boolean {
  return [...one].every(([name, resources]) => equal(resources, other.get(name)));
}

function equal(one: Resources, other: Resources | undefined): boolean {
  return (['limits', 'requests'] as const).every((part) =>
    RESIZABLE.every((name) => readKey(one[part] ?? {}, name) === readKey(other?.[part] ?? {}, name)),
  );
}

/** The pod with what is allocated in the place of what it asks for; itself where that is the same. */
export function withAllocation(pod: Pod, allocation: Allocation): Pod {
  if (sameAllocation(asked(pod), allocation)) return pod;
  const allocated = (container: Container): Container => {
    const resources = allocation.get(container.name);
    return resources ? { ...container, resources: replaced(container.resources as Resources, resources) } : container;
  };
  const { containers, initContainers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(allocated),
      ...(initContainers && {
        initContainers: initContainers.map((one) => (isSidecar(one) ? allocated(one) : one)),
      }),
    },
  };
}

/** `resources` with other cpu and memory. */
export function replaced(resources: Resources, by: Resources): Resources {
  const list = (part: 'limits' | 'requests'): Amounts => ({
    ...Object.fromEntries(
      Object.entries(resources[part] ?? {}).filter(([name]) => !RESIZABLE.some((one) => one === name)),
    ),
    ...by[part],
  });
  const [limits, requests] = [list('limits'), list('requests')];
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(requests).length > 0 && { requests }),
  };
}

/** What a container is made with, written on it. */
export function madeWith(container: Pick<Container, 'resources'>): string {
  return JSON.stringify(resizableOf(container));
}
