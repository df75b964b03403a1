/** What agents say they take, for tests. */
import type { ContainerCounters, UsageReport } from '../../../contracts/agent/index.ts';

/** A container that ran since long before; times in ms, cpu in ns. */
export function counted(
  podUid: string,
  name: string,
  at: number,
  cpuNanoseconds: number,
  more: Partial<ContainerCounters> = {},
): ContainerCounters {
  return { podUid, name, id: `${podUid}-${name}-0`, startedAt: -1e6, at, cpuNanoseconds, memoryBytes: 2048, ...more };
}

export function report(at: number, containers: readonly ContainerCounters[], nodeCpu = 0): UsageReport {
  return {
    agentStartedAt: '2026-01-01T00:00:00Z',
    at,
    node: { at, cpuNanoseconds: nodeCpu, memoryBytes: 1e9 },
    containers: [...containers],
  };
}
