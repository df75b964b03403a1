/** PersistentVolumeClaims: gives each its volume, and keeps it while a pod uses it. */
import {
  keyOf,
  objectKey,
  parseKey,
  type ObjectKey,
  type StoredOf,
  type StoredPersistentVolume,
  type StoredPersistentVolumeClaim,
} from '../../contracts/objects/index.ts';
import { podReferences } from '../../contracts/objects/pod-references.ts';
import type { Decision } from '../core/step.ts';
import { planClaim } from '../core/volumes/claim.ts';
import { StorageClasses } from '../core/volumes/class.ts';
import type { Controller, PassContext, StoreView } from './runtime/controller.ts';

function decide(key: ObjectKey, { view, now }: PassContext): Decision {
  const { namespace, name } = parseKey(key);
  const claim = view.get(objectKey('PersistentVolumeClaim', namespace, name));
  if (!claim) return { steps: [] };
  return planClaim({
    claim,
    volumes: view.list('PersistentVolume'),
    classes: new StorageClasses(view.list('StorageClass')),
    isUsed: isUsed(claim, view),
    nodeExists: (node) => view.get(objectKey('Node', undefined, node)) !== undefined,
    now,
  });
}

/**
 * A pod without a node does not count: a node starts none whose claim is going. Source: Kubernetes,
 * pkg/controller/volume/pvcprotection, podUsesPVC.
 */
function isUsed({ metadata }: StoredPersistentVolumeClaim, view: StoreView): boolean {
  if (metadata.deletionTimestamp === undefined) return false;
  return view
    .list('Pod', metadata.namespace)
    .some((pod) => pod.spec.nodeName !== undefined && claimsOf(pod).includes(metadata.name));
}

function claimsOf({ metadata, spec }: StoredOf<'Pod'>): readonly string[] {
  if (spec.volumes === undefined) return [];
  return podReferences(spec, metadata.name).flatMap(({ kind, name }) =>
    kind === 'PersistentVolumeClaim' ? [name] : [],
  );
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
    Node: (_node, view, event) => (event === 'delete' ? waitingClaims(_node, view) : []),
    /** One that is gone may have been the last that kept a claim. */
    Pod: (pod, view, event) =>
      event === 'delete'
        ? claimsOf(pod)
            .map((name) => objectKey('PersistentVolumeClaim', pod.metadata.namespace, name))
            .filter((key) => view.get(key)?.metadata.deletionTimestamp !== undefined)
        : [],
  },
  decide,
};
