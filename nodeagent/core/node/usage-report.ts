/** What a node answers when it is asked what it takes. */
import type { UsageReport } from '../../../contracts/agent/index.ts';
import type { ObservedPod } from '../pod/observed.ts';

/** As the meter has it; times by the wall. */
interface Measured {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  readonly at: number;
  readonly cpuNanoseconds: number;
  readonly memoryBytes: number;
}

export interface Measurement {
  readonly agentStartedAt: string;
  readonly machine: Pick<UsageReport['node'], 'cpuNanoseconds' | 'memoryBytes'>;
  readonly containers: readonly Measured[];
  readonly observed: (podUid: string) => ObservedPod | undefined;
  /** When the measurement was over, milliseconds. */
  readonly now: number;
  readonly monotonic: number;
}

/**
 * The runtime's times on our monotonic clock, so that a wall clock that is set between two answers spoils no rate. Of
 * containers that the agent knows: another has no start that could be told.
 */
export function usageReport(measured: Measurement): UsageReport {
  const { agentStartedAt, machine, containers, observed, now, monotonic } = measured;
  const moment = (wall: number): number => monotonic - (now - wall);
  return {
    agentStartedAt,
    at: monotonic,
    node: { at: monotonic, ...machine },
    containers: containers.flatMap(({ podUid, name, id, at, cpuNanoseconds, memoryBytes }) => {
      const known = observed(podUid)?.containers.find((one) => one.id === id);
      if (!known) return [];
      return {
        podUid,
        name,
        id,
        startedAt: moment(known.detail.startedAt),
        at: moment(at),
        cpuNanoseconds,
        memoryBytes,
      };
    }),
  };
}
