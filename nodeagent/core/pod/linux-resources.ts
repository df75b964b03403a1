/** Requests and limits as the kernel knows them. */
import type { Container } from '../../../contracts/objects/index.ts';
import { parseMilli, parseQuantity } from '../../../contracts/objects/quantity-value.ts';
import type { ContainerResources } from './runtime-types.ts';

const CFS_PERIOD_MICROS = 100_000;
const MIN_QUOTA_MICROS = 1000;
/** The largest quota that the kernel takes (MAX_BW of kernel/sched/sched.h): 176 million CPUs. */
const MAX_QUOTA_MICROS = 2 ** 44 - 1;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
/** Burstable and best-effort containers go first when memory runs out. */
const OOM_SCORE = { guaranteed: -997, bestEffort: 1000, burstable: 500 } as const;

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
    cpuQuota:
      cpuLimit > 0 ? Math.min(MAX_QUOTA_MICROS, Math.max(MIN_QUOTA_MICROS, (cpuLimit * CFS_PERIOD_MICROS) / 1000)) : 0,
    cpuShares: Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((cpuRequest * 1024) / 1000))),
    memoryBytes: Math.ceil(memoryLimit),
    oomScoreAdj: guaranteed ? OOM_SCORE.guaranteed : anything ? OOM_SCORE.burstable : OOM_SCORE.bestEffort,
  };
}
