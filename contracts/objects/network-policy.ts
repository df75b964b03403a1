/**
 * NetworkPolicy: which connections pods take and open. Source: Kubernetes networking.k8s.io/v1 API reference, and its
 * defaults (pkg/apis/networking/v1/defaults.go).
 */
import { z } from 'zod';
import { ManifestMeta, type ObjectMeta, type StoredMeta } from './meta.ts';
import { atomicList, object, Port } from './schema.ts';
import { LabelSelector } from './selectors.ts';

const IpBlock = object({
  cidr: z.string(),
  /** Ranges within `cidr` that are left out. */
  except: z.array(z.string()).optional(),
});
export type IpBlock = z.infer<typeof IpBlock>;

/** Pods of some namespaces, or addresses. */
const NetworkPolicyPeer = object({
  /** Of the policy's own namespace, where there is no `namespaceSelector`. Empty: all pods. */
  podSelector: LabelSelector.optional(),
  /** Empty: all namespaces. */
  namespaceSelector: LabelSelector.optional(),
  ipBlock: IpBlock.optional(),
});
export type NetworkPolicyPeer = z.infer<typeof NetworkPolicyPeer>;

const NetworkPolicyPort = object({
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  /** A number, or the name of a port of the pods that are connected to. Absent: all ports of the protocol. */
  port: z.union([Port, z.string()]).optional(),
  /** All ports from `port` to this one. */
  endPort: Port.optional(),
});
export type NetworkPolicyPort = z.infer<typeof NetworkPolicyPort>;

const PolicyType = z.enum(['Ingress', 'Egress']);
export type PolicyType = z.infer<typeof PolicyType>;

/** An empty or absent list of peers is everybody, and one of ports is everything. */
const IngressRule = object({
  from: atomicList([], NetworkPolicyPeer).optional(),
  ports: atomicList([], NetworkPolicyPort).optional(),
});
const EgressRule = object({
  to: atomicList([], NetworkPolicyPeer).optional(),
  ports: atomicList([], NetworkPolicyPort).optional(),
});

const NetworkPolicySpec = object({
  /** Empty or absent: all pods of the namespace. */
  podSelector: LabelSelector.default({}),
  /** Each allows; together they allow what any of them does. None: nothing. */
  ingress: atomicList([], IngressRule).optional(),
  egress: atomicList([], EgressRule).optional(),
  policyTypes: atomicList([], PolicyType).optional(),
}).transform((spec) => ({
  ...spec,
  // Where it is empty too: a policy that says nothing of types closes what comes in.
  policyTypes: spec.policyTypes?.length
    ? spec.policyTypes
    : ([...(['Ingress'] as const), ...((spec.egress ?? []).length > 0 ? (['Egress'] as const) : [])] as PolicyType[]),
}));
export type NetworkPolicySpec = z.infer<typeof NetworkPolicySpec>;

export const NetworkPolicyManifest = object({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('NetworkPolicy'),
  metadata: ManifestMeta,
  spec: NetworkPolicySpec.prefault({}),
});
export interface NetworkPolicy {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: ObjectMeta;
  readonly spec: NetworkPolicySpec;
}
export type StoredNetworkPolicy = NetworkPolicy & { readonly metadata: StoredMeta };

/** A pod as others see it. */
export interface PeerMember {
  readonly address: string;
  /** Its address of IPv6, where it has one beside. */
  readonly addressIPv6?: string | undefined;
  /** Its numbers of the group's named port; only in groups that have one. */
  readonly ports?: readonly number[];
  /** Of the pod. Not told to nodes. */
  readonly uid?: string;
}

/**
 * PeerSlice (made by a controller, never by Git): pods of one {@link PeerGroup}, with their addresses. Its label
 * `plumbline.dev/peer-group` is the group's name.
 */
export interface PeerSlice {
  readonly apiVersion: 'plumbline.dev/v1alpha1';
  readonly kind: 'PeerSlice';
  readonly metadata: ObjectMeta;
  readonly members: readonly PeerMember[];
}
export type StoredPeerSlice = PeerSlice & { readonly metadata: StoredMeta };
