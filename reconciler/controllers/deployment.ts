/** Deployments: keeps their ReplicaSets as the present template and number want them. */
import { objectKey, parseKey, type ObjectKey } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { controllerIn } from '../core/kinds/owners.ts';
import { planDeployment } from '../core/workloads/deployment.ts';
import { controllerOf } from '../core/workloads/owners.ts';
import { controllerKeys, orphans } from './owned-keys.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const deployment = view.get(objectKey('Deployment', namespace, name));
  if (!deployment) return { steps: [] };
  const owned = view.ownedBy('ReplicaSet', deployment.metadata.uid);
  return planDeployment({
    deployment,
    replicaSets: [...owned, ...orphans('ReplicaSet', namespace, deployment.spec.selector, view)],
    pods: owned.flatMap((rs) => view.ownedBy('Pod', rs.metadata.uid)),
    lookup: (rsName) => view.get(objectKey('ReplicaSet', namespace, rsName)),
    now,
  });
}

export const deploymentController: Controller = {
  name: 'deployment-controller',
  kind: 'Deployment',
  watches: {
    ReplicaSet: (rs, view) => controllerKeys('Deployment', rs, view),
    /** A rollout that recreates waits for the last old pod; all else comes with its ReplicaSets' status. */
    Pod: (pod, view, event) => {
      if (event !== 'delete' && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') return [];
      const owner = controllerIn(view, pod.metadata.namespace, controllerOf(pod.metadata));
      return owner?.kind === 'ReplicaSet' ? controllerKeys('Deployment', owner, view) : [];
    },
  },
  decide,
};
