/** The forecast for a plan: what the scheduler would make of it, on a copy of what is live. */
import { objectKey, type Kind, type Node, type StoredMachine } from '../../../contracts/objects/index.ts';
import type { Plan } from '../../core/diff/index.ts';
import { planNode } from '../../core/health/node.ts';
import { DESCRIPTORS } from '../../core/kinds/index.ts';
import type { Paced } from '../../core/paced.ts';
import type { NodeChanges } from '../../core/scheduling/attempt.ts';
import { ClusterState } from '../../core/scheduling/cluster-state.ts';
import { PlannedWorkloads, storedForPlan, workloadOf } from '../../core/scheduling/planned-workloads.ts';
import { Scheduler } from '../../core/scheduling/scheduler.ts';
import { simulate, type Forecast } from '../../core/scheduling/simulate.ts';
import { isFinished, isTerminating } from '../../core/workloads/pod-state.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreView } from '../runtime/controller.ts';
import { ObjectTable } from '../runtime/object-table.ts';
import { filling, type PlacementView } from './cluster-feed.ts';
import { SCHEDULER_NAME } from './pending-pods.ts';
import { profilesOf } from './profiles.ts';

/**
 * Undefined where the plan places no pod anew. The view may go on meanwhile: what is looked at later is then as it is
 * by then.
 */
export function* forecastOf(plan: Plan, view: StoreView, now: Date): Paced<Forecast | undefined> {
  const workloads = new PlannedWorkloads(view, now);
  yield* workloads.apply(plan.items);
  const nodes = nodeChanges(plan, view, now);
  const isConcerned =
    workloads.isMoving ||
    nodes.changed.length + nodes.removed.length > 0 ||
    plan.items.some(({ object }) => DESCRIPTORS[object.kind].placement === 'rule');
  if (!isConcerned) return undefined;
  const waiting = view
    .pendingPods()
    .filter((pod) => !isFinished(pod))
    .map((pod) => ({ workload: workloadOf(pod, view), pod }));
  const leaving = view.list('Pod').filter(isTerminating);
  const planned = plannedView(plan, view, now);
  const cluster = new ClusterState();
  yield* filling({ cluster }, planned);
  return yield* simulate({
    scheduler: new Scheduler(cluster, { profiles: profilesOf(planned).profiles, seed: SCHEDULER_NAME }),
    workloads,
    waiting,
    leaving,
    nodes,
    now,
  });
}

/** The live state with what the plan makes of settings in it. Pods, their owners and nodes are as they are. */
function plannedView(plan: Plan, view: StoreView, now: Date): PlacementView {
  const table = new ObjectTable();
  const changed = new Set(plan.items.flatMap(({ object: { kind } }) => (isSetting(kind) ? [kind] : [])));
  for (const kind of changed) for (const object of view.list(kind)) table.put(object);
  for (const { action, key, object } of plan.items) {
    if (!changed.has(object.kind)) continue;
    if (action === 'delete') table.remove(key);
    else table.put(storedForPlan(object, now));
  }
  return {
    list: (kind, namespace) => (changed.has(kind) ? table : view).list(kind, namespace),
    pendingPods: () => view.pendingPods(),
  };
}

function isSetting(kind: Kind): boolean {
  const { placement } = DESCRIPTORS[kind];
  return placement === 'rule' || placement === 'setting';
}

/** What the node controller will make of the plan's Machines. */
function nodeChanges(plan: Plan, view: StoreView, now: Date): NodeChanges {
  const changed: Node[] = [];
  const removed: string[] = [];
  const joining: string[] = [];
  for (const item of plan.items) {
    if (item.object.kind !== 'Machine') continue;
    const { name } = item.object.metadata;
    const node = view.get(objectKey('Node', undefined, name));
    if (!node) {
      if (item.action !== 'delete') joining.push(name);
      continue;
    }
    const machine: StoredMachine | undefined = item.action === 'delete' ? undefined : storedForPlan(item.object, now);
    const { steps } = planNode({
      machine,
      node,
      podCIDR: node.spec.podCIDR,
      settings: clusterSettings(view),
      now,
      silentMs: 0,
      evictsInMs: undefined,
      blind: false,
    });
    for (const step of steps) {
      if (step.do === 'delete') removed.push(name);
      else if (step.do === 'update' && step.object.kind === 'Node') changed.push(step.object);
    }
  }
  return { changed, removed, joining };
}
