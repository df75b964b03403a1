/**
 * The part of the table that the node's policy alone decides: hooks, dispatch, masquerading, refusal. README.md tells a
 * packet's way.
 */
import { readKey } from '../../../contracts/objects/own-key.ts';
import { nthAddress } from '../../../contracts/ipv4.ts';
import type { NodePolicy } from '../data-plane/plan.ts';
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
  // After destination NAT: a new connection that still aims at a Service address was taken by no Service.
  [CHAINS.filterInput]: { type: 'filter', hook: 'input', priority: 0 },
  [CHAINS.filterForward]: { type: 'filter', hook: 'forward', priority: 0 },
  [CHAINS.filterOutput]: { type: 'filter', hook: 'output', priority: 0 },
};

const SERVICE_KEY = ['ipv4_addr', 'inet_proto', 'inet_service'] as const;
const NODE_PORT_KEY = ['inet_proto', 'inet_service'] as const;

const FRAME_CONTAINERS: readonly Container[] = [
  { name: CONTAINERS.serviceIps, kind: 'verdict-map', key: SERVICE_KEY, comment: 'Services that have endpoints' },
  { name: CONTAINERS.nodePorts, kind: 'verdict-map', key: NODE_PORT_KEY, comment: 'node ports that have endpoints' },
  { name: CONTAINERS.deadServices, kind: 'set', key: SERVICE_KEY, comment: 'Services that have no endpoint' },
  { name: CONTAINERS.deadNodePorts, kind: 'set', key: NODE_PORT_KEY, comment: 'node ports that have no endpoint' },
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
    key: ['ipv4_addr', 'ipv4_addr'],
    comment: 'endpoints on this node, paired with themselves',
  },
  { name: CONTAINERS.nodeAddresses, kind: 'set', key: ['ipv4_addr'], comment: 'addresses of the nodes' },
];

export function compileFrame(policy: NodePolicy): Fragment {
  const { localRange } = policy;
  const egress: readonly Rule[] =
    localRange === undefined
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
        ...reject({ what: 'range', cidr: policy.serviceRange }),
        ...reject({ what: 'services', set: CONTAINERS.deadServices }),
      ],
    ],
    [CHAINS.rejectNodePorts, reject({ what: 'node-ports', set: CONTAINERS.deadNodePorts })],
    [CHAINS.prerouting, [{ kind: 'jump', chain: CHAINS.services }]],
    [CHAINS.output, [{ kind: 'jump', chain: CHAINS.services }]],
    [CHAINS.postrouting, [{ kind: 'jump-marked', chain: CHAINS.fromService }, ...egress]],
    [
      CHAINS.overlayGuard,
      policy.overlayPort === undefined
        ? []
        : [{ kind: 'drop-strangers', port: policy.overlayPort, set: CONTAINERS.nodeAddresses }],
    ],
    // The host's end of every pod's link has the address that is lent: it is this machine's wherever there is a pod to
    // be reached.
    [
      CHAINS.loopbackOut,
      localRange === undefined
        ? []
        : [{ kind: 'lend-address', set: CONTAINERS.loopbackPorts, address: nthAddress(localRange, 1) }],
    ],
    [CHAINS.loopbackIn, [{ kind: 'restore-loopback' }]],
    [
      CHAINS.filterInput,
      [
        { kind: 'jump', chain: CHAINS.overlayGuard },
        { kind: 'jump', chain: CHAINS.rejectNodePorts },
      ],
    ],
    [CHAINS.filterForward, [{ kind: 'jump', chain: CHAINS.rejectServices }]],
    [CHAINS.filterOutput, [{ kind: 'jump', chain: CHAINS.rejectServices }]],
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

function reject(match: RejectMatch): Rule[] {
  return [
    { kind: 'reject', protocol: 'TCP', match },
    { kind: 'reject', protocol: 'other', match },
  ];
}
