/** Requests and limits as the kernel knows them. */
import type { Container, PodSpec } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { hasPodResources, qosClass } from '../../../contracts/objects/qos.ts';
import { parseMilli, parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import type { ContainerResources } from './runtime-types.ts';

export const CFS_PERIOD_MICROS = 100_000;
const MIN_QUOTA_MICROS = 1000;
/** The largest quota that the kernel takes (MAX_BW of kernel/sched/sched.h): 176 million CPUs. */
const MAX_QUOTA_MICROS = 2 ** 44 - 1;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
/** Burstable and best-effort containers go first when memory runs out. */
const OOM_SCORE = { guaranteed: -997, bestEffort: 1000, burstable: 500 } as const;

/**
 * What a container of a pod that wants something as a whole is made with: without a limit of its own it may have what the
 * pod may, and how soon it goes when memory runs out is as the pod's class says. Source: Kubernetes
 * pkg/kubelet/kuberuntime/kuberuntime_container_linux.go (KEP-2837).
 */
export function resourcesWithin(spec: PodSpec, container: Pick<Container, 'resources'>): ContainerResources {
  if (!hasPodResources(spec)) return linuxResources(container);
  const limits: Record<string, string> = { ...container.resources.limits };
  for (const name of ['cpu', 'memory']) {
    const ofPod = readKey(spec.resources?.limits, name);
    const own = readKey(limits, name);
    if (ofPod !== undefined && (own === undefined || parseQuantity(own) === 0)) limits[name] = ofPod;
  }
  // What it asks for is not filled from a limit that is not its own.
  const requests = { cpu: '0', memory: '0', ...container.resources.requests };
  return { ...linuxResources({ resources: { limits, requests } }), oomScoreAdj: OOM_SCORE[OOM_CLASS[qosClass(spec)]] };
}
const OOM_CLASS = { Guaranteed: 'guaranteed', Burstable: 'burstable', BestEffort: 'bestEffort' } as const;

/**
 * cpu and memory as CFS quota, shares and limit. Source: Kubernetes documentation, "How Pods with resource limits are
 * run".
 */
export function linuxResources(container: Pick<Container, 'resources'>): ContainerResources {
  const { limits, requests } = container.resources as {
    limits?: Record<string, string>;
    requests?: Record<string, string>;
  };
  const cpuLimit = limits?.['cpu'] === undefined ? 0 : parseMilli(limits['cpu']);
  const cpuRequest = requests?.['cpu'] === undefined ? cpuLimit : parseMilli(requests['cpu']);
  const memoryLimit = limits?.['memory'] === undefined ? 0 : parseQuantity(limits['memory']);
  const memoryRequest = requests?.['memory'] === undefined ? memoryLimit : parseQuantity(requests['memory']);
  const guaranteed = cpuLimit > 0 && memoryLimit > 0 && cpuRequest === cpuLimit && memoryRequest === memoryLimit;
  const anything = cpuRequest > 0 || memoryRequest > 0;
  return {
    cpuPeriod: cpuLimit > 0 ? CFS_PERIOD_MICROS : 0,
    cpuQuota: cpuLimit > 0 ? cpuQuota(cpuLimit) : 0,
    cpuShares: cpuShares(cpuRequest),
    memoryBytes: Math.ceil(memoryLimit),
    oomScoreAdj: guaranteed ? OOM_SCORE.guaranteed : anything ? OOM_SCORE.burstable : OOM_SCORE.bestEffort,
  };
}

/** Microseconds of a period, of thousandths of a core. */
export function cpuQuota(milli: number): number {
  return Math.min(MAX_QUOTA_MICROS, Math.max(MIN_QUOTA_MICROS, (milli * CFS_PERIOD_MICROS) / 1000));
}

export function cpuShares(milli: number): number {
  return Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milli * 1024) / 1000)));
}
