/** ReplicaSets and ReplicationControllers: keeps the number of their pods. */
import {
  conditionIsTrue,
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import type { NodeMonitor } from '../core/health/node-monitor.ts';
import {
  planRefused,
  planReplicaSet,
  REPLICA_FAILURE,
  selectorOf,
  type ReplicaKeeper,
} from '../core/workloads/replicaset.ts';
import { heldBack, PODS_KNOWN, UNHEARD_ANNOTATION } from '../core/workloads/unheard.ts';
import { controllerKeys, isBinding, orphans } from './owned-keys.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

type Kept = 'ReplicaSet' | 'ReplicationController';

function decide(key: ObjectKey<Kept>, { view, now, monotonic, ids }: PassContext, monitor: NodeMonitor): Decision {
  const { namespace } = parseKey(key);
  const replicaSet: ReplicaKeeper | undefined = view.get(key);
  if (!replicaSet) return { steps: [] };
  const owned = view.ownedBy('Pod', replicaSet.metadata.uid);
  const owner = controllerOf(replicaSet.metadata);
  return planReplicaSet({
    replicaSet,
    pods: [...owned, ...orphans('Pod', namespace, selectorOf(replicaSet), view)],
    related: () =>
      owner ? view.ownedBy('ReplicaSet', owner.uid).flatMap((rs) => view.ownedBy('Pod', rs.metadata.uid)) : owned,
    now,
    held: heldBack(replicaSet, view.list('Node'), (node, taint) =>
      monitor.taintAgeMs(node.metadata.name, taint, monotonic),
    ),
    suffix: (length) => ids.suffix(length),
    nameTaken: (podName) => view.get(objectKey('Pod', namespace, podName)) !== undefined,
  });
}

/** `monitor`: knows for how long nodes are silent. */
function keeperOf(kind: Kept, name: string, monitor: NodeMonitor): Controller {
  return {
    name,
    kind,
    ignores: isBinding,
    watches: {
      Pod: (pod, view) => controllerKeys(kind, pod, view),
      /** What it is short of may have become free. */
      ResourceQuota: ({ metadata }, view) =>
        view
          .list(kind, metadata.namespace)
          .filter(({ status }) => conditionIsTrue(status?.conditions, REPLICA_FAILURE))
          .map(keyOf),
      /** A node that a recovery did not hear has spoken, or is given up. */
      Node: (node, view) =>
        findCondition(node.status?.conditions, PODS_KNOWN) === undefined
          ? []
          : view
              .list(kind)
              .filter(({ metadata }) => metadata.annotations?.[UNHEARD_ANNOTATION] !== undefined)
              .map(keyOf),
    },
    decide: (key, context) => decide(key as ObjectKey<Kept>, context, monitor),
    refused(key, refused, { view, now }) {
      const replicaSet: ReplicaKeeper | undefined = view.get(key as ObjectKey<Kept>);
      return replicaSet ? planRefused(replicaSet, refused, now) : { steps: [] };
    },
  };
}

export const replicaSetController = (monitor: NodeMonitor): Controller =>
  keeperOf('ReplicaSet', 'replicaset-controller', monitor);

export const replicationController = (monitor: NodeMonitor): Controller =>
  keeperOf('ReplicationController', 'replication-controller', monitor);
