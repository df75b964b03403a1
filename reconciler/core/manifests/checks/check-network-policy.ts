/** NetworkPolicy: what goes with what in peers and ports. Source: Kubernetes pkg/apis/networking/validation. */
import { readRange } from '../../../../contracts/ipv4.ts';
import type {
  IpBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '../../../../contracts/objects/index.ts';
import type { FieldPath } from '../yaml-tree.ts';
import { PORT_NAME_RULE } from './check-container.ts';
import { checkSelector } from './check-selector.ts';
import { isPortName, type CheckContext } from './context.ts';

export function checkNetworkPolicy({ spec }: NetworkPolicy, context: CheckContext): void {
  checkSelector(spec.podSelector, ['spec', 'podSelector'], context);
  for (const [i, { from, ports }] of (spec.ingress ?? []).entries())
    checkRule(['spec', 'ingress', i], 'from', from, ports, context);
  for (const [i, { to, ports }] of (spec.egress ?? []).entries())
    checkRule(['spec', 'egress', i], 'to', to, ports, context);
  if (spec.policyTypes.length > 2)
    context.error('InvalidValue', ['spec', 'policyTypes'], 'may not have more than two entries');
  for (const [type, rules] of [
    ['Egress', spec.egress],
    ['Ingress', spec.ingress],
  ] as const) {
    if ((rules ?? []).length > 0 && !spec.policyTypes.includes(type))
      context.warning(
        'InvalidValue',
        ['spec', type.toLowerCase()],
        `does nothing: policyTypes does not have ${type}`,
        `add ${type} to policyTypes`,
      );
  }
}

function checkRule(
  at: FieldPath,
  side: 'from' | 'to',
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
  context: CheckContext,
): void {
  for (const [i, peer] of (peers ?? []).entries()) checkPeer(peer, [...at, side, i], context);
  for (const [i, port] of (ports ?? []).entries()) checkPort(port, [...at, 'ports', i], context);
}

function checkPeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  at: FieldPath,
  context: CheckContext,
): void {
  const { error } = context;
  if (podSelector) checkSelector(podSelector, [...at, 'podSelector'], context);
  if (namespaceSelector) checkSelector(namespaceSelector, [...at, 'namespaceSelector'], context);
  if (ipBlock) checkIpBlock(ipBlock, [...at, 'ipBlock'], context);
  if (!podSelector && !namespaceSelector && !ipBlock)
    error(
      'MissingField',
      at,
      'needs podSelector, namespaceSelector or ipBlock',
      'leave the list out to allow everybody',
    );
  else if (ipBlock && (podSelector ?? namespaceSelector))
    error('ForbiddenField', [...at, 'ipBlock'], 'may not be set beside a selector', 'make it a peer of its own');
}

const CIDR = 'must be a range such as 10.0.0.0/8: there is one address family';

function checkIpBlock({ cidr, except = [] }: IpBlock, at: FieldPath, { error }: CheckContext): void {
  const whole = readRange(cidr);
  if (!whole) return error('InvalidValue', [...at, 'cidr'], `${CIDR}, found ${cidr}`);
  for (const [i, text] of except.entries()) {
    const part = readRange(text);
    if (!part) error('InvalidValue', [...at, 'except', i], `${CIDR}, found ${text}`);
    else if (part.size >= whole.size || part.first < whole.first || part.first >= whole.first + whole.size)
      error('InvalidValue', [...at, 'except', i], `must be a strict part of cidr ${cidr}, found ${text}`);
  }
}

function checkPort({ port, endPort }: NetworkPolicyPort, at: FieldPath, { error }: CheckContext): void {
  if (typeof port === 'string') {
    if (/^\d+$/.test(port))
      error(
        'WrongType',
        [...at, 'port'],
        `must be a port number or name, found text "${port}"`,
        `remove the quotes: port: ${port}`,
      );
    else if (!isPortName(port)) error('InvalidValue', [...at, 'port'], PORT_NAME_RULE);
  }
  if (endPort === undefined) return;
  if (port === undefined) error('ForbiddenField', [...at, 'endPort'], 'may not be set without port');
  else if (typeof port === 'string')
    error('ForbiddenField', [...at, 'endPort'], 'may not be set beside the name of a port');
  else if (endPort < port)
    error('InvalidValue', [...at, 'endPort'], `must be at least port (${port}), found ${endPort}`);
}
