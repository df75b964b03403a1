/** What a node says that it has, after the store was lost, and how much of it is looked at. */
import type { AlikeClaim, Claim, PodClaim, PodReport } from '../../../contracts/agent/index.ts';

/** Of what all nodes hold alike, one claim of each object. One value for all nodes that name it. */
export type AlikePart = readonly AlikeClaim[];

/** What one node that answered says. */
export interface NodeWord {
  readonly node: string;
  readonly claims: readonly Claim[];
  /**
   * What all nodes hold alike, of which there is nothing among the claims then; undefined of an agent that tells those as
   * all others.
   */
  readonly alike?: readonly AlikePart[];
  readonly pods: readonly PodReport[];
}

/** A pod that is being ended stands beside its replacement. */
const CLAIMS_PER_PLACE = 2;
/** Pods that have ended take no place: they stay as witnesses of what their Jobs have done. */
const ENDED_PER_PLACE = 20;

/**
 * What a node that has room for `maxPods` pods can say: the claims of pods beyond twice that many are left out, before
 * any is looked at, and so are those of ended ones beyond twenty times that many.
 */
export function withinPlaces(word: NodeWord, maxPods: number): NodeWord {
  let [running, ended] = [0, 0];
  const claims = word.claims.filter((claim) => {
    if (claim.kind !== 'Pod') return true;
    return hasEnded(claim, word)
      ? (ended += 1) <= maxPods * ENDED_PER_PLACE
      : (running += 1) <= maxPods * CLAIMS_PER_PLACE;
  });
  return claims.length === word.claims.length ? word : { ...word, claims };
}

/** By what its node says of it. */
export function hasEnded(claim: PodClaim, word: NodeWord): boolean {
  const phase = reportOf(claim, word)?.status?.phase;
  return phase === 'Failed' || phase === 'Succeeded';
}

/** Reports by uid, of which the first counts. */
const reports = new WeakMap<NodeWord['pods'], ReadonlyMap<string, PodReport>>();

/** What the node says of the pod that it claims, as long as it is there. */
export function reportOf({ metadata: { uid, name, namespace } }: PodClaim, { pods }: NodeWord): PodReport | undefined {
  let byUid = reports.get(pods);
  if (!byUid) {
    const there = pods.filter(({ gone }) => !gone);
    byUid = new Map(there.toReversed().map((report) => [report.uid, report]));
    reports.set(pods, byUid);
  }
  const report = byUid.get(uid);
  return report?.name === name && report.namespace === namespace ? report : undefined;
}
