/** Claims that are made with a pod, and go with it. Source: Kubernetes, pkg/controller/volume/ephemeral. */
import {
  namespacedName,
  type PersistentVolumeClaim,
  type StoredPersistentVolumeClaim,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { ephemeralClaim } from '../../../contracts/objects/pod-references.ts';
import type { Step } from '../step.ts';
import { controllerOf } from '../workloads/owners.ts';

/** A pod that is ending gets none; one of that name that is another's is left alone, and told of. */
export function planEphemeral(
  pod: StoredPod,
  claimNamed: (name: string) => StoredPersistentVolumeClaim | undefined,
): readonly Step[] {
  const { metadata, spec } = pod;
  if (metadata.deletionTimestamp !== undefined) return [];
  return (spec.volumes ?? []).flatMap(({ name: volume, ephemeral }): Step[] => {
    if (ephemeral === undefined) return [];
    const name = ephemeralClaim(metadata.name, volume);
    const found = claimNamed(name);
    if (found) {
      if (isOwnClaim(found, pod)) return [];
      const message = `PVC ${metadata.namespace ?? ''}/${name} was not created for pod ${namespacedName(pod)} (pod is not owner)`;
      return [{ do: 'event', regarding: pod, type: 'Warning', reason: 'EphemeralVolumeConflict', message }];
    }
    const { volumeClaimTemplate: template } = ephemeral;
    const object: PersistentVolumeClaim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        ...template.metadata,
        name,
        ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Pod',
            name: metadata.name,
            uid: metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: template.spec,
    };
    return [{ do: 'create', object }];
  });
}

/** Source: Kubernetes, component-helpers/storage/ephemeral VolumeIsForPod. */
export function isOwnClaim(claim: PersistentVolumeClaim, pod: StoredPod): boolean {
  return controllerOf(claim.metadata)?.uid === pod.metadata.uid;
}
