/** The forecast for a plan: what controllers and scheduler would make of it, on a copy of what is live. */
import { kindOfKey } from '../../../contracts/objects/index.ts';
import { DESCRIPTORS } from '../../core/kinds/index.ts';
import type { Plan } from '../../core/diff/index.ts';
import { SOURCE_ANNOTATION } from '../../core/diff/types.ts';
import { topmostKey } from '../../core/kinds/owners.ts';
import type { Paced } from '../../core/paced.ts';
import { ClusterState } from '../../core/scheduling/cluster-state.ts';
import { Scheduler } from '../../core/scheduling/scheduler.ts';
import { simulate, type Forecast } from '../../core/scheduling/simulate.ts';
import { isTyped } from '../../core/step.ts';
import { isFinished, isTerminating } from '../../core/workloads/pod-state.ts';
import { allControllers } from '../index.ts';
import type { StoreView } from '../runtime/controller.ts';
import { filling, take, type PlacementView } from '../scheduling/cluster-feed.ts';
import { SCHEDULER_NAME } from '../scheduling/pending-pods.ts';
import { profilesOf } from '../scheduling/profiles.ts';
import { stepsOf } from '../sync/plan-live.ts';
import { ControllersPlayed, type PlayOptions } from './played-cluster.ts';

export type ForecastOptions = Partial<Pick<PlayOptions, 'controllers' | 'bounds'>>;

/**
 * Undefined where the plan places no pod anew. The view may go on meanwhile: what is looked at later is then as it is
 * by then.
 */
export function* forecastOf(
  plan: Plan,
  view: StoreView,
  now: Date,
  options: ForecastOptions = {},
): Paced<Forecast | undefined> {
  const played = new ControllersPlayed({ controllers: allControllers, ...options, view, now });
  yield* played.apply(stepsOf(plan).filter(isTyped), authorOf(plan));
  const isConcerned = played.isMoving || plan.items.some(({ object }) => DESCRIPTORS[object.kind].placement === 'rule');
  if (!isConcerned) return undefined;
  const waiting = view
    .pendingPods()
    .filter((pod) => !isFinished(pod))
    .map((pod) => ({ workload: topmostKey(view, pod), pod }));
  const leaving = view.list('Pod').filter(isTerminating);
  const seen = placementView(view, played.view);
  const cluster = new ClusterState();
  yield* filling({ cluster }, seen);
  played.follow((type, object, previous) => {
    take({ cluster }, seen, type, object, previous);
  });
  return yield* simulate({
    scheduler: new Scheduler(cluster, { profiles: profilesOf(seen).profiles, seed: SCHEDULER_NAME }),
    played,
    waiting,
    leaving,
  });
}

/** What is placed and where it is, as it is; what placement goes by, as it becomes. */
function placementView(live: StoreView, becoming: StoreView): PlacementView {
  return {
    get: (key) => (DESCRIPTORS[kindOfKey(key)].placement === 'state' ? live : becoming).get(key),
    list: (kind, namespace) => (DESCRIPTORS[kind].placement === 'state' ? live : becoming).list(kind, namespace),
    pendingPods: () => live.pendingPods(),
  };
}

function authorOf({ items }: Plan): string {
  const [source] = items.flatMap(({ object }) => object.metadata.annotations?.[SOURCE_ANNOTATION] ?? []);
  return `git:${source ?? ''}`;
}
