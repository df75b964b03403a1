/** What the API is given: it owns nothing and decides nothing. */
import type { ObjectKey, StoredPod } from '../../contracts/objects/index.ts';
import type { PlanFormat } from '../core/diff/index.ts';
import type { RebalanceOrder, RebalanceReport } from '../controllers/descheduling/rebalance.ts';
import type { PlacementExplanation } from '../core/scheduling/explain.ts';
import type { StoreView } from '../controllers/runtime/controller.ts';
import type { Clock } from '../ports/clock.ts';
import type { GitSource, Revision } from '../ports/git-source.ts';
import type { Log } from '../ports/log.ts';
import type { NodeConnection } from '../ports/node-transport.ts';
import type { ControlPlaneInfo, PlanReport } from './types.ts';

export interface RollbackRequest {
  /** The revision applied before the current one when absent. */
  readonly revision?: string;
  readonly message?: string;
  readonly author: { readonly name: string; readonly email: string };
}

export interface ApiDependencies {
  readonly view: StoreView;
  readonly git: GitSource;
  readonly sourceName: string;
  readonly info: ControlPlaneInfo;
  /** What `rev` (default: the branch) would change against the live state, and where its pods would go. */
  readonly plan: (rev: string | undefined, format: PlanFormat, signal: AbortSignal) => Promise<PlanReport>;
  readonly rollback: (
    request: RollbackRequest,
    signal: AbortSignal,
  ) => Promise<{ readonly commit: Revision; readonly restored: string }>;
  /** Which running pods should be elsewhere, and with `apply` their eviction. */
  readonly rebalance: (order: RebalanceOrder, signal: AbortSignal) => Promise<RebalanceReport>;
  /** Why a pod is where it is, or nowhere; undefined for one that needs no place any more. */
  readonly explainPlacement: (pod: StoredPod) => PlacementExplanation | undefined;
  /** Deletes a pod gracefully; false where there is none. */
  readonly deletePod: (key: ObjectKey<'Pod'>, signal: AbortSignal) => Promise<boolean>;
  /** The open connection to a node's agent, or undefined while there is none. */
  readonly connectionTo: (nodeName: string) => NodeConnection | undefined;
  /** Calls back on any change of the live state; returns how to stop. */
  readonly onChange: (listener: () => void) => () => void;
  /** Why the live state cannot be read or written now; undefined while all is well. */
  readonly storeProblem: () => string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}
