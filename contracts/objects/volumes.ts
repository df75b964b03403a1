/** A pod's volumes and where its containers have them. Source: Kubernetes v1 API reference, Volume and VolumeMount. */
import { z } from 'zod';
import { Quantity } from './quantity.ts';
import { PersistentVolumeClaimTemplate } from './storage.ts';
import { atomicList, DnsLabel, DnsSubdomain, int32, NEVER, object, oneOf, unset } from './schema.ts';

const FileMode = int32(0);
const KeyToPath = object({ key: z.string().min(1), path: z.string().min(1), mode: FileMode.optional() });
const VolumeSource = {
  emptyDir: object({ medium: z.enum(['', 'Memory']).default(''), sizeLimit: Quantity.optional() }).optional(),
  hostPath: object({
    path: z.string().min(1),
    type: z.enum(['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File']).default(''),
  }).optional(),
  configMap: object({
    name: DnsSubdomain,
    optional: z.boolean().default(false),
    defaultMode: FileMode.default(0o644),
    items: atomicList(['key'], KeyToPath).optional(),
  }).optional(),
  secret: object({
    secretName: DnsSubdomain,
    optional: z.boolean().default(false),
    defaultMode: FileMode.default(0o644),
    items: atomicList(['key'], KeyToPath).optional(),
  }).optional(),
  persistentVolumeClaim: object({ claimName: DnsSubdomain, readOnly: z.boolean().default(false) }).optional(),
  /** A claim of the pod's own, which goes with it. */
  ephemeral: object({ volumeClaimTemplate: PersistentVolumeClaimTemplate }).optional(),
};
const VOLUME_SOURCES = (Object.keys(VolumeSource) as VolumeSourceName[]).sort();
const VolumeShape = oneOf(
  VOLUME_SOURCES,
  object(
    { name: DnsLabel, ...VolumeSource },
    {
      awsElasticBlockStore: NEVER,
      azureDisk: NEVER,
      azureFile: NEVER,
      cephfs: NEVER,
      cinder: NEVER,
      csi: NEVER,
      downwardAPI: NEVER,
      fc: NEVER,
      flexVolume: NEVER,
      flocker: NEVER,
      gcePersistentDisk: NEVER,
      gitRepo: NEVER,
      glusterfs: NEVER,
      image: NEVER,
      iscsi: NEVER,
      nfs: NEVER,
      photonPersistentDisk: NEVER,
      portworxVolume: NEVER,
      projected: NEVER,
      quobyte: NEVER,
      rbd: NEVER,
      scaleIO: NEVER,
      storageos: NEVER,
      vsphereVolume: NEVER,
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

export const VolumeMount = object(
  {
    name: DnsLabel,
    mountPath: z.string().min(1),
    readOnly: z.boolean().default(false),
    subPath: unset('', z.string().optional()),
  },
  { mountPropagation: ['None'], subPathExpr: [''], recursiveReadOnly: ['Disabled'] },
);
