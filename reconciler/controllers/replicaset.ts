/** ReplicaSets: keeps the number of their pods. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import { planReplicaSet } from '../core/workloads/replicaset.ts';
import { controllerKeys, orphans } from './owned-keys.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now, ids }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const replicaSet = view.get(objectKey('ReplicaSet', namespace, name));
  if (!replicaSet) return { steps: [] };
  const owned = view.ownedBy('Pod', replicaSet.metadata.uid);
  const owner = controllerOf(replicaSet.metadata);
  return planReplicaSet({
    replicaSet,
    pods: [...owned, ...orphans('Pod', namespace, replicaSet.spec.selector, view)],
    related: owner ? view.ownedBy('ReplicaSet', owner.uid).flatMap((rs) => view.ownedBy('Pod', rs.metadata.uid)) : owned,
    now,
    suffix: (length) => ids.suffix(length),
    nameTaken: (podName) => view.get(objectKey('Pod', namespace, podName)) !== undefined,
  });
}

export const replicaSetController: Controller = {
  name: 'replicaset-controller',
  kind: 'ReplicaSet',
  watches: { Pod: (pod, view) => controllerKeys('ReplicaSet', pod, view) },
  decide,
};
