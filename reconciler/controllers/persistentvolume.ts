/** PersistentVolumes: says how each is, and lets those go whose data was given up. */
import {
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  type Node,
  type ObjectKey,
  type StoredPersistentVolumeClaim,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { tenderOf } from '../../contracts/objects/nfs-volumes.ts';
import { planVolume } from '../core/volumes/volume.ts';
import { clusterSettings } from './cluster-settings.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const volume = view.get(objectKey('PersistentVolume', undefined, parseKey(key).name));
  if (!volume) return { steps: [] };
  const { claimRef } = volume.spec;
  return planVolume({
    volume,
    claim: claimRef && view.get(objectKey('PersistentVolumeClaim', claimRef.namespace, claimRef.name)),
    nodes: {
      ready: () =>
        view
          .list('Node')
          .filter(isReady)
          .map(({ metadata }) => metadata.name),
      isThere: (node) => view.get(objectKey('Node', undefined, node)) !== undefined,
    },
    isGivenUp: clusterSettings(view).storage?.givenUpVolumes?.includes(volume.metadata.name) ?? false,
    now,
  });
}

function isReady({ status }: Node): boolean {
  return findCondition(status?.conditions, 'Ready')?.status === 'True';
}

/** The volume that it names, and those that are kept for it. */
function volumesOfClaim({ metadata, spec }: StoredPersistentVolumeClaim, view: StoreView): readonly ObjectKey[] {
  return view
    .list('PersistentVolume')
    .filter(
      ({ metadata: { name }, spec: { claimRef } }) =>
        name === spec.volumeName || (claimRef?.namespace === metadata.namespace && claimRef?.name === metadata.name),
    )
    .map(keyOf);
}

export const persistentVolumeController: Controller = {
  name: 'persistentvolume-controller',
  kind: 'PersistentVolume',
  watches: {
    PersistentVolumeClaim: volumesOfClaim,
    /** Volumes on shares whose tender it was. */
    Node: ({ metadata }, view, event) =>
      event === 'delete'
        ? view
            .list('PersistentVolume')
            .filter((volume) => tenderOf(volume) === metadata.name)
            .map(keyOf)
        : [],
    Cluster: (_cluster, view) =>
      view
        .list('PersistentVolume')
        .filter(({ status }) => status?.phase === 'Released')
        .map(keyOf),
  },
  decide,
};
