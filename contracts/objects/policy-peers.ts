/**
 * The groups of pods that policies name as the other end of a connection. Who is in a group is worked out by its
 * selectors; its name is derived from them, so that a node and the control plane mean the same. Free of schemas: a node
 * agent uses it.
 */
import { createHash } from 'node:crypto';
import type { Selector } from './label-match.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from './network-policy.ts';
import type { Pod } from './pod.ts';
import { lastingContainers } from './pod-containers.ts';
import { DEFAULT_NAMESPACE } from './well-known.ts';

export type PolicyProtocol = NetworkPolicyPort['protocol'];

/** Pods of one namespace, or of all that a selector wants; with a port, only those that have it by that name. */
export interface PeerGroup {
  /** `pg-` and a hash of all else. */
  readonly name: string;
  readonly of: { readonly namespace: string } | { readonly namespaces: Selector };
  readonly pods: Selector;
  readonly port?: { readonly protocol: PolicyProtocol; readonly name: string };
}

/** Label of a PeerSlice: the group it belongs to. */
export const PEER_GROUP_LABEL = 'plumbline.dev/peer-group';

/** Every namespace has it, with its own name. Source: Kubernetes, NamespaceDefaultLabelName. */
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

const HASH_LENGTH = 20;

/** All pods with a port of that name. */
export function groupOfPort(port: NonNullable<PeerGroup['port']>): PeerGroup {
  return named({ of: { namespaces: {} }, pods: {}, port });
}

/** The group that a peer names, in a policy of `namespace`; undefined for addresses, and for all pods that there are. */
export function peerGroupOf(
  peer: NetworkPolicyPeer,
  namespace: string,
  port?: NonNullable<PeerGroup['port']>,
): PeerGroup | undefined {
  if (peer.ipBlock) return undefined;
  const pods: Selector = peer.podSelector ?? {};
  const of = peer.namespaceSelector ? { namespaces: peer.namespaceSelector } : { namespace };
  if (port === undefined && 'namespaces' in of && isEverything(of.namespaces) && isEverything(pods)) return undefined;
  return named({ of, pods, ...(port && { port }) });
}

/** Every group that the policy's rules need, each once. */
export function peerGroupsOf({ metadata, spec }: NetworkPolicy): readonly PeerGroup[] {
  const namespace = metadata.namespace ?? DEFAULT_NAMESPACE;
  const groups = new Map<string, PeerGroup>();
  const add = (group: PeerGroup | undefined): void => {
    if (group) groups.set(group.name, group);
  };
  if (spec.policyTypes.includes('Ingress'))
    for (const { from } of spec.ingress ?? []) for (const peer of from ?? []) add(peerGroupOf(peer, namespace));
  if (!spec.policyTypes.includes('Egress')) return [...groups.values()];
  for (const { to = [], ports = [] } of spec.egress ?? []) {
    const names = ports.flatMap(({ protocol, port }) => (typeof port === 'string' ? [{ protocol, name: port }] : []));
    for (const peer of to) {
      if (peer.ipBlock) continue;
      for (const port of names) add(peerGroupOf(peer, namespace, port));
      if (ports.length === 0 || names.length < ports.length) add(peerGroupOf(peer, namespace));
    }
    if (to.length === 0 || to.some(({ ipBlock }) => ipBlock)) for (const port of names) add(groupOfPort(port));
  }
  return [...groups.values()];
}

/** Numbers of the pod's ports of that name and protocol. */
export function portsNamed(
  { spec }: Pick<Pod, 'spec'>,
  { protocol, name }: NonNullable<PeerGroup['port']>,
): readonly number[] {
  const numbers = lastingContainers(spec)
    .flatMap((container) => container.ports ?? [])
    .flatMap((port) => (port.name === name && port.protocol === protocol ? [port.containerPort] : []));
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** The labels that selectors of namespaces are held against. */
export function namespaceLabels(
  name: string,
  labels: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  return { ...labels, [NAMESPACE_NAME_LABEL]: name };
}

function named(group: Omit<PeerGroup, 'name'>): PeerGroup {
  const { of, pods, port } = group;
  const text = JSON.stringify([
    'namespace' in of ? of.namespace : selectorTerms(of.namespaces),
    selectorTerms(pods),
    port ? [port.protocol, port.name] : [],
  ]);
  return { name: `pg-${createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH)}`, ...group };
}

/** Equal for selectors that say the same in another order. */
function selectorTerms({ matchLabels = {}, matchExpressions = [] }: Selector): readonly unknown[] {
  const terms = [
    ...Object.entries(matchLabels).map(([key, value]) => [key, 'In', value]),
    ...matchExpressions.map(({ key, operator, values = [] }) => [key, operator, ...[...new Set(values)].sort()]),
  ];
  return [...new Map(terms.map((term) => [JSON.stringify(term), term]))].sort(byText).map(([, term]) => term);
}

function byText(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0]);
}

function isEverything({ matchLabels = {}, matchExpressions = [] }: Selector): boolean {
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}
