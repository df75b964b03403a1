/** What guards look like in the table: two chains for a pod, a set for a group, and the hooks that lead there; and that a pod has no other's address. */
import type { ForwardingMeans, Protocol } from '../data-plane/plan.ts';
import type { Allowance, GuardPart, GroupMember } from '../data-plane/policy/plan.ts';
import { CONTAINERS, type Chain, type Element, type Fragment, type Rule } from './model.ts';
import { guardChainName, guardOwner } from './names.ts';

export const GUARD_CHAINS = {
  source: 'guard-source',
  forward: 'guard-forward',
  led: 'guard-led',
  input: 'guard-input',
  egress: 'guard-egress',
  ingress: 'guard-ingress',
} as const;

export const GUARD_MAPS = { egress: 'guarded-egress', ingress: 'guarded-ingress' } as const;

/** One fragment for each part; the same part always gives the same. */
export function compileGuards(
  parts: ReadonlyMap<string, GuardPart | undefined>,
  by: ForwardingMeans = 'nftables',
): ReadonlyMap<string, Fragment | undefined> {
  return new Map([...parts].map(([name, part]) => [guardOwner(name), part && compilePart(part, by)]));
}

function compilePart(part: GuardPart, by: ForwardingMeans): Fragment {
  switch (part.is) {
    case 'frame':
      return frame(part.dns, by);
    case 'pod':
      return guardedPod(part);
    case 'group':
      return {
        chains: [],
        containers: [
          {
            name: part.group,
            kind: 'set',
            key: part.protocol ? ['address', 'inet_proto', 'inet_service'] : ['address'],
          },
        ],
        elements: memberElements(part),
      };
    case 'members':
      return { chains: [], containers: [], elements: memberElements(part) };
  }
}

/**
 * After destination NAT, and beside the chains that refuse: what one lets pass the other may still drop. Packets that
 * this machine sends or takes itself are its pods' to get and to send, but for what answers names.
 */
function frame(dns: string | undefined, by: ForwardingMeans): Fragment {
  const known: Rule = { kind: 'pass-known' };
  const forwarded: readonly Rule[] = [
    { kind: 'pass-hairpin', set: CONTAINERS.hairpin },
    { kind: 'jump', chain: GUARD_CHAINS.egress },
    { kind: 'jump', chain: GUARD_CHAINS.ingress },
  ];
  return {
    containers: [
      {
        name: GUARD_MAPS.egress,
        kind: 'verdict-map',
        key: ['address'],
        comment: 'pods that may not open everything',
      },
      {
        name: GUARD_MAPS.ingress,
        kind: 'verdict-map',
        key: ['address'],
        comment: 'pods that may not take everything',
      },
    ],
    chains: [
      {
        name: GUARD_CHAINS.source,
        // After the connection tracker, and before anything is sent elsewhere.
        hook: { type: 'filter', hook: 'prerouting', priority: -150 },
        rules: [{ kind: 'drop-forged' }],
      },
      {
        name: GUARD_CHAINS.forward,
        hook: { type: 'filter', hook: 'forward', priority: 10 },
        rules: [known, ...forwarded],
      },
      // What IPVS leads is taken by this machine, and sent: it is never forwarded.
      ...(by === 'ipvs'
        ? [
            {
              name: GUARD_CHAINS.led,
              hook: { type: 'filter', hook: 'output', priority: 10 } as const,
              rules: [known, { kind: 'pass-own' } as const, ...forwarded],
            },
          ]
        : []),
      ...(dns === undefined
        ? []
        : [
            {
              name: GUARD_CHAINS.input,
              hook: { type: 'filter', hook: 'input', priority: 10 } as const,
              rules: [known, { kind: 'jump-to', address: dns, chain: GUARD_CHAINS.egress } as const],
            },
          ]),
      { name: GUARD_CHAINS.egress, rules: [{ kind: 'dispatch-address', side: 'source', map: GUARD_MAPS.egress }] },
      {
        name: GUARD_CHAINS.ingress,
        rules: [{ kind: 'dispatch-address', side: 'destination', map: GUARD_MAPS.ingress }],
      },
    ],
    elements: [],
  };
}

function guardedPod({ namespace, pod, address, ingress, egress }: Extract<GuardPart, { is: 'pod' }>): Fragment {
  const chains: Chain[] = [];
  const elements: Element[] = [];
  for (const [direction, allowances] of [
    ['ingress', ingress],
    ['egress', egress],
  ] as const) {
    if (!allowances) continue;
    const name = guardChainName(direction, namespace, pod);
    chains.push({
      name,
      comment: `${direction} of pod ${namespace}/${pod}`,
      rules: [...allowances.flatMap((one) => allowRules(direction, one)), { kind: 'drop' }],
    });
    elements.push({ container: GUARD_MAPS[direction], key: address, chain: name });
  }
  return { chains, containers: [], elements };
}

function allowRules(direction: 'ingress' | 'egress', { ends, ports }: Allowance): readonly Rule[] {
  const side = direction === 'ingress' ? 'source' : 'destination';
  switch (ports.are) {
    case 'all':
      return [{ kind: 'allow', side, ends }];
    case 'numbers':
      return ports.of.map(({ protocol, spans }) => ({ kind: 'allow', side, ends, protocol, ports: spans }));
    case 'group':
      return [{ kind: 'allow-named', ends, set: ports.group }];
  }
}

function memberElements({
  group,
  protocol,
  members,
}: {
  readonly group: string;
  readonly protocol?: Protocol;
  readonly members: readonly GroupMember[];
}): Element[] {
  const keys = members.flatMap(({ address, ports = [] }) =>
    protocol ? ports.map((port) => `${address} . ${protocol.toLowerCase()} . ${port}`) : [address],
  );
  return [...new Set(keys)].map((key) => ({ container: group, key }));
}
