/** What one owner's forwardings are in iptables: its chains, and the rules that lead to them. README.md tells a packet's way. */
import { familyOf } from '../../../contracts/ip.ts';
import { describeForwarding, type Forwarding, type Frontend, type Target } from '../data-plane/plan.ts';
import { CHAINS, type Chain, type Entries, type Part, type Rule } from './model.ts';
import { admissionChainName, endpointChainName, forwardingChainName, insideChainName } from './names.ts';

export const NO_ENTRIES: Entries = { addresses: [], hostPorts: [], anywhere: [], nodePorts: [] };

/** The same forwardings always give the same part. */
export function compileForwardings(forwardings: readonly Forwarding[]): Part {
  const parts = forwardings.map(compileOne);
  return { chains: parts.flatMap((p) => p.chains), entries: joinEntries(parts.map((p) => p.entries)) };
}

export function joinEntries(entries: readonly Entries[]): Entries {
  return {
    addresses: entries.flatMap((e) => e.addresses),
    hostPorts: entries.flatMap((e) => e.hostPorts),
    anywhere: entries.flatMap((e) => e.anywhere),
    nodePorts: entries.flatMap((e) => e.nodePorts),
  };
}

/** The chains that lead packets to owners'. */
export function dispatchChains(entries: Entries, loopback: string): readonly Chain[] {
  return [
    {
      name: CHAINS.services,
      rules: [...entries.addresses, { machine: 'to', action: { do: 'go', chain: CHAINS.machine } }],
    },
    {
      name: CHAINS.machine,
      rules: [...entries.hostPorts, { notTo: loopback, action: { do: 'go', chain: CHAINS.anywhere } }],
    },
    { name: CHAINS.anywhere, rules: [...entries.anywhere, ...entries.nodePorts] },
  ];
}

function compileOne(forwarding: Forwarding): Part {
  const { targets, insiders } = forwarding;
  // Nobody there: nftables refuses what nobody takes here.
  if (targets.length === 0 && insiders === undefined) return { chains: [], entries: NO_ENTRIES };
  const chain = forwardingChainName(forwarding);
  const inside = insiders && insideChainName(chain);
  const admissions = new Map<string, Chain>();
  const entries = forwarding.frontends.map((frontend) => entryOf(forwarding, chain, frontend, admissions));
  return {
    chains: [
      ...(insiders && inside !== undefined ? balancing(forwarding, inside, insiders.targets) : []),
      ...balancing(
        forwarding,
        chain,
        targets,
        insiders && inside !== undefined
          ? [
              { from: insiders.pods, action: { do: 'go', chain: inside } },
              { machine: 'from', action: { do: 'go', chain: inside } },
            ]
          : [],
      ),
      ...admissions.values(),
    ],
    entries: joinEntries(entries),
  };
}

/** The rule that leads one frontend to `chain`, by an admission's chain where not everybody may come. */
function entryOf(forwarding: Forwarding, chain: string, frontend: Frontend, admissions: Map<string, Chain>): Entries {
  const { protocol } = forwarding;
  const { port } = frontend;
  const at = { protocol, port, comment: describeForwarding(forwarding) };
  switch (frontend.at) {
    case 'service-address':
    case 'external-address': {
      const from = frontend.at === 'external-address' ? frontend.from : undefined;
      const entry = from === undefined ? chain : admissionChainName(chain, from);
      if (from !== undefined)
        admissions.set(entry, {
          name: entry,
          rules: from.map((range) => ({ from: range, action: { do: 'go', chain } })),
        });
      return {
        ...NO_ENTRIES,
        addresses: [{ to: hostRange(frontend.address), ...at, action: { do: 'go', chain: entry } }],
      };
    }
    case 'node-port':
      return { ...NO_ENTRIES, nodePorts: [{ ...at, action: { do: 'go', chain } }] };
    case 'host-port':
      return frontend.address === undefined
        ? { ...NO_ENTRIES, anywhere: [{ ...at, action: { do: 'go', chain } }] }
        : { ...NO_ENTRIES, hostPorts: [{ to: hostRange(frontend.address), ...at, action: { do: 'go', chain } }] };
  }
}

function hostRange(address: string): string {
  return `${address}/${familyOf(address) === 'IPv6' ? 128 : 32}`;
}

/** A chain of this name that sends each connection which none of the `first` rules took to one of the targets. */
function balancing(
  forwarding: Forwarding,
  name: string,
  targets: readonly Target[],
  first: readonly Rule[] = [],
): readonly Chain[] {
  if (targets.length === 0) return [{ name, rules: first }];
  const { protocol, affinity } = forwarding;
  if (affinity === undefined) {
    const draws = drawn(targets, (target): Rule => ({ protocol, action: { do: 'send', target } }));
    return [{ name, rules: [...first, { action: { do: 'mark' } }, ...draws] }];
  }
  const ends = targets.map((target) => ({ target, chain: endpointChainName(name, target) }));
  return [
    ...ends.map(({ target, chain }): Chain => ({
      name: chain,
      rules: [
        { client: { do: 'remember', list: chain }, action: { do: 'mark' } },
        { protocol, action: { do: 'send', target } },
      ],
    })),
    {
      name,
      rules: [
        ...first,
        ...ends.map(({ chain }): Rule => ({
          client: { do: 'seen', list: chain, seconds: affinity.timeoutSeconds },
          action: { do: 'go', chain },
        })),
        ...drawn(ends, ({ chain }): Rule => ({ action: { do: 'go', chain } })),
      ],
    },
  ];
}

/** Each takes its share of what those before it left: as likely as the others. As kube-proxy's iptables mode does. */
function drawn<T>(from: readonly T[], make: (one: T) => Rule): readonly Rule[] {
  return from.map((one, i) => {
    const left = from.length - i;
    return left === 1 ? make(one) : { ...make(one), oneIn: left };
  });
}
