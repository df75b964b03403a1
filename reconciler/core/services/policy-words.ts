/** Rules of a NetworkPolicy in a few words. */
import type {
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../../contracts/objects/index.ts';

const MOST_RULES = 10;
const MOST_PEERS = 10;

/** Who a policy lets in, one for each of its rules; of many the first ones. None: nobody. */
export function ingressWords({ spec }: Pick<NetworkPolicy, 'spec'>): readonly string[] {
  const rules = spec.ingress ?? [];
  const told = rules
    .slice(0, MOST_RULES)
    .map(
      ({ from = [], ports = [] }) =>
        `${peersWords(from)} at ${ports.length === 0 ? 'every port' : ports.map(portWords).join(', ')}`,
    );
  return rules.length > MOST_RULES ? [...told, `${rules.length - MOST_RULES} more rules`] : told;
}

function peersWords(peers: readonly NetworkPolicyPeer[]): string {
  if (peers.length === 0) return 'everybody';
  const more = peers.length > MOST_PEERS ? [`${peers.length - MOST_PEERS} more`] : [];
  return [...peers.slice(0, MOST_PEERS).map(peerWords), ...more].join(' or ');
}

function peerWords({ ipBlock, namespaceSelector, podSelector }: NetworkPolicyPeer): string {
  if (ipBlock) return `${ipBlock.cidr}${ipBlock.except?.length ? ` without ${ipBlock.except.join(', ')}` : ''}`;
  const pods = podSelector === undefined ? 'all pods' : selectorWords('pods', podSelector);
  return namespaceSelector === undefined
    ? `${pods} of its namespace`
    : `${pods} of ${selectorWords('namespaces', namespaceSelector)}`;
}

function selectorWords(what: string, { matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const terms = [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(
      ({ key, operator, values }) => `${key} ${operator}${values ? ` (${values.join(', ')})` : ''}`,
    ),
  ];
  return terms.length === 0 ? `all ${what}` : `${what} with ${terms.join(', ')}`;
}

function portWords({ protocol, port, endPort }: NetworkPolicyPort): string {
  return `${protocol}${port === undefined ? '' : ` ${port}`}${endPort === undefined ? '' : `-${endPort}`}`;
}
