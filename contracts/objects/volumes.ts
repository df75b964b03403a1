/** A pod's volumes and where its containers have them. Source: Kubernetes v1 API reference, Volume and VolumeMount. */
import { z } from 'zod';
import { FieldRef, ResourceFieldRef } from './downward.ts';
import { Quantity, QUANTITY_PATTERN } from './quantity.ts';
import { PersistentVolumeClaimTemplate } from './storage.ts';
import { defaultPullPolicy } from './image-name.ts';
import { NfsServer, OTHER_PLUGINS } from './volume-plugins.ts';
import { atomicList, DnsLabel, DnsSubdomain, int32, NEVER, object, oneOf, unset } from './schema.ts';

const FileMode = int32(0);
const KeyToPath = object({ key: z.string().min(1), path: z.string().min(1), mode: FileMode.optional() });
const DownwardFile = object({
  path: z.string().min(1),
  fieldRef: FieldRef.optional(),
  resourceFieldRef: ResourceFieldRef.optional(),
  mode: FileMode.optional(),
});
const DownwardFiles = { items: atomicList(['path'], DownwardFile).optional() };
/** Entries of a ConfigMap or Secret. */
const Entries = { optional: z.boolean().default(false), items: atomicList(['key'], KeyToPath).optional() };
const MAX_AUDIENCE = 1024;
const DefaultMode = FileMode.default(0o644);

/** One of several things whose files are in one volume. */
const Projection = object(
  {
    configMap: object({ name: DnsSubdomain, ...Entries }).optional(),
    secret: object({ name: DnsSubdomain, ...Entries }).optional(),
    downwardAPI: object(DownwardFiles).optional(),
    /** A token of the pod's ServiceAccount, which is renewed. Source: Kubernetes, validateProjectionSources. */
    serviceAccountToken: object({
      audience: unset('', z.string().max(MAX_AUDIENCE, `must have at most ${MAX_AUDIENCE} characters`).optional()),
      expirationSeconds: z
        .int()
        .min(600, 'must be 600 or more: ten minutes')
        .max(2 ** 32, 'must be at most 2^32')
        .default(3600),
      path: z.string().min(1),
    }).optional(),
  },
  { clusterTrustBundle: NEVER, podCertificate: NEVER },
);

/** The node's disk, its memory, or huge pages: of the size that the pod asks for, or of this one. */
const EmptyDirMedium = z
  .string()
  .refine(
    (medium) =>
      ['', 'Memory', 'HugePages'].includes(medium) ||
      (medium.startsWith('HugePages-') && QUANTITY_PATTERN.test(medium.slice('HugePages-'.length))),
    'must be empty, Memory, HugePages or HugePages-SIZE',
  );

const VolumeSource = {
  emptyDir: object(
    { medium: EmptyDirMedium.default(''), sizeLimit: Quantity.optional() },
    // An agent gives a pod a folder with 0777.
    { mode: [0o777] },
  ).optional(),
  hostPath: object({
    path: z.string().min(1),
    type: z
      .enum(['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice'])
      .default(''),
  }).optional(),
  configMap: object({ name: DnsSubdomain, defaultMode: DefaultMode, ...Entries }).optional(),
  secret: object({ secretName: DnsSubdomain, defaultMode: DefaultMode, ...Entries }).optional(),
  downwardAPI: object({ defaultMode: DefaultMode, ...DownwardFiles }).optional(),
  projected: object({ defaultMode: DefaultMode, sources: atomicList([], Projection).optional() }).optional(),
  nfs: object({ server: NfsServer, path: z.string().min(1), readOnly: z.boolean().default(false) }).optional(),
  persistentVolumeClaim: object({ claimName: DnsSubdomain, readOnly: z.boolean().default(false) }).optional(),
  /** The files of an image, which nobody can write or run. Source: Kubernetes, KEP-4639. */
  image: object({
    reference: z
      .string()
      .min(1, 'is required')
      .regex(/^\S(.*\S)?$/s, 'must not begin or end with white space'),
    pullPolicy: unset('', z.enum(['Always', 'IfNotPresent', 'Never']).optional()),
  })
    .transform((image) => ({ ...image, pullPolicy: image.pullPolicy ?? defaultPullPolicy(image.reference) }))
    .optional(),
  /** A claim of the pod's own, which goes with it. */
  ephemeral: object({ volumeClaimTemplate: PersistentVolumeClaimTemplate }).optional(),
};
const VOLUME_SOURCES = (Object.keys(VolumeSource) as VolumeSourceName[]).sort();
const VolumeShape = oneOf(
  VOLUME_SOURCES,
  object(
    { name: DnsLabel, ...VolumeSource },
    {
      ...OTHER_PLUGINS,
      gitRepo: NEVER,
    },
  ),
).refine((v) => sourcesOf(v).length <= 1, `must have at most one of ${VOLUME_SOURCES.join(', ')}`);
function sourcesOf(volume: z.infer<z.ZodObject<typeof VolumeSource>>): unknown[] {
  return VOLUME_SOURCES.flatMap((name) => volume[name] ?? []);
}
/** A volume without a source is an emptyDir, as in Kubernetes. */
export const Volume = VolumeShape.transform((v) =>
  sourcesOf(v).length > 0 ? v : { ...v, emptyDir: { medium: '' as const } },
);
export type Volume = z.infer<typeof Volume>;
/** What a volume may be made of. What each refers to: pod-references.ts; how it is made: the node agent. */
export type VolumeSourceName = keyof typeof VolumeSource;

/** Source: Kubernetes pkg/apis/core/validation, ValidateVolumeMounts; what depends on the container: check-volumes.ts. */
export const VolumeMount = object({
  name: DnsLabel,
  mountPath: z.string().min(1),
  readOnly: z.boolean().default(false),
  /** Of mounts below a mount that is `readOnly`. Absent: Disabled. */
  recursiveReadOnly: z.enum(['Disabled', 'IfPossible', 'Enabled']).optional(),
  subPath: unset('', z.string().optional()),
  /** A subPath with `$(NAME)` of the container's environment. */
  subPathExpr: unset('', z.string().optional()),
  /** Absent: None. */
  mountPropagation: z.enum(['None', 'HostToContainer', 'Bidirectional']).optional(),
});
