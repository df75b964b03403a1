/** Claims of pods' generic ephemeral volumes. */
import { objectKey, parseKey, type Stored } from '../../contracts/objects/index.ts';
import { planEphemeral } from '../core/volumes/ephemeral.ts';
import type { Controller } from './runtime/controller.ts';

const hasEphemeral = (object: Stored): boolean =>
  object.kind === 'Pod' && object.spec.volumes?.some(({ ephemeral }) => ephemeral !== undefined) === true;

export const ephemeralVolumeController: Controller = {
  name: 'ephemeral-volume-controller',
  kind: 'Pod',
  concerns: (pod, previous) => previous === undefined && hasEphemeral(pod),
  watches: {
    PersistentVolumeClaim: ({ metadata }, view, event) => {
      if (event !== 'delete') return [];
      const owner = metadata.ownerReferences?.find(({ kind }) => kind === 'Pod');
      const key = owner && objectKey('Pod', metadata.namespace, owner.name);
      return key && view.get(key) ? [key] : [];
    },
  },
  decide(key, { view }) {
    const { namespace, name } = parseKey(key);
    const pod = view.get(objectKey('Pod', namespace, name));
    if (!pod) return { steps: [] };
    return { steps: planEphemeral(pod, (claim) => view.get(objectKey('PersistentVolumeClaim', namespace, claim))) };
  },
};
