/**
 * `GET /v1/inventory/lines`: what a node is asked for after the store was lost, one JSON object a line, `end` last. With
 * `?claims=Pod` objects of that kind only, of all others the keys, with `?alike=digests` what all nodes hold alike as
 * digests (alike.ts), and no keys: an agent of before does not mind either. A node is a
 * witness, not an authority: each line says what it *claims*, and the control plane takes from it only what is the
 * node's own (docs/adr/0004). So these schemas name the few fields that are looked at, bound them, and drop the rest.
 */
import { z } from 'zod';
import { Annotations, DnsLabel, DnsSubdomain, Labels, Port, Seconds } from '../objects/schema.ts';
import { LOCAL_NAME } from '../objects/local-volumes.ts';
import { Quantity } from '../objects/quantity.ts';
import { AccessMode, HostFolder } from '../objects/storage.ts';
import { NfsServer } from '../objects/volume-plugins.ts';
import { PodSpec, PodStatus } from '../objects/pod.ts';
import type { KubeObject, ObjectKey } from '../objects/index.ts';
import { ALIKE_PARTS } from './alike.ts';

/** Lengths of the longest texts that a claim, a report or an event may carry, in characters. */
export const TEXT_LIMITS = { reason: 128, message: 1024, image: 1024, id: 256 } as const;

/** Names folders and cgroups on a node, so that it must lead nowhere else. */
export const Uid = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/);
const Time = z.iso.datetime();
const Version = z.string().max(200);
const Namespaced = z.object({ name: DnsSubdomain, namespace: DnsLabel });

/** Who an agent is. `GET /v1/info` answers with it alone. */
export const AgentInfo = z.object({
  agentVersion: z.string().max(TEXT_LIMITS.id),
  /** SHA-256 of the running bundle, hex. */
  bundleHash: z.string().max(TEXT_LIMITS.id),
  runtimeHash: z.string().max(TEXT_LIMITS.id),
  pid: z.int(),
  startedAt: z.string().max(TEXT_LIMITS.id),
  /** Highest that it was spoken to with. */
  epoch: z.int().min(0),
  assignmentVersion: Version.nullable(),
  /** How many objects it holds. Absent from agents before. */
  objects: z.int().min(0).optional(),
  /** Content-Encodings that it reads of a request's body. Absent from agents before: none. */
  encodings: z.array(z.string().max(TEXT_LIMITS.reason)).max(8).optional(),
});
export type AgentInfo = z.infer<typeof AgentInfo>;

/**
 * A pod as the node sees it. `gone: true`: nothing of it is left on the node (last report of that uid); `status` is then
 * the last one that was told, for whoever missed it.
 */
export const PodReport = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  gone: z.boolean(),
  status: PodStatus.optional(),
});
export type PodReport = z.infer<typeof PodReport>;

/** A pod that the node says is bound to it. */
export const PodClaim = z.object({
  kind: z.literal('Pod'),
  metadata: Namespaced.extend({
    uid: Uid,
    creationTimestamp: Time,
    labels: Labels.optional(),
    annotations: Annotations.optional(),
    deletionTimestamp: Time.optional(),
    deletionGracePeriodSeconds: Seconds.optional(),
    ownerReferences: z
      .array(
        z.object({ apiVersion: z.string(), kind: z.string(), name: DnsSubdomain, controller: z.boolean().optional() }),
      )
      .max(8)
      .optional(),
  }),
  spec: PodSpec,
});
export type PodClaim = z.infer<typeof PodClaim>;

/** The addresses that a Service was given. */
export const ServiceClaim = z.object({
  kind: z.literal('Service'),
  metadata: Namespaced,
  spec: z.object({
    clusterIP: z.union([z.literal('None'), z.ipv4()]).optional(),
    ports: z.array(z.object({ port: Port, protocol: z.string().default('TCP'), nodePort: Port.optional() })).max(1000),
    healthCheckNodePort: Port.optional(),
  }),
  status: z
    .object({
      loadBalancer: z
        .object({
          ingress: z
            .array(z.object({ ip: z.ipv4() }))
            .max(4)
            .optional(),
        })
        .optional(),
    })
    .optional(),
});
export type ServiceClaim = z.infer<typeof ServiceClaim>;

/** The pod range that a node was given, and where others reach it. */
export const NodeClaim = z.object({
  kind: z.literal('Node'),
  metadata: z.object({ name: DnsSubdomain }),
  spec: z.object({ podCIDR: z.cidrv4().optional() }),
  status: z
    .object({
      addresses: z.array(z.object({ type: z.string(), address: z.string().max(253) })).max(8),
      wireguard: z.object({ publicKey: z.string().max(64) }).optional(),
    })
    .optional(),
});
export type NodeClaim = z.infer<typeof NodeClaim>;

/** A volume that the node has a folder of, or that it tends on a share. Where it is follows from whose word this is. */
export const PersistentVolumeClaimed = z.object({
  kind: z.literal('PersistentVolume'),
  metadata: z.object({ name: z.string().regex(LOCAL_NAME), annotations: Annotations.optional() }),
  spec: z.object({
    accessModes: z.array(AccessMode).min(1).max(4),
    capacity: z.object({ storage: Quantity }),
    claimRef: Namespaced,
    persistentVolumeReclaimPolicy: z.enum(['Retain', 'Delete']),
    storageClassName: z.union([z.literal(''), DnsSubdomain]),
    nfs: z.object({ server: NfsServer, path: HostFolder.max(4096) }).optional(),
    mountOptions: z.array(z.string().min(1).max(256)).max(64).optional(),
  }),
});
export type PersistentVolumeClaimed = z.infer<typeof PersistentVolumeClaimed>;

/** More than one control plane follows. */
const MAX_SOURCES = 256;

/** The commit that was in force. */
export const SourceClaim = z.object({
  kind: z.literal('Source'),
  metadata: z.object({ name: DnsSubdomain }),
  status: z.object({
    appliedRevision: z.string().regex(/^[0-9a-f]{40}$/),
    /** Commits of other repositories that were in force; without one where its Apps were left out. */
    sources: z
      .array(
        z.object({
          id: z.string().regex(/^[0-9a-f]{16}$/),
          commit: z
            .string()
            .regex(/^[0-9a-f]{40}$/)
            .optional(),
        }),
      )
      .max(MAX_SOURCES)
      .optional(),
  }),
});
export type SourceClaim = z.infer<typeof SourceClaim>;

export const Claim = z.discriminatedUnion('kind', [
  PodClaim,
  ServiceClaim,
  NodeClaim,
  PersistentVolumeClaimed,
  SourceClaim,
]);
export type Claim = z.infer<typeof Claim>;

/** What all nodes hold alike (alike.ts): of each part that is not empty the digest. */
export const AlikeDigests = z
  .array(
    z.tuple([
      z
        .int()
        .min(0)
        .max(ALIKE_PARTS - 1),
      z.string().regex(/^[\w-]{43}$/),
    ]),
  )
  .max(ALIKE_PARTS);
export type AlikeDigests = z.infer<typeof AlikeDigests>;

/** Claims of what all nodes hold alike: a field that is added to them is added to their lines (alike.ts) as well. */
export const AlikeClaim = z.discriminatedUnion('kind', [ServiceClaim, NodeClaim, SourceClaim]);
export type AlikeClaim = z.infer<typeof AlikeClaim>;

/** A line: one of these. `end` is the last; an answer without it was cut off. */
export type InventoryLine =
  | { readonly info: AgentInfo }
  | { readonly object: KubeObject }
  | { readonly alike: AlikeDigests }
  /** Keys of what else the node holds. */
  | { readonly held: readonly ObjectKey[] }
  | { readonly pod: PodReport }
  | { readonly end: true };
