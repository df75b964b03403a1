/** Node (live; made from a Machine and from what the agent reports). Source: Kubernetes v1 API reference. */
import { z } from 'zod';
import { type Condition, type ObjectMeta, type StoredMeta } from './meta.ts';
import type { ResourceList } from './quantity.ts';
import { LabelValue, object, QualifiedName, Timestamp } from './schema.ts';

export const Taint = object({
  key: QualifiedName,
  value: LabelValue.optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  timeAdded: Timestamp.optional(),
});
export type Taint = z.infer<typeof Taint>;

export const NodeSystemInfo = object({
  machineID: z.string(),
  bootID: z.string(),
  kernelVersion: z.string(),
  osImage: z.string(),
  architecture: z.string(),
  containerRuntimeVersion: z.string(),
  agentVersion: z.string(),
});
export type NodeSystemInfo = z.infer<typeof NodeSystemInfo>;

/** 32 bytes in base64. */
export const WIREGUARD_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** An image that a node has: its tags and digests, and its size on disk. */
export interface ContainerImage {
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

export interface NodeStatus {
  readonly addresses?: readonly { readonly type: 'InternalIP' | 'Hostname'; readonly address: string }[];
  readonly capacity?: ResourceList;
  readonly allocatable?: ResourceList;
  readonly conditions?: readonly Condition[];
  readonly nodeInfo?: NodeSystemInfo;
  /** Ours: bytes of its disk for volumes that are held to their sizes, with those that it has. */
  readonly volumeRoom?: string;
  /** Ours: how far its proxy follows its ProxyConfig, as the agent reports it; absent from nodes that have none. */
  readonly proxy?: {
    readonly generation: number | null;
    readonly problems: readonly { readonly port?: number | undefined; readonly message: string }[];
  };
  /** Ours: routers that it speaks to about addresses of load balancers, as the agent reports it; absent where there is none. */
  readonly bgp?: {
    readonly sessions: readonly {
      readonly peer: string;
      readonly established: boolean;
      readonly message?: string | undefined;
    }[];
    readonly problems: readonly { readonly peer?: string | undefined; readonly message: string }[];
  };
  /** Ours: by which others encrypt what they send it, as the agent reports it; what was known stays. */
  readonly wireguard?: { readonly publicKey: string };
  /** The largest, at most 50. */
  readonly images?: readonly ContainerImage[];
}
export interface Node {
  readonly apiVersion: 'v1';
  readonly kind: 'Node';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly podCIDR?: string;
    /** That, and its range of IPv6: where the cluster has both families. Told to people: it follows from the first. */
    readonly podCIDRs?: readonly string[];
    readonly taints?: readonly Taint[];
    readonly unschedulable?: boolean;
  };
  readonly status?: NodeStatus;
}
export type StoredNode = Node & { readonly metadata: StoredMeta };
