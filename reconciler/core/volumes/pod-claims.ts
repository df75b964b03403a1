/** Names of the claims that a pod uses. */
import type { Pod } from '../../../contracts/objects/index.ts';
import { volumeReferences } from '../../../contracts/objects/pod-references.ts';

const NONE: readonly string[] = [];

/** In the pod's namespace; those that are made with the pod included. */
export function claimNames({ metadata, spec }: Pod): readonly string[] {
  if (spec.volumes === undefined) return NONE;
  return spec.volumes
    .flatMap((volume) => volumeReferences(volume, metadata.name))
    .flatMap(({ kind, name }) => (kind === 'PersistentVolumeClaim' ? [name] : []));
}
