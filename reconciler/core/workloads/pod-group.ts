/** What a PodGroup's status says. Source of the phases: kubernetes-sigs/scheduler-plugins, PodGroup controller. */
import type { PodGroupStatus, StoredPod, StoredPodGroup } from '../../../contracts/objects/index.ts';
import type { Decision } from '../step.ts';
import { canonicalJson } from '../storage/canonical-json.ts';
import { isTerminating } from './pod-state.ts';

/** Counts the group's pods anew; those that are being deleted are no members any more. */
export function planPodGroup(group: StoredPodGroup, pods: readonly StoredPod[]): Decision {
  const members = pods.filter((pod) => !isTerminating(pod));
  const count = (phase: string): number => members.filter((pod) => pod.status?.phase === phase).length;
  const [running, succeeded, failed] = [count('Running'), count('Succeeded'), count('Failed')];
  const status: PodGroupStatus = {
    phase: phaseOf({ running, succeeded, failed, members: members.length }, group.spec.minMember),
    running,
    succeeded,
    failed,
  };
  return {
    steps:
      canonicalJson(group.status) === canonicalJson(status)
        ? []
        : [{ do: 'updateStatus', object: { ...group, status } }],
  };
}

interface Counts {
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly members: number;
}

function phaseOf({ running, succeeded, failed, members }: Counts, needed: number): PodGroupStatus['phase'] {
  if (members < needed) return 'Pending';
  if (failed > 0 && failed + running + succeeded >= needed) return 'Failed';
  if (succeeded >= needed) return 'Finished';
  return running + succeeded >= needed ? 'Running' : 'Scheduling';
}
