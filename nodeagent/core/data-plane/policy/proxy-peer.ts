/**
 * What a gateway's proxy sends comes from no pod, and policies speak of pods: for them it is the pods that people write
 * rules for who let their ingress controller in. Sources: labels and default namespaces of the charts of ingress-nginx and
 * Traefik, and of the proxies of Envoy Gateway.
 */
import { familyOfRange, nthOf } from '../../../../contracts/ip.ts';
import { labelsInclude, selectorMatches } from '../../../../contracts/objects/label-match.ts';
import { objectKey } from '../../../../contracts/objects/key.ts';
import { namespaceLabels, type PeerGroup } from '../../../../contracts/objects/policy-peers.ts';
import type { AssignmentView } from '../../assignment.ts';
import { isPodNetworkForeign, localPodRange } from '../network.ts';

interface VirtualPod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

const pod = (namespace: string, name: string, component: string, more: Readonly<Record<string, string>> = {}) => ({
  namespace,
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component, ...more },
});
const PODS: readonly VirtualPod[] = [
  pod('ingress-nginx', 'ingress-nginx', 'controller', { 'app.kubernetes.io/instance': 'ingress-nginx' }),
  pod('traefik', 'traefik', 'controller', { 'app.kubernetes.io/instance': 'traefik' }),
  pod('envoy-gateway-system', 'envoy', 'proxy', { 'app.kubernetes.io/managed-by': 'envoy-gateway' }),
];
export const PROXY_NAMESPACES: ReadonlySet<string> = new Set(PODS.map(({ namespace }) => namespace));

/** Whether the group's selectors want one of those pods. It opens connections and takes none: a group by a port's name never has it. */
export function isProxyIn(
  { of, pods, port }: PeerGroup,
  labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined,
): boolean {
  if (port) return false;
  return PODS.some(({ namespace, labels }) => {
    const isThere =
      'namespace' in of
        ? of.namespace === namespace
        : selectorMatches(of.namespaces, namespaceLabels(namespace, labelsOf(namespace)));
    return isThere && selectorMatches(pods, labels);
  });
}

/**
 * The address that a node's proxy asks pods from: the first of the node's pod range, which no pod ever has. Nothing else of
 * the node reaches pods of other nodes from it (the rule `drop-borrowed`). A CNI plugin of the user's may give it to a pod:
 * then no proxy has it.
 */
export function proxyAddress(podRange: string): string | undefined {
  return familyOfRange(podRange) === 'IPv4' ? nthOf(podRange, 1) : undefined;
}

/** That of this node, where it is a gateway and has a pod range of ours. */
export function ownProxyAddress(view: AssignmentView): string | undefined {
  const range = localPodRange(view);
  if (
    range === undefined ||
    isPodNetworkForeign(view) ||
    view.get(objectKey('ProxyConfig', undefined, view.node)) === undefined
  )
    return undefined;
  return proxyAddress(range);
}

/** Those of all other nodes that may be gateways, in order. */
export function otherProxyAddresses(view: AssignmentView): readonly string[] {
  if (isPodNetworkForeign(view)) return [];
  const selector = view.list('Cluster')[0]?.spec.gateway.nodeSelector;
  return view
    .list('Node')
    .filter(({ metadata }) => metadata.name !== view.node && (!selector || labelsInclude(metadata.labels, selector)))
    .flatMap(({ spec }) => (spec.podCIDR === undefined ? [] : (proxyAddress(spec.podCIDR) ?? [])))
    .sort();
}
