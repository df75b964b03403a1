/** The forecast for a plan: what the scheduler would make of it, on a copy of what is live. */
import { KINDS, objectKey, type Kind, type Node, type StoredMachine } from '../../../contracts/objects/index.ts';
import type { Plan } from '../../core/diff/index.ts';
import { planNode } from '../../core/health/node.ts';
import { ClusterState } from '../../core/scheduling/cluster-state.ts';
import { plannedPods, storedForPlan, workloadOf } from '../../core/scheduling/planned-pods.ts';
import { Scheduler } from '../../core/scheduling/scheduler.ts';
import { simulate, type Forecast, type NodeChanges } from '../../core/scheduling/simulate.ts';
import { isFinished, isTerminating } from '../../core/workloads/pod-state.ts';
import { clusterSettings } from '../cluster-settings.ts';
import type { StoreView } from '../runtime/controller.ts';
import { ObjectTable } from '../runtime/object-table.ts';
import { fill } from './cluster-feed.ts';
import { SCHEDULER_NAME } from './pending-pods.ts';
import { profilesOf } from './profiles.ts';

/** Kinds that say how pods are placed. A change of the first alone may give a waiting pod its place. */
const RULES: ReadonlySet<Kind> = new Set(['PriorityClass', 'PodGroup', 'KubeSchedulerConfiguration', 'SchedulerPlugin', 'Namespace']);
const SETTINGS: ReadonlySet<Kind> = new Set([...RULES, 'Service', 'PodDisruptionBudget']);

/** Undefined where the plan places no pod anew. */
export function forecastOf(plan: Plan, view: StoreView, now: Date): Forecast | undefined {
  const pods = plannedPods(plan.items, view, now);
  const nodes = nodeChanges(plan, view, now);
  const isConcerned = plan.items.some(({ object }) => RULES.has(object.kind)) || pods.come.length + pods.go.length + nodes.changed.length + nodes.removed.length > 0;
  if (!isConcerned) return undefined;
  const planned = plannedView(plan, view, now);
  const live = view.list('Pod').filter((pod) => !isFinished(pod));
  return simulate({
    scheduler() {
      const cluster = new ClusterState();
      fill({ cluster }, planned);
      return new Scheduler(cluster, { profiles: profilesOf(planned).profiles, seed: SCHEDULER_NAME });
    },
    pods, nodes, now,
    waiting: live.filter((pod) => pod.spec.nodeName === undefined && !isTerminating(pod)),
    leaving: live.filter(isTerminating),
    workloadOf: (pod) => workloadOf(pod, view),
  });
}

/** The live state with what the plan makes of settings in it. Pods, their owners and nodes are as they are. */
function plannedView(plan: Plan, view: StoreView, now: Date): StoreView {
  const table = new ObjectTable();
  for (const kind of Object.keys(KINDS) as Kind[]) if (SETTINGS.has(kind) || kind === 'Node' || kind === 'Pod') for (const object of view.list(kind)) table.put(object);
  for (const { action, key, object } of plan.items) {
    if (!SETTINGS.has(object.kind)) continue;
    if (action === 'delete') table.remove(key);
    else table.put(storedForPlan(object, now));
  }
  return table;
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
    const { steps } = planNode({ machine, node, machines: view.list('Machine'), nodes: view.list('Node'), settings: clusterSettings(view), now, watchingSince: now });
    for (const step of steps) {
      if (step.do === 'delete') removed.push(name);
      else if (step.do === 'update' && step.object.kind === 'Node') changed.push(step.object);
    }
  }
  return { changed, removed, joining };
}
