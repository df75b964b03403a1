/**
 * What a pod's cgroup holds all its containers to. Source: Kubernetes pkg/kubelet/cm/helpers_linux.go
 * (ResourceConfigForPod).
 */
import type { Pod } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { allContainers } from '../../../contracts/objects/pod-containers.ts';
import { sumOfRequests } from '../../../contracts/objects/pod-requests.ts';
import { parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import { cpuQuota, cpuShares } from './linux-resources.ts';

/** Undefined where neither the pod nor each container has a limit: then there is none. */
export interface PodLimits {
  readonly cpuShares: number;
  /** Microseconds in a tenth of a second. */
  readonly cpuQuota: number | undefined;
  readonly memoryBytes: number | undefined;
}

type Amounts = Readonly<Record<string, string>>;
interface Lists {
  readonly limits?: Amounts;
  readonly requests?: Amounts;
}

/** Sums of what its containers ask for and may have, its overhead on top; of what is never asked for the least. */
export function podLimits({ spec }: Pick<Pod, 'spec'>): PodLimits {
  const asking = (lists: (lists: Lists) => Amounts): ReadonlyMap<string, number> => {
    const change = <C extends { readonly resources: object }>(one: C): C => ({
      ...one,
      resources: { requests: lists(one.resources) },
    });
    return sumOfRequests(
      {
        ...spec,
        containers: spec.containers.map(change),
        ...(spec.initContainers && { initContainers: spec.initContainers.map(change) }),
        ...(spec.resources && { resources: { requests: lists(spec.resources as Lists) } }),
      },
      {},
    );
  };
  const requests = asking(({ limits, requests }) => ({ ...limits, ...requests }));
  const limits = asking(({ limits }) => limits ?? {});
  const has = (lists: object | undefined, resource: string): boolean => {
    const limit = readKey((lists as Lists | undefined)?.limits, resource);
    return limit !== undefined && parseQuantity(limit) > 0;
  };
  const isLimited = (resource: string): boolean =>
    has(spec.resources, resource) || allContainers(spec).every(({ resources }) => has(resources, resource));
  return {
    cpuShares: cpuShares(requests.get('cpu') ?? 0),
    cpuQuota: isLimited('cpu') ? cpuQuota(limits.get('cpu') ?? 0) : undefined,
    memoryBytes: isLimited('memory') ? limits.get('memory') : undefined,
  };
}

export function sameLimits(one: PodLimits | undefined, other: PodLimits): boolean {
  return one?.cpuShares === other.cpuShares && one.cpuQuota === other.cpuQuota && one.memoryBytes === other.memoryBytes;
}
