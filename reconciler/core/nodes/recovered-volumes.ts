/**
 * Volumes that nodes have folders of, once nobody else knows them. A node is believed only in what is its own: where the
 * volume is, who made it and where its folder lies follow from whose word it is. It is kept for the claim that it was
 * bound to, by name: a claim that Git still has, or that is made again under its name, is bound to it again, and no other
 * gets it. That its data was given up is not believed: it was said before the loss, and is said again by people.
 */
import { HOSTNAME_LABEL, VOLUME_PROTECTION, type PersistentVolume } from '../../../contracts/objects/index.ts';
import { localFolder, madeHere } from '../volumes/local-volume.ts';
import { isSizeEnforced } from '../../../contracts/objects/local-volumes.ts';
import { DATA_FINALIZER } from '../volumes/names.ts';
import type { NodeWord } from './node-word.ts';

/** Far more than a node has; a node chooses how many it tells of. */
const MOST_OF_A_NODE = 1000;

/** Each volume once; of two nodes that tell of one name the first is followed, by name. */
export function recoveredVolumes(words: readonly NodeWord[]): readonly PersistentVolume[] {
  const volumes = new Map<string, PersistentVolume>();
  for (const { node, claims } of [...words].sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const own = claims.filter((claim) => claim.kind === 'PersistentVolume').slice(0, MOST_OF_A_NODE);
    for (const { metadata, spec } of own) {
      const { name } = metadata;
      if (volumes.has(name)) continue;
      volumes.set(name, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: {
          name,
          annotations: madeHere(isSizeEnforced({ metadata })),
          finalizers: [VOLUME_PROTECTION, DATA_FINALIZER],
        },
        spec: {
          accessModes: spec.accessModes,
          capacity: spec.capacity,
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...spec.claimRef },
          persistentVolumeReclaimPolicy: spec.persistentVolumeReclaimPolicy,
          storageClassName: spec.storageClassName,
          local: { path: localFolder(name) },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
            },
          },
        },
      });
    }
  }
  return [...volumes.values()];
}
