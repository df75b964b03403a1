/**
 * Volumes that nodes have folders of, or know on a share, once nobody else knows them. A node is believed only in what is its own: where the
 * volume is, who made it and where its folder lies follow from whose word it is; which server and share, and how that is mounted, from the class. It is kept for the claim that it was
 * bound to, by name: a claim that Git still has, or that is made again under its name, is bound to it again, and no other
 * gets it. That its data was given up is not believed: it was said before the loss, and is said again by people.
 */
import type { PersistentVolumeClaimed } from '../../../contracts/agent/index.ts';
import {
  HOSTNAME_LABEL,
  NFS_FOLDER_MADE,
  readKey,
  TENDED_BY,
  VOLUME_PROTECTION,
  type PersistentVolume,
  type StorageClass,
} from '../../../contracts/objects/index.ts';
import { localFolder, madeHere } from '../volumes/local-volume.ts';
import { isSizeEnforced } from '../../../contracts/objects/local-volumes.ts';
import { DATA_FINALIZER } from '../volumes/names.ts';
import { sharePlace } from '../volumes/share-volume.ts';
import type { NodeWord } from './node-word.ts';

/** Far more than a node has; a node chooses how many it tells of. */
const MOST_OF_A_NODE = 1000;

/** `classOf`: a StorageClass of Git, by its name. Each volume once; of two nodes that tell of one name the first is followed, by name. */
export function recoveredVolumes(
  words: readonly NodeWord[],
  classOf: (name: string) => StorageClass | undefined,
): readonly PersistentVolume[] {
  const volumes = new Map<string, PersistentVolume>();
  for (const { node, claims } of [...words].sort((a, b) => (a.node < b.node ? -1 : 1))) {
    const own = claims.filter((claim) => claim.kind === 'PersistentVolume').slice(0, MOST_OF_A_NODE);
    for (const word of own) {
      const { name } = word.metadata;
      const place = volumes.has(name) ? undefined : placeOf(word, node, classOf(word.spec.storageClassName));
      if (place) volumes.set(name, recovered(word, place));
    }
  }
  return [...volumes.values()];
}

type Place = Pick<PersistentVolume['spec'], 'local' | 'nfs' | 'nodeAffinity' | 'mountOptions'> & {
  readonly persistentVolumeReclaimPolicy?: PersistentVolume['spec']['persistentVolumeReclaimPolicy'];
  readonly annotations: Readonly<Record<string, string>>;
};

function recovered({ metadata, spec }: PersistentVolumeClaimed, { annotations, ...place }: Place): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: metadata.name, annotations, finalizers: [VOLUME_PROTECTION, DATA_FINALIZER] },
    spec: {
      accessModes: spec.accessModes,
      capacity: spec.capacity,
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...spec.claimRef },
      persistentVolumeReclaimPolicy: spec.persistentVolumeReclaimPolicy,
      storageClassName: spec.storageClassName,
      ...place,
    },
  };
}

/** Undefined for a volume of a server that no class made: Git has it. */
function placeOf(
  word: PersistentVolumeClaimed,
  node: string,
  storageClass: StorageClass | undefined,
): Place | undefined {
  const { metadata, spec } = word;
  if (spec.nfs === undefined)
    return {
      annotations: madeHere(isSizeEnforced({ metadata })),
      local: { path: localFolder(metadata.name) },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME_LABEL, operator: 'In', values: [node] }] }],
        },
      },
    };
  const place = sharePlace(word, storageClass);
  if (place === undefined) return undefined;
  const wasMade = readKey(metadata.annotations, NFS_FOLDER_MADE) === 'true';
  const annotations = { ...place.annotations, ...(wasMade && { [NFS_FOLDER_MADE]: 'true' }), [TENDED_BY]: node };
  return { ...place, annotations };
}
