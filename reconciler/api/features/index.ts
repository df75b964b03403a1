/** All that the API answers. A new feature is a file here and a line in each of the two lists. */
import type { Feature } from '../routes.ts';
import { blame, type BlameNeeds } from './blame.ts';
import { explain, type ExplainNeeds } from './explain.ts';
import { history, type HistoryNeeds } from './history.ts';
import { metrics, type MetricsNeeds } from './metrics.ts';
import { netCheck } from './net-check.ts';
import { objects, type ObjectsNeeds } from './objects.ts';
import { openId, type OpenIdNeeds } from './openid.ts';
import { plan, type PlanNeeds } from './plan.ts';
import { pods, type PodsNeeds } from './pods.ts';
import { rebalance, type RebalanceNeeds } from './rebalance.ts';
import { rollback, type RollbackNeeds } from './rollback.ts';
import { status, type StatusNeeds } from './status.ts';

/** What the API is given: it owns nothing and decides nothing. */
export type ApiDependencies = BlameNeeds &
  ExplainNeeds &
  HistoryNeeds &
  MetricsNeeds &
  ObjectsNeeds &
  OpenIdNeeds &
  PlanNeeds &
  PodsNeeds &
  RebalanceNeeds &
  RollbackNeeds &
  StatusNeeds;

export function allFeatures(deps: ApiDependencies): readonly Feature[] {
  return [objects, pods, openId, metrics, status, history, explain, blame, plan, rebalance, rollback, netCheck].map(
    (feature) => feature(deps),
  );
}
