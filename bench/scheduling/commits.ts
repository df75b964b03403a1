/**
 * What it costs one committer to take places that others worked out, beside working them out: how many proposers it
 * could keep busy.
 */
import type { StoredPod } from '../../contracts/objects/index.ts';
import type { Scheduler } from '../../reconciler/core/scheduling/scheduler.ts';
import { cpuNow } from './cpu.ts';
import { schedulerFor, type Workload } from './run.ts';

export interface Commits {
  readonly pods: number;
  /** Processor time of a pod, mean, in microseconds. */
  readonly proposeMicros: number;
  readonly commitMicros: number;
}

/** Undefined for a workload in which more happens than that pods come and get places. */
export function measureCommits(workload: Workload): Commits | undefined {
  const [proposer, committer] = [schedulerFor(workload), schedulerFor(workload)];
  for (const pod of workload.initial ?? []) handOver(proposer, committer, pod);
  let [pods, proposing, committing] = [0, 0, 0];
  for (const next of workload.measured) {
    if ('change' in next) return undefined;
    const taken = handOver(proposer, committer, next.pod);
    if (!taken) return undefined;
    pods++;
    proposing += taken.proposed;
    committing += taken.committed;
  }
  return { pods, proposeMicros: proposing / pods, commitMicros: committing / pods };
}

function handOver(
  proposer: Scheduler,
  committer: Scheduler,
  pod: StoredPod,
): { readonly proposed: number; readonly committed: number } | undefined {
  const started = cpuNow();
  const outcome = proposer.place(pod);
  const proposed = cpuNow();
  if (outcome.is !== 'placed') return undefined;
  if (!committer.commit(pod, outcome.node))
    throw new Error(`${outcome.node} was proposed for ${pod.metadata.name} and refused on the same state`);
  return { proposed: proposed - started, committed: cpuNow() - proposed };
}
