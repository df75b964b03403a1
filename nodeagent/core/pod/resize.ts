/** What running containers need to have what is allocated to them. Source: Kubernetes, KEP-1287. */
import { readKey } from '../../../contracts/objects/own-key.ts';
import { RESIZABLE } from '../../../contracts/objects/pod-requests.ts';
import type { Container, PodStatus } from '../../../contracts/objects/index.ts';
import { resizableOf, type Resources } from './allocation.ts';
import { ANNOTATION } from './identity.ts';
import { linuxResources } from './linux-resources.ts';
import type { PodMemory } from './memory.ts';
import type { ContainerView, ObservedContainer } from './observed.ts';
import type { ContainerSummary } from './runtime-types.ts';

/** Whether what is asked for can be allocated: now, later, or never on this node. */
export type ResizeVerdict =
  { readonly is: 'fits' } | { readonly is: 'Deferred' | 'Infeasible'; readonly message: string };

interface Known {
  readonly memory: PodMemory;
  readonly previous: PodStatus | undefined;
}

/** What is in force for a container: what it was resized to, or made with. Undefined where nobody wrote it down. */
export function inForce(container: ContainerSummary, { memory, previous }: Known): Resources | undefined {
  const resized = memory.resized.get(container.id);
  if (resized) return resized;
  const told = [...(previous?.containerStatuses ?? []), ...(previous?.initContainerStatuses ?? [])].find(
    ({ containerID }) => containerID === `containerd://${container.id}`,
  )?.resources;
  if (told) return resizableOf({ resources: told });
  return written(readKey(container.annotations, ANNOTATION.resources));
}

function written(text: string | undefined): Resources | undefined {
  try {
    return text === undefined ? undefined : resizableOf({ resources: JSON.parse(text) as Container['resources'] });
  } catch {
    return undefined;
  }
}

/** Neither what runs to its end before the others nor what was put into the pod. */
export function isResizable({ role }: Pick<ContainerView, 'role'>): boolean {
  return role === 'app' || role === 'sidecar';
}

/** `restart`: one of the resources that change needs the container to be made anew. */
export type ContainerResize = 'none' | 'in place' | 'restart';

/** What a container needs to run with what `spec`, as allocated, says. */
export function resizeOf(spec: Container, container: ObservedContainer, known: Known): ContainerResize {
  // What needs a restart is never changed in place, so that it is as the container was made.
  const made = written(readKey(container.annotations, ANNOTATION.resources));
  const restarts = spec.resizePolicy?.map(({ resourceName }) => resourceName) ?? [];
  if (made && restarts.some((resource) => differing(made, spec).includes(resource))) return 'restart';
  const now = inForce(container, known);
  if (!now) return 'none';
  return differing(now, spec).length > 0 || isUnsure(container, known) ? 'in place' : 'none';
}

/** Of what the kernel has to be told other amounts. */
function differing(resources: Resources, spec: Container): readonly (typeof RESIZABLE)[number][] {
  const [from, to] = [linuxResources({ resources }), linuxResources(spec)];
  const isSame = {
    cpu: from.cpuShares === to.cpuShares && from.cpuQuota === to.cpuQuota,
    memory: from.memoryBytes === to.memoryBytes,
  };
  return RESIZABLE.filter((resource) => !isSame[resource]);
}

/** An agent before this one may have been cut off between doing it and saying so: doing it again changes nothing. */
function isUnsure({ id }: ObservedContainer, { memory, previous }: Known): boolean {
  const isUnderWay = previous?.conditions?.some(({ type }) => type === 'PodResizeInProgress') ?? false;
  return isUnderWay && !memory.resized.has(id);
}
