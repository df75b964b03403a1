/** PersistentVolumeClaims: gives each its volume, and keeps it while a pod uses it. */
import {
  findCondition,
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type StoredOf,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../contracts/objects/index.ts';
import type { Decision } from '../core/step.ts';
import { planClaim } from '../core/volumes/claim.ts';
import { StorageClasses } from '../core/volumes/class.ts';
import { claimNames } from '../core/volumes/pod-claims.ts';
import { PODS_KNOWN, unheardNodes } from '../core/workloads/unheard.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const claim = view.get(objectKey('PersistentVolumeClaim', namespace, name));
  if (!claim) return { steps: [] };
  return planClaim({
    claim,
    volumes: view.list('PersistentVolume'),
    classes: new StorageClasses(view.list('StorageClass')),
    users: usersOf(claim, view),
    nodeNamed: (node) => view.get(objectKey('Node', undefined, node)),
    unheardNodes: () => unheardNodes(view.list('Node')),
    now,
  });
}

/**
 * A pod without a node does not count: a node starts none whose claim is going. Source: Kubernetes,
 * pkg/controller/volume/pvcprotection, podUsesPVC.
 */
function usersOf({ metadata, spec }: StoredPersistentVolumeClaim, view: StoreView): readonly StoredOf<'Pod'>[] {
  if (metadata.deletionTimestamp === undefined && spec.volumeName !== undefined) return [];
  return view
    .list('Pod', metadata.namespace)
    .filter((pod) => pod.spec.nodeName !== undefined && claimNames(pod).includes(metadata.name));
}

/** Claims that a change of a volume concerns: its own, those that name it, and while it is free those that wait. */
function claimsOfVolume(volume: StoredPersistentVolume, view: StoreView): readonly ObjectKey[] {
  const { claimRef } = volume.spec;
  const waiting = view
    .list('PersistentVolumeClaim')
    .filter(
      ({ spec, status }) =>
        spec.volumeName === volume.metadata.name ||
        (claimRef === undefined && spec.volumeName === undefined && status?.phase !== 'Bound'),
    );
  return [
    ...(claimRef ? [objectKey('PersistentVolumeClaim', claimRef.namespace, claimRef.name)] : []),
    ...waiting.map(keyOf),
  ];
}

function waitingClaims(_object: unknown, view: StoreView): readonly ObjectKey[] {
  return view
    .list('PersistentVolumeClaim')
    .filter(({ status }) => status?.phase !== 'Bound')
    .map(keyOf);
}

export const persistentVolumeClaimController: Controller = {
  name: 'persistentvolumeclaim-controller',
  kind: 'PersistentVolumeClaim',
  watches: {
    PersistentVolume: claimsOfVolume,
    StorageClass: waitingClaims,
    /** One that is gone may have been chosen; one that a recovery did not hear has spoken. */
    Node: (node, view, event) =>
      event === 'delete' || findCondition(node.status?.conditions, PODS_KNOWN) !== undefined
        ? waitingClaims(node, view)
        : [],
    /** One that is gone may have been the last that kept a claim; one on a node may be the first that uses it. */
    Pod: (pod, view, event) =>
      pod.spec.nodeName === undefined
        ? []
        : claimNames(pod)
            .map((name) => objectKey('PersistentVolumeClaim', pod.metadata.namespace, name))
            .filter((key) => {
              const claim = view.get(key);
              return event === 'delete'
                ? claim?.metadata.deletionTimestamp !== undefined
                : claim && claim.spec.volumeName === undefined;
            }),
  },
  decide,
};
