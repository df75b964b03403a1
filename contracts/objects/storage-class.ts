/** StorageClass. Source: Kubernetes storage.k8s.io/v1 API reference, pkg/apis/storage/validation. */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { isNfsProvisioner, patternTrouble, type NfsProvisioner } from './nfs-volumes.ts';
import { atomic, object, unset } from './schema.ts';
import { HostFolder, MountOptions } from './storage.ts';
import { NfsServer } from './volume-plugins.ts';
import { LOCAL_PROVISIONER, NFS_PROVISIONERS, NO_PROVISIONER } from './well-known.ts';

/** A relative path, with what is put into it for each claim: `${pvc.metadata.name}`, `${.PVC.labels.app}`. */
const FolderPattern = z.string().superRefine((text, context) => {
  const trouble = patternTrouble(text);
  if (trouble !== undefined) context.addIssue({ code: 'custom', message: trouble });
});

const StorageClassParameters = object(
  {
    /** Of `plumbline.dev/local`. `enforced`: a volume is a file system of its own, and takes no more than its size. */
    size: z.enum(['enforced', 'unenforced']).optional(),
    /** Of the others: whose share it is, and where in it. */
    server: NfsServer.optional(),
    share: HostFolder.optional(),
    subDir: FolderPattern.optional(),
    pathPattern: FolderPattern.optional(),
    /** Octal. `0`: what the provisioner does by itself. */
    mountPermissions: unset(
      '',
      z
        .string()
        .regex(/^0?[0-7]{1,3}$|^[01][0-7]{3}$/, 'must be octal permissions without setuid and setgid, as in 0775')
        .optional(),
    ),
    onDelete: unset('', z.enum(['delete', 'retain', 'archive']).optional()),
    archiveOnDelete: unset('', z.enum(['true', 'false']).optional()),
  },
  {
    // For the options of the mount with which csi-driver-nfs removes a folder: here those of the class hold.
    'csi.storage.k8s.io/provisioner-secret-name': 'anything',
    'csi.storage.k8s.io/provisioner-secret-namespace': 'anything',
  },
);
export type StorageClassParameters = z.infer<typeof StorageClassParameters>;

/** Which parameters who makes volumes reads. */
const READS: Readonly<Record<StorageClass['provisioner'], readonly (keyof StorageClassParameters)[]>> = {
  [NO_PROVISIONER]: [],
  [LOCAL_PROVISIONER]: ['size'],
  'plumbline.dev/nfs': ['server', 'share', 'subDir', 'mountPermissions', 'onDelete'],
  'nfs.csi.k8s.io': ['server', 'share', 'subDir', 'mountPermissions', 'onDelete'],
  'k8s-sigs.io/nfs-subdir-external-provisioner': ['server', 'share', 'pathPattern', 'onDelete', 'archiveOnDelete'],
};

const PROVISIONERS = [LOCAL_PROVISIONER, ...NFS_PROVISIONERS, NO_PROVISIONER] as const;

/** How volumes are made for claims that name the class. Nothing but its expansion ever changes. */
export const StorageClassManifest = object(
  {
    apiVersion: z.literal('storage.k8s.io/v1'),
    kind: z.literal('StorageClass'),
    metadata: ManifestMeta,
    provisioner: z.enum(PROVISIONERS, {
      error: `must be one that makes volumes here (${PROVISIONERS.join(', ')}); without a class a claim is a folder on its pod's node`,
    }),
    /** Of what becomes of volumes that are made. */
    reclaimPolicy: unset('', z.enum(['Delete', 'Retain']).default('Delete')),
    allowVolumeExpansion: z.boolean().default(false),
    volumeBindingMode: unset('', z.enum(['Immediate', 'WaitForFirstConsumer']).default('Immediate')),
    parameters: atomic(StorageClassParameters.optional()),
    /** Of volumes on a share. */
    mountOptions: MountOptions.optional(),
  },
  { allowedTopologies: [[]] },
)
  .superRefine(({ provisioner, parameters = {}, mountOptions = [] }, context) => {
    const refuse = (path: readonly string[], message: string): void =>
      context.addIssue({ code: 'custom', path: [...path], message });
    for (const name of Object.keys(parameters) as (keyof StorageClassParameters)[])
      if (!READS[provisioner].includes(name))
        refuse(['parameters', name], `must be absent: ${provisioner} does not read it`);
    if (!isNfsProvisioner(provisioner)) {
      if (mountOptions.length > 0) refuse(['mountOptions'], `must be absent: ${provisioner} mounts nothing`);
      return;
    }
    for (const name of ['server', 'share'] as const)
      if (parameters[name] === undefined)
        refuse(
          ['parameters', name],
          provisioner === 'k8s-sigs.io/nfs-subdir-external-provisioner'
            ? 'is required: what its Deployment has as NFS_SERVER and NFS_PATH is written here as server and share'
            : 'is required',
        );
  })
  .refine((c) => c.provisioner !== LOCAL_PROVISIONER || c.volumeBindingMode === 'WaitForFirstConsumer', {
    path: ['volumeBindingMode'],
    error: `must be WaitForFirstConsumer: ${LOCAL_PROVISIONER} makes a volume on the node of the first pod that uses it`,
  });
export interface StorageClass {
  readonly apiVersion: 'storage.k8s.io/v1';
  readonly kind: 'StorageClass';
  readonly metadata: ObjectMeta;
  readonly provisioner: typeof LOCAL_PROVISIONER | typeof NO_PROVISIONER | NfsProvisioner;
  readonly reclaimPolicy: 'Delete' | 'Retain';
  readonly allowVolumeExpansion: boolean;
  readonly volumeBindingMode: 'Immediate' | 'WaitForFirstConsumer';
  readonly parameters?: StorageClassParameters | undefined;
  readonly mountOptions?: readonly string[] | undefined;
}
export type StoredStorageClass = StorageClass & { readonly metadata: StoredMeta };
