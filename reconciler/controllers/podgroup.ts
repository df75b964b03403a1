/** PodGroups: how far their pods are. */
import { objectKey, parseKey, POD_GROUP_LABEL, type ObjectKey } from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planPodGroup } from '../core/workloads/pod-group.ts';
import type { Controller, PassContext } from './runtime/controller.ts';

function decide(key: ObjectKey, { view }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const group = view.get(objectKey('PodGroup', namespace, name));
  return group ? planPodGroup(group, view.labelled('Pod', POD_GROUP_LABEL, name, namespace)) : { steps: [] };
}

export const podGroupController: Controller = {
  name: 'podgroup-controller',
  kind: 'PodGroup',
  watches: {
    Pod: ({ metadata: { namespace, labels } }) => {
      const name = labels?.[POD_GROUP_LABEL];
      return name === undefined ? [] : [objectKey('PodGroup', namespace, name)];
    },
  },
  decide,
};
