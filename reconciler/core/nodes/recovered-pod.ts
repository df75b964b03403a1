/** A claimed pod as an object of the store: what its node says of it, no more than it may. */
import type { Pod, StoredOf } from '../../../contracts/objects/index.ts';
import type { PodClaim } from '../../../contracts/agent/index.ts';
import { boundedPodStatus, boundedTime, type KnownNode } from './bounded-report.ts';
import { reportOf, type NodeWord } from './node-word.ts';

/** A pod, and the node that claims it. */
export interface Witnessed {
  readonly word: NodeWord;
  readonly claim: PodClaim;
}

/** The binding is part of the pod, so one without a report is at least known to be scheduled. */
export function recoveredPod(
  { known, now }: { readonly known: ReadonlyMap<string, KnownNode>; readonly now: Date },
  { word, claim }: Witnessed,
  spec: Pod['spec'],
  of: Partial<Pod['metadata']>,
): StoredOf<'Pod'> {
  const { name, namespace, uid, deletionTimestamp, deletionGracePeriodSeconds } = claim.metadata;
  const creationTimestamp = boundedTime(claim.metadata.creationTimestamp, now);
  const told = reportOf(claim, word)?.status;
  const status = told
    ? boundedPodStatus(told, spec, known.get(word.node) ?? { podCIDR: undefined, internalIP: undefined }, now)
    : { phase: 'Pending' as const };
  const scheduled = { type: 'PodScheduled', status: 'True' as const, lastTransitionTime: creationTimestamp };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...of,
      name,
      namespace,
      uid,
      creationTimestamp,
      resourceVersion: '0',
      generation: 1,
      ...(deletionTimestamp !== undefined && {
        deletionTimestamp: boundedEnd(deletionTimestamp, spec, now),
        deletionGracePeriodSeconds: Math.min(deletionGracePeriodSeconds ?? 0, spec.terminationGracePeriodSeconds),
      }),
    },
    spec: { ...spec, nodeName: word.node },
    status: {
      ...status,
      conditions: [scheduled, ...(status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled')],
    },
  };
}

/** A pod of a file of its node: it is what the node says, who has the file. */
export function staticPodAgain(input: Parameters<typeof recoveredPod>[0], one: Witnessed): StoredOf<'Pod'> {
  const { annotations } = one.claim.metadata;
  return recoveredPod(input, one, one.claim.spec, annotations ? { annotations } : {});
}

/** The end of a grace period is never further away than the pod's own. */
function boundedEnd(told: string, spec: Pod['spec'], now: Date): string {
  return new Date(Math.min(Date.parse(told), now.getTime() + spec.terminationGracePeriodSeconds * 1000)).toISOString();
}
