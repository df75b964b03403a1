/** Data that outlives the pod: what a claim is bound to. */
import { ephemeralClaim } from '../../../../contracts/objects/pod-references.ts';
import type { VolumeSource } from './source.ts';

export const PERSISTENT_VOLUME_CLAIM: VolumeSource<'persistentVolumeClaim'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: false,
  mayFail: true,
  mount: ({ claimName }) => unbound(claimName),
};

export const EPHEMERAL: VolumeSource<'ephemeral'> = {
  place: () => ({ medium: 'disk' }),
  readOnly: false,
  mayFail: true,
  mount: () => unbound(ephemeralClaim('', '')),
};

function unbound(claim: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message: `persistentvolumeclaim "${claim}" is not bound` };
}
