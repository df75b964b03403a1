/** PersistentVolume and PersistentVolumeClaim. Source: Kubernetes v1 API reference, pkg/apis/core/validation. */
import { z } from 'zod';
import type { Condition } from './meta.ts';
import { ManifestMeta, TemplateMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { NodeAffinity } from './placement.ts';
import { Quantity, ResourceList } from './quantity.ts';
import { parseQuantity, QUANTITY_PATTERN } from './quantity-value.ts';
import { atomic, DnsLabel, DnsSubdomain, NEVER, object, oneOf, unset, type NotYet } from './schema.ts';
import { LabelSelector } from './selectors.ts';
import { NfsServer, OTHER_PLUGINS } from './volume-plugins.ts';

export const AccessMode = z.enum(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']);
export type AccessMode = z.infer<typeof AccessMode>;

/** A list with one owner: a volume that may be had in more ways is another volume. */
const AccessModes = atomic(
  z
    .array(AccessMode)
    .min(1, 'must have at least one access mode')
    .refine(
      (modes) => modes.length === 1 || !modes.includes('ReadWriteOncePod'),
      'may not use ReadWriteOncePod with other access modes',
    ),
);

/** An amount of bytes, more than none. What is no quantity is told of as that alone. */
const Storage = Quantity.refine(
  (text) => !QUANTITY_PATTERN.test(text) || parseQuantity(text) > 0,
  'must be greater than zero',
);
/** Of a volume or claim only its storage counts. */
const StorageOf = z.object({ storage: Storage }).catchall(Quantity);

/** Empty is a class of its own: no class. */
const ClassName = z.union([z.literal(''), DnsSubdomain]);

/** `Block` would be a device instead of a folder. */
const VOLUME_MODE: NotYet = { volumeMode: ['', 'Filesystem'] };

/** An absolute path that leads nowhere else than it says. */
export const HostFolder = z
  .string()
  .startsWith('/', 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), "must not contain '..'");

/** Of mount(8). */
export const MountOptions = atomic(z.array(z.string().min(1)).max(64));

/** What a claim asks for. Of an existing one only the storage may grow. */
export const PersistentVolumeClaimSpec = object(
  {
    accessModes: AccessModes,
    resources: object({ requests: StorageOf, limits: ResourceList.optional() }),
    selector: LabelSelector.optional(),
    /** Absent: the default class, once there is one. */
    storageClassName: ClassName.optional(),
    /** The volume that it is bound to: written by who binds, or in Git to ask for that one. */
    volumeName: unset('', DnsSubdomain.optional()),
  },
  { ...VOLUME_MODE, dataSource: NEVER, dataSourceRef: NEVER, volumeAttributesClassName: [''] },
);
export type PersistentVolumeClaimSpec = z.infer<typeof PersistentVolumeClaimSpec>;

export interface PersistentVolumeClaimStatus {
  /** Lost: its volume is gone, and what was in it. */
  readonly phase: 'Pending' | 'Bound' | 'Lost';
  readonly accessModes?: readonly AccessMode[];
  readonly capacity?: ResourceList;
  readonly conditions?: readonly Condition[];
}
export const PersistentVolumeClaimManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('PersistentVolumeClaim'),
  metadata: ManifestMeta,
  spec: PersistentVolumeClaimSpec,
});
export interface PersistentVolumeClaim {
  readonly apiVersion: 'v1';
  readonly kind: 'PersistentVolumeClaim';
  readonly metadata: ObjectMeta;
  readonly spec: PersistentVolumeClaimSpec;
  readonly status?: PersistentVolumeClaimStatus;
}
export type StoredPersistentVolumeClaim = PersistentVolumeClaim & { readonly metadata: StoredMeta };

/** A claim that is made with each pod, and goes with it. Source: Kubernetes, EphemeralVolumeSource. */
export const PersistentVolumeClaimTemplate = object({
  metadata: TemplateMeta.default({}),
  spec: PersistentVolumeClaimSpec,
});
export type PersistentVolumeClaimTemplate = z.infer<typeof PersistentVolumeClaimTemplate>;

const PersistentVolumeSource = {
  hostPath: object({
    path: HostFolder,
    type: z.enum(['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File']).default(''),
  }).optional(),
  /** A folder of one node, or of several that all have it: `nodeAffinity` says which. */
  local: object({ path: HostFolder }, { fsType: NEVER }).optional(),
  nfs: object({
    server: NfsServer,
    path: HostFolder,
    readOnly: z.boolean().default(false),
  }).optional(),
};
export type PersistentVolumeSourceName = keyof typeof PersistentVolumeSource;
const VOLUME_SOURCES = (Object.keys(PersistentVolumeSource) as PersistentVolumeSourceName[]).sort();

/** The claim that a volume is bound to or kept for; without `uid` it is the claim of that name that comes. */
const ClaimRef = atomic(
  object(
    {
      apiVersion: z.literal('v1').optional(),
      kind: z.literal('PersistentVolumeClaim').optional(),
      namespace: DnsLabel,
      name: DnsSubdomain,
      uid: unset('', z.string().optional()),
    },
    { fieldPath: [''], resourceVersion: 'anything' },
  ),
);
export type ClaimRef = z.infer<typeof ClaimRef>;

const PersistentVolumeSpec = oneOf(
  VOLUME_SOURCES,
  object(
    {
      accessModes: AccessModes,
      capacity: StorageOf,
      claimRef: ClaimRef.optional(),
      mountOptions: MountOptions.optional(),
      nodeAffinity: object({
        required: NodeAffinity.shape.requiredDuringSchedulingIgnoredDuringExecution,
      }).optional(),
      /** What becomes of it when its claim is gone. */
      persistentVolumeReclaimPolicy: unset('', z.enum(['Retain', 'Delete']).default('Retain')),
      storageClassName: ClassName.default(''),
      ...PersistentVolumeSource,
    },
    {
      ...VOLUME_MODE,
      ...OTHER_PLUGINS,
      volumeAttributesClassName: [''],
    },
  ),
)
  .refine(
    (spec) => VOLUME_SOURCES.filter((name) => spec[name] !== undefined).length === 1,
    `must have exactly one of ${VOLUME_SOURCES.join(', ')}`,
  )
  .refine((spec) => spec.local === undefined || spec.nodeAffinity?.required !== undefined, {
    path: ['nodeAffinity'],
    error: 'is required: a local volume is on the nodes that it names',
  })
  .refine((spec) => spec.nfs !== undefined || (spec.mountOptions ?? []).length === 0, {
    path: ['mountOptions'],
    error: 'may only be set with nfs',
  });
export type PersistentVolumeSpec = z.infer<typeof PersistentVolumeSpec>;

export interface PersistentVolumeStatus {
  /** Available: for any claim that fits. Released: its claim is gone, and what is in it is kept. */
  readonly phase: 'Pending' | 'Available' | 'Bound' | 'Released' | 'Failed';
  readonly reason?: string;
  readonly message?: string;
  readonly lastPhaseTransitionTime?: string;
}
export const PersistentVolumeManifest = object({
  apiVersion: z.literal('v1'),
  kind: z.literal('PersistentVolume'),
  metadata: ManifestMeta,
  spec: PersistentVolumeSpec,
});
export interface PersistentVolume {
  readonly apiVersion: 'v1';
  readonly kind: 'PersistentVolume';
  readonly metadata: ObjectMeta;
  readonly spec: PersistentVolumeSpec;
  readonly status?: PersistentVolumeStatus;
}
export type StoredPersistentVolume = PersistentVolume & { readonly metadata: StoredMeta };
