/** Keeps the scheduler's {@link ClusterState} and queue at what the store says, change by change. */
import {
  namespacedName,
  objectKey,
  type Node,
  type PriorityClass,
  type Stored,
  type StoredPod,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { finish, type Paced } from '../../core/paced.ts';
import type { ClusterState } from '../../core/scheduling/cluster-state.ts';
import type { SchedulingQueue } from '../../core/scheduling/queue.ts';
import { canonicalJson } from '../../core/storage/canonical-json.ts';
import { isFinished, isTerminating } from '../../core/workloads/pod-state.ts';
import { StorageClasses } from '../../core/volumes/class.ts';
import { ClaimPlacement, type VolumesView } from '../../core/volumes/placement.ts';
import { isUnheard, unheardNodes } from '../../core/workloads/unheard.ts';
import type { ChangeEvent } from '../../ports/object-store.ts';
import type { StoreView } from '../runtime/controller.ts';

/** Kinds that placement looks at, besides those that it knows by namespace. */
const KINDS = ['PriorityClass', 'Namespace', 'PodGroup', 'Node', 'Pod'] as const;

export interface Feed {
  readonly cluster: ClusterState;
  /** Absent where nothing waits: a simulation. */
  readonly queue?: SchedulingQueue;
}

/** What of the store's view is read. */
export type PlacementView = Pick<StoreView, 'get' | 'list' | 'pendingPods'>;

/** Takes in everything that the view holds. */
export function fill(feed: Feed, view: PlacementView): void {
  finish(filling(feed, view));
}

/** As {@link fill}, of the view as it is when the work begins. */
export function* filling(feed: Feed, view: PlacementView): Paced<void> {
  feed.cluster.volumes = new ClaimPlacement(volumesView(view));
  const objects = KINDS.map((kind): readonly Stored[] => view.list(kind));
  for (const namespace of namespacesOf(view.list('Service')))
    feed.cluster.setServices(namespace, view.list('Service', namespace));
  for (const namespace of namespacesOf(view.list('PodDisruptionBudget')))
    feed.cluster.setBudgets(namespace, view.list('PodDisruptionBudget', namespace));
  for (const object of objects.flat()) {
    yield;
    take(feed, view, 'put', object, undefined);
  }
}

/** Takes in one change; what placement does not look at is let pass. Idempotent. */
export function take(
  feed: Feed,
  view: PlacementView,
  type: ChangeEvent['type'],
  object: Stored,
  previous: Stored | undefined,
): void {
  const { cluster, queue } = feed;
  switch (object.kind) {
    case 'Node':
      if (type === 'delete') cluster.removeNode(object.metadata.name);
      else cluster.setNode(object);
      if (previous?.kind === 'Node' && mayHaveMore(previous, type === 'delete' ? undefined : object))
        cluster.volumesChanged();
      return;
    case 'Pod':
      return type === 'delete' ? dropPod(feed, object.metadata.uid) : takePod(feed, object);
    case 'Service':
      if (type === 'delete' || previous?.kind !== 'Service' || selectorOf(previous) !== selectorOf(object)) {
        cluster.setServices(object.metadata.namespace ?? '', view.list('Service', object.metadata.namespace));
      }
      return;
    case 'PodDisruptionBudget':
      return cluster.setBudgets(
        object.metadata.namespace ?? '',
        view.list('PodDisruptionBudget', object.metadata.namespace),
      );
    case 'Namespace':
      if (type !== 'delete') cluster.setNamespace(object);
      return;
    case 'PodGroup':
      return cluster.setPodGroup(namespacedName(object), type === 'delete' ? undefined : object.spec);
    case 'PersistentVolume':
    case 'PersistentVolumeClaim':
    case 'StorageClass':
      return cluster.volumesChanged();
    case 'PriorityClass':
      cluster.priorityClasses = new Map(
        view.list('PriorityClass').map((known): [string, PriorityClass] => [known.metadata.name, known]),
      );
      if (queue) for (const pod of view.pendingPods()) queue.set(pod);
      return;
    default:
  }
}

/** Whether volumes may be made now that were not: while those of a node are not known none is, nor without room. */
function mayHaveMore(before: Node, after: Node | undefined): boolean {
  return (
    (isUnheard(before) && (after === undefined || !isUnheard(after))) ||
    (after !== undefined && before.status?.volumeRoom !== after.status?.volumeRoom)
  );
}

/** What there is of volumes, read from the view when it is asked for. */
export function volumesView(view: Pick<StoreView, 'get' | 'list'>): VolumesView {
  return {
    claim: (namespace, name) => view.get(objectKey('PersistentVolumeClaim', namespace, name)),
    volumes: () => view.list('PersistentVolume'),
    node: (name) => view.get(objectKey('Node', undefined, name)),
    unheardNodes: () => unheardNodes(view.list('Node')),
    pod: (namespace, name) => view.get(objectKey('Pod', namespace, name)),
    classes: () => new StorageClasses(view.list('StorageClass')),
    placedPods: (namespace) =>
      view.list('Pod', namespace).filter((pod) => pod.spec.nodeName !== undefined && !isFinished(pod)),
  };
}

function takePod({ cluster, queue }: Feed, pod: StoredPod): void {
  const { uid } = pod.metadata;
  if (pod.spec.nodeName !== undefined || isFinished(pod)) {
    cluster.setPod(pod);
    queue?.delete(uid);
    return;
  }
  if (isTerminating(pod)) return dropPod({ cluster, ...(queue && { queue }) }, uid);
  const nominated = pod.status?.nominatedNodeName;
  if (nominated !== undefined && !cluster.placed(uid) && cluster.number(nominated) !== undefined)
    cluster.nominate(pod, nominated);
  queue?.set(pod);
}

function dropPod({ cluster, queue }: Feed, uid: string): void {
  cluster.removePod(uid);
  queue?.delete(uid);
}

function namespacesOf(objects: readonly Stored[]): ReadonlySet<string> {
  return new Set(objects.map(({ metadata }) => metadata.namespace ?? ''));
}

function selectorOf({ spec }: StoredService): string {
  return canonicalJson(spec.selector);
}
