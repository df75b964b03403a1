/** Data that outlives the pod: what a claim is bound to. Words are kubelet's, desired_state_of_world_populator.go. */
import { enforcedBytes, isLocallyMade } from '../../../../contracts/objects/local-volumes.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../../contracts/objects/index.ts';
import { ephemeralClaim } from '../../../../contracts/objects/pod-references.ts';
import type { Resolved } from '../resolved.ts';
import { nfsMount } from './nfs.ts';
import type { PersistentMount, VolumeContext, VolumeMount, VolumeSource } from './source.ts';

export const PERSISTENT_VOLUME_CLAIM: VolumeSource<'persistentVolumeClaim'> = {
  // It may turn out to be a server's.
  place: () => ({ medium: 'network' }),
  readOnly: ({ readOnly }) => readOnly,
  mayFail: true,
  mount: ({ claimName }, context) => claimed(claimName, context),
};

export const EPHEMERAL: VolumeSource<'ephemeral'> = {
  place: () => ({ medium: 'network' }),
  readOnly: false,
  mayFail: true,
  mount: (_source, context, volume) => claimed(ephemeralClaim(context.pod.metadata.name, volume), context, 'own'),
};

function claimed(name: string, { pod, objects }: VolumeContext, whose?: 'own'): Resolved<VolumeMount> {
  const claim = objects.claim(name);
  if (!claim) return { ok: false, message: `persistentvolumeclaim "${name}" not found` };
  const owner = claim.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (whose === 'own' && owner?.uid !== pod.metadata.uid)
    return { ok: false, message: `persistentvolumeclaim "${name}" was not created for this pod` };
  const { volumeName } = claim.spec;
  if (claim.status?.phase !== 'Bound' || volumeName === undefined)
    return { ok: false, message: `persistentvolumeclaim "${name}" is not bound` };
  const volume = objects.persistentVolume(volumeName);
  if (!volume) return { ok: false, message: `persistentvolume "${volumeName}" not found` };
  if (!isBoundTo(volume, claim))
    return { ok: false, message: `persistentvolume "${volumeName}" is not bound to claim "${name}"` };
  if (volume.metadata.deletionTimestamp !== undefined)
    return { ok: false, message: `persistentvolume "${volumeName}" is being deleted` };
  const { nfs, mountOptions } = volume.spec;
  if (nfs) return { ok: true, value: nfsMount(nfs, mountOptions) };
  const from = sourceOf(volume);
  if (!from)
    return { ok: false, message: `persistentvolume "${volumeName}" is of a kind that is not mounted here yet` };
  const changePolicy = pod.spec.securityContext?.fsGroupChangePolicy ?? 'Always';
  return { ok: true, value: { kind: 'persistent', from, changePolicy } };
}

function isBoundTo({ spec: { claimRef } }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  return (
    claimRef?.namespace === metadata.namespace && claimRef?.name === metadata.name && claimRef.uid === metadata.uid
  );
}

/** What the agent made is known by the volume's name alone: no path that somebody wrote leads to it. */
function sourceOf(volume: PersistentVolume): PersistentMount['from'] | undefined {
  const { hostPath, local } = volume.spec;
  if (isLocallyMade(volume))
    return {
      is: 'made',
      volume: volume.metadata.name,
      record: JSON.stringify(recordOf(volume)),
      bytes: enforcedBytes(volume),
    };
  if (hostPath) return { is: 'host', ...hostPath, setsGroup: false };
  if (local) return { is: 'host', path: local.path, type: 'Directory', setsGroup: true };
  return undefined;
}

/** What the node tells of the volume when nobody else knows it any more. */
function recordOf({ apiVersion, kind, metadata, spec }: PersistentVolume): PersistentVolume {
  const { name, annotations } = metadata;
  return { apiVersion, kind, metadata: { name, ...(annotations && { annotations }) }, spec };
}
