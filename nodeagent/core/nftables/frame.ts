/**
 * The part of the table that the node's policy alone decides: hooks, dispatch, masquerading, refusal. README.md tells a
 * packet's way.
 */
import { CLUSTER_DNS } from '../../../contracts/agent/places.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { familyOfRange, nthOf } from '../../../contracts/ip.ts';
import type { NodePolicy } from '../data-plane/plan.ts';
import { proxyAddress } from '../data-plane/policy/proxy-peer.ts';
import {
  CHAINS,
  CONTAINERS,
  type Chain,
  type Container,
  type Element,
  type Fragment,
  type Hook,
  type RejectMatch,
  type Rule,
} from './model.ts';

/** Owner name of the frame: sorts before every other owner, so none can take an element from it. */
export const FRAME = '';

const HOOKS: Readonly<Record<string, Hook>> = {
  [CHAINS.prerouting]: { type: 'nat', hook: 'prerouting', priority: -100 },
  [CHAINS.output]: { type: 'nat', hook: 'output', priority: -100 },
  [CHAINS.postrouting]: { type: 'nat', hook: 'postrouting', priority: 100 },
  // Before the connection tracker sees the packet, and after it gave an answer the source that the client asked.
  [CHAINS.loopbackOut]: { type: 'filter', hook: 'output', priority: -300 },
  [CHAINS.loopbackIn]: { type: 'filter', hook: 'input', priority: 150 },
  // After the connection tracker, and before the way is chosen; after the sources of all are.
  [CHAINS.ledAgain]: { type: 'filter', hook: 'prerouting', priority: -150 },
  [CHAINS.ledOut]: { type: 'filter', hook: 'postrouting', priority: 110 },
  // After destination NAT: a new connection that still aims at a Service address was taken by no Service.
  [CHAINS.filterInput]: { type: 'filter', hook: 'input', priority: 0 },
  [CHAINS.filterForward]: { type: 'filter', hook: 'forward', priority: 0 },
  [CHAINS.filterOutput]: { type: 'filter', hook: 'output', priority: 0 },
};

/** A second, over one pod's link: some 5 % of a processor's time, so that one pod cannot take the server's from all. */
const MOST_QUESTIONS = 5000;

const NAMES_BOUNDED: Rule = {
  kind: 'limit-link',
  address: CLUSTER_DNS.address,
  port: CLUSTER_DNS.port,
  set: CONTAINERS.nameAskers,
  perSecond: MOST_QUESTIONS,
};

const SERVICE_KEY = ['address', 'inet_proto', 'inet_service'] as const;
const NODE_PORT_KEY = ['inet_proto', 'inet_service'] as const;

const FRAME_CONTAINERS: readonly Container[] = [
  { name: CONTAINERS.serviceIps, kind: 'verdict-map', key: SERVICE_KEY, comment: 'Services that have endpoints' },
  { name: CONTAINERS.nodePorts, kind: 'verdict-map', key: NODE_PORT_KEY, comment: 'node ports that have endpoints' },
  { name: CONTAINERS.deadServices, kind: 'set', key: SERVICE_KEY, comment: 'Services that have no endpoint' },
  { name: CONTAINERS.deadNodePorts, kind: 'set', key: NODE_PORT_KEY, comment: 'node ports that have no endpoint' },
  {
    name: CONTAINERS.silentServices,
    kind: 'set',
    key: SERVICE_KEY,
    comment: 'Services whose endpoints are on other nodes alone, or not for everybody',
  },
  {
    name: CONTAINERS.silentNodePorts,
    kind: 'set',
    key: NODE_PORT_KEY,
    comment: 'node ports whose endpoints are on other nodes alone',
  },
  {
    name: CONTAINERS.closedAddresses,
    kind: 'set',
    key: ['address'],
    comment: 'addresses at which nothing but Services is reached',
  },
  {
    name: CONTAINERS.hostPorts,
    kind: 'verdict-map',
    key: SERVICE_KEY,
    comment: 'ports of this machine at one address that lead to pods',
  },
  {
    name: CONTAINERS.hostPortsAnywhere,
    kind: 'verdict-map',
    key: NODE_PORT_KEY,
    comment: 'ports of this machine that lead to pods',
  },
  { name: CONTAINERS.loopbackPorts, kind: 'set', key: SERVICE_KEY, comment: 'those of them at loopback addresses' },
  {
    name: CONTAINERS.hairpin,
    kind: 'set',
    key: ['address', 'address'],
    comment: 'endpoints on this node, paired with themselves',
  },
  { name: CONTAINERS.nodeAddresses, kind: 'set', key: ['address'], comment: 'addresses of the nodes' },
  {
    name: CONTAINERS.nameAskers,
    kind: 'set',
    key: ['iface_index'],
    timeoutSeconds: 60,
    comment: 'links over which names are asked for',
  },
];

/** By a mark packets come to IPVS, which has no maps to find them in; it never leaves the machine. */
const LED_CHAINS: readonly (readonly [string, readonly Rule[]])[] = [
  [CHAINS.led, [{ kind: 'lead' }]],
  [CHAINS.ledAgain, [{ kind: 'lead-again' }]],
  [CHAINS.ledOut, [{ kind: 'unmark' }]],
];

export function compileFrame(policy: NodePolicy): Fragment {
  const { localRange } = policy;
  const isLed = policy.forwardBy === 'ipvs' || policy.afterIpvs === true;
  const egress: readonly Rule[] =
    localRange === undefined || policy.isForeign
      ? []
      : [{ kind: 'masquerade-egress', local: localRange, pods: policy.podRange, nodes: CONTAINERS.nodeAddresses }];
  const rules: readonly (readonly [string, readonly Rule[]])[] = [
    [
      CHAINS.services,
      [
        { kind: 'dispatch-services', map: CONTAINERS.serviceIps },
        { kind: 'dispatch-host-ports', map: CONTAINERS.hostPorts },
        { kind: 'dispatch-node-ports', map: CONTAINERS.hostPortsAnywhere },
        { kind: 'dispatch-node-ports', map: CONTAINERS.nodePorts },
      ],
    ],
    [
      CHAINS.fromService,
      [
        { kind: 'unmark' },
        { kind: 'masquerade-hairpin', set: CONTAINERS.hairpin },
        { kind: 'masquerade-transit', local: localRange },
      ],
    ],
    [
      CHAINS.rejectServices,
      [
        { kind: 'drop', match: { what: 'services', set: CONTAINERS.silentServices } },
        ...reject({ what: 'range', cidr: policy.serviceRange }),
        ...reject({ what: 'services', set: CONTAINERS.deadServices }),
        ...reject({ what: 'addresses', set: CONTAINERS.closedAddresses }),
      ],
    ],
    [
      CHAINS.rejectNodePorts,
      [
        ...reject({ what: 'node-ports', set: CONTAINERS.deadNodePorts }),
        { kind: 'drop', match: { what: 'node-ports', set: CONTAINERS.silentNodePorts } },
      ],
    ],
    [CHAINS.prerouting, [{ kind: 'jump', chain: CHAINS.services }]],
    [CHAINS.output, [{ kind: 'jump', chain: CHAINS.services }]],
    [CHAINS.postrouting, [{ kind: 'jump-marked', chain: CHAINS.fromService }, ...egress]],
    [
      CHAINS.overlayGuard,
      policy.overlayPort === undefined
        ? []
        : [{ kind: 'drop-strangers', port: policy.overlayPort, set: CONTAINERS.nodeAddresses }],
    ],
    ...(familyOfRange(policy.podRange) === 'IPv6' ? [] : loopbackChains(policy)),
    ...(isLed ? LED_CHAINS : []),
    [
      CHAINS.filterInput,
      [
        { kind: 'jump', chain: CHAINS.overlayGuard },
        ...(familyOfRange(policy.podRange) === 'IPv6' ? [] : [NAMES_BOUNDED]),
        ...(isLed ? [{ kind: 'pass-marked' } as const] : []),
        { kind: 'jump', chain: CHAINS.rejectServices },
        { kind: 'jump', chain: CHAINS.rejectNodePorts },
      ],
    ],
    [CHAINS.filterForward, [{ kind: 'jump', chain: CHAINS.rejectServices }]],
    [CHAINS.filterOutput, [{ kind: 'jump', chain: CHAINS.rejectServices }, ...proxyAlone(policy)]],
  ];
  const chains = rules.map(([name, list]): Chain => {
    const hook = readKey(HOOKS, name);
    return { name, rules: list, ...(hook && { hook }) };
  });
  const elements = [...new Set(policy.nodeAddresses)]
    .sort()
    .map((key): Element => ({ container: CONTAINERS.nodeAddresses, key }));
  return { chains, containers: FRAME_CONTAINERS, elements };
}

/** Who asks pods of other nodes from the proxy's address is the proxy: their policies let it in by that. */
function proxyAlone({ localRange, podRange, isForeign, proxyUser }: NodePolicy): readonly Rule[] {
  // It asks at addresses of IPv4 alone.
  if (isForeign || familyOfRange(podRange) === 'IPv6') return [];
  const address = localRange === undefined ? undefined : proxyAddress(localRange);
  if (localRange === undefined || address === undefined) return [];
  return [{ kind: 'drop-borrowed', address, pods: podRange, local: localRange, user: proxyUser }];
}

function reject(match: RejectMatch): Rule[] {
  return [
    { kind: 'reject', protocol: 'TCP', match },
    { kind: 'reject', protocol: 'other', match },
  ];
}

/**
 * Ports of pods at loopback addresses, of IPv4 alone. The host's end of every link of ours has the address that is lent:
 * it is this machine's wherever there is a pod to be reached. With links of others it is the node's own.
 */
function loopbackChains({
  localRange,
  isForeign,
  ownAddress,
}: NodePolicy): readonly (readonly [string, readonly Rule[]])[] {
  const address = isForeign ? ownAddress : localRange && nthOf(localRange, 1);
  const lend: readonly Rule[] =
    address === undefined ? [] : [{ kind: 'lend-address', set: CONTAINERS.loopbackPorts, address }];
  return [
    [CHAINS.loopbackOut, lend],
    [CHAINS.loopbackIn, [{ kind: 'restore-loopback' }]],
  ];
}
