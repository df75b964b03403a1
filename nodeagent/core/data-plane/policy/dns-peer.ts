/**
 * What answers names for a node's pods is no pod, and policies speak of pods: for them it is the pods that people write
 * rules for. Sources: labels and ports of Kubernetes' CoreDNS and node-local-dns manifests (cluster/addons/dns).
 */
import { CLUSTER_DNS } from '../../../../contracts/agent/places.ts';
import { selectorMatches } from '../../../../contracts/objects/label-match.ts';
import { namespaceLabels, type PeerGroup } from '../../../../contracts/objects/policy-peers.ts';
import type { GroupMember } from './plan.ts';

export const DNS_NAMESPACE = 'kube-system';
const PODS = [{ 'k8s-app': 'kube-dns' }, { 'k8s-app': 'node-local-dns' }] as const;
const PORTS: readonly NonNullable<PeerGroup['port']>[] = [
  { protocol: 'UDP', name: 'dns' },
  { protocol: 'TCP', name: 'dns-tcp' },
];

/** Of the group, when its selectors want one of those pods. `labels`: of the namespace. */
export function dnsMember(
  { of, pods, port }: PeerGroup,
  labels: Readonly<Record<string, string>> | undefined,
): GroupMember | undefined {
  const isThere =
    'namespace' in of
      ? of.namespace === DNS_NAMESPACE
      : selectorMatches(of.namespaces, namespaceLabels(DNS_NAMESPACE, labels));
  if (!isThere || !PODS.some((one) => selectorMatches(pods, one))) return undefined;
  const { address } = CLUSTER_DNS;
  if (!port) return { address };
  const has = PORTS.some(({ protocol, name }) => protocol === port.protocol && name === port.name);
  return has ? { address, ports: [CLUSTER_DNS.port] } : undefined;
}
