/** From the policies that select a pod to what it takes and opens. */
import { createHash } from 'node:crypto';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, Pod } from '../../../../contracts/objects/index.ts';
import { peerGroupOf, groupOfPort, portsNamed, type PeerGroup } from '../../../../contracts/objects/policy-peers.ts';
import { selectorMatches } from '../../../../contracts/objects/label-match.ts';
import { DEFAULT_NAMESPACE } from '../../../../contracts/objects/well-known.ts';
import { familyOfRange, type Family } from '../../../../contracts/ip.ts';
import type { Protocol } from '../plan.ts';
import type { AddressSpan, Allowance, Ends, Guard, Ports, Span } from './plan.ts';
import { addressSpan, mergedSpans, rangeSpan, spanKey, spansWithout } from './spans.ts';

/** What is known of the cluster's addresses of one family. */
export interface Addresses {
  /** Of all pods. */
  readonly podRange: string;
  /** Answers names for this node's pods; counts as a pod. Absent for IPv6. */
  readonly dns?: string | undefined;
}

/** What a rule is held against: who is in one group, or in any of several. */
export interface NamedSet {
  /** That of its one group, or derived from those of its groups. */
  readonly name: string;
  readonly of: readonly PeerGroup[];
}

/** What a guard names beside addresses. */
export interface GuardedPod {
  readonly guard: Guard;
  readonly sets: readonly NamedSet[];
}

/**
 * Of groups that one pod's rules allow the same ports. More of them are put together into one set, so that a packet is
 * looked up a few times however many policies select the pod; fewer are not, so that pods share the sets of groups.
 */
const MOST_SETS = 3;

/** All addresses of a family. */
const EVERYWHERE = ['0.0.0.0/0', '::/0'].map(rangeSpan);

/** Whether the policy is about the pod, which is of its namespace. */
export function selects({ spec }: NetworkPolicy, { metadata }: Pick<Pod, 'metadata'>): boolean {
  return selectorMatches(spec.podSelector, metadata.labels);
}

/**
 * What a pod with this address takes and opens under these policies, which all select it; undefined where it is as if
 * there was none. The same whatever the policies' order.
 */
export function guardOf(
  pod: Pod,
  address: string,
  policies: readonly NetworkPolicy[],
  addresses: Addresses,
): GuardedPod | undefined {
  const groups = new Map<string, PeerGroup>();
  const name = (group: PeerGroup): string => {
    groups.set(group.name, group);
    return group.name;
  };
  const sets = new Map<string, NamedSet>();
  const join = (names: readonly string[]): string => {
    const sorted = [...new Set(names)].sort();
    const joined = `pu-${createHash('sha256').update(sorted.join()).digest('hex').slice(0, 20)}`;
    sets.set(joined, { name: joined, of: sorted.flatMap((one) => groups.get(one) ?? []) });
    return joined;
  };
  const read = new RuleReader(pod, addresses, name);
  const of = (type: 'Ingress' | 'Egress', rules: (policy: NetworkPolicy) => readonly Allowance[]) => {
    const some = policies.filter(({ spec }) => spec.policyTypes.includes(type));
    if (some.length === 0) return undefined;
    const allowances = merged(some.flatMap(rules), join);
    return allowances.some(({ ends, ports }) => ends.are === 'anyone' && ports.are === 'all') ? undefined : allowances;
  };
  const ingress = of('Ingress', (policy) => read.ingress(policy));
  const egress = of('Egress', (policy) => read.egress(policy));
  if (!ingress && !egress) return undefined;
  const guard = { address, ...(ingress && { ingress }), ...(egress && { egress }) };
  for (const group of groups.values()) sets.set(group.name, { name: group.name, of: [group] });
  return { guard, sets: [...namesIn(guard)].flatMap((one) => sets.get(one) ?? []) };
}

class RuleReader {
  readonly #pod: Pod;
  readonly #addresses: Addresses;
  readonly #family: Family | undefined;
  readonly #name: (group: PeerGroup) => string;

  constructor(pod: Pod, addresses: Addresses, name: (group: PeerGroup) => string) {
    this.#pod = pod;
    this.#addresses = addresses;
    this.#family = familyOfRange(addresses.podRange);
    this.#name = name;
  }

  /** Names of ports are this pod's. */
  ingress({ metadata, spec }: NetworkPolicy): readonly Allowance[] {
    return (spec.ingress ?? []).flatMap(({ from = [], ports = [] }) => {
      const numbers = numberPorts(ports, (port) => portsNamed(this.#pod, port));
      if (numbers === undefined) return [];
      return this.#ends(from, metadata.namespace).map((ends): Allowance => ({ ends, ports: numbers }));
    });
  }

  /** Names of ports are those of the pods that are connected to. */
  egress({ metadata, spec }: NetworkPolicy): readonly Allowance[] {
    return (spec.egress ?? []).flatMap(({ to = [], ports = [] }): readonly Allowance[] => {
      const numbers = numberPorts(ports, () => []);
      const plain = numbers
        ? this.#ends(to, metadata.namespace).map((ends): Allowance => ({ ends, ports: numbers }))
        : [];
      const named = ports.flatMap(({ protocol, port }) =>
        typeof port === 'string' ? this.#namedPort(to, metadata.namespace, { protocol, name: port }) : [],
      );
      return [...plain, ...named];
    });
  }

  #namedPort(
    peers: readonly NetworkPolicyPeer[],
    namespace: string | undefined,
    port: NonNullable<PeerGroup['port']>,
  ): readonly Allowance[] {
    const at = (group: PeerGroup): Ports => ({ are: 'group', protocol: port.protocol, group: this.#name(group) });
    if (peers.length === 0) return [{ ends: { are: 'anyone' }, ports: at(groupOfPort(port)) }];
    return peers.flatMap((peer): readonly Allowance[] => {
      const group = peerGroupOf(peer, namespace ?? DEFAULT_NAMESPACE, port);
      if (group) return [{ ends: { are: 'anyone' }, ports: at(group) }];
      return this.#end(peer, namespace).map((ends): Allowance => ({ ends, ports: at(groupOfPort(port)) }));
    });
  }

  #ends(peers: readonly NetworkPolicyPeer[], namespace: string | undefined): readonly Ends[] {
    return peers.length === 0 ? [{ are: 'anyone' }] : peers.flatMap((peer) => this.#end(peer, namespace));
  }

  /** None where all of a block is left out, or it is of the other family. */
  #end(peer: NetworkPolicyPeer, namespace: string | undefined): readonly Ends[] {
    const { ipBlock } = peer;
    if (ipBlock) {
      if (familyOfRange(ipBlock.cidr) !== this.#family) return [];
      const spans = spansWithout([rangeSpan(ipBlock.cidr)], (ipBlock.except ?? []).map(rangeSpan));
      if (spans.length === 0) return [];
      return [isEverywhere(spans) ? { are: 'anyone' } : { are: 'spans', spans }];
    }
    const group = peerGroupOf(peer, namespace ?? DEFAULT_NAMESPACE);
    if (group) return [{ are: 'group', group: this.#name(group) }];
    const { podRange, dns } = this.#addresses;
    return [
      { are: 'spans', spans: mergedSpans([rangeSpan(podRange), ...(dns === undefined ? [] : [addressSpan(dns)])]) },
    ];
  }
}

/** Undefined where none of the ports is there: names that no port has, or only such as `named` does not tell. */
function numberPorts(
  ports: readonly NetworkPolicyPort[],
  named: (port: NonNullable<PeerGroup['port']>) => readonly number[],
): Ports | undefined {
  if (ports.length === 0) return { are: 'all' };
  const spans = ports.flatMap(({ protocol, port, endPort }): { protocol: Protocol; span: Span }[] => {
    if (port === undefined) return [{ protocol, span: [0, 65_535] }];
    if (typeof port === 'number') return [{ protocol, span: [port, endPort ?? port] }];
    return named({ protocol, name: port }).map((number) => ({ protocol, span: [number, number] }));
  });
  return spans.length === 0 ? undefined : numbersOf(spans);
}

const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];

function numbersOf(all: readonly { readonly protocol: Protocol; readonly span: Span }[]): Ports {
  const of = PROTOCOLS.flatMap((protocol) => {
    const spans = mergedSpans(all.filter((one) => one.protocol === protocol).map(({ span }) => span));
    return spans.length > 0 ? [{ protocol, spans }] : [];
  });
  return { are: 'numbers', of };
}

/**
 * As few as say the same: of equal ends the ports are one, then of equal ports the addresses. So what a packet is held
 * against grows with the different groups that rules for one pod name, and with nothing else.
 */
function merged(allowances: readonly Allowance[], join: (groups: readonly string[]) => string): readonly Allowance[] {
  const byEnds = grouped(allowances, ({ ends, ports }) => spanKey([ends, ports.are, portGroup(ports)]));
  const once = byEnds.map(([first, ...more]): Allowance => ({ ...first, ports: together([first, ...more]) }));
  // All ports of the same ends cover the numbers.
  const open = new Set(once.flatMap(({ ends, ports }) => (ports.are === 'all' ? [spanKey(ends)] : [])));
  const needed = once.filter(({ ends, ports }) => ports.are === 'all' || !open.has(spanKey(ends)));
  const [addressed, others] = [
    needed.filter(({ ends }) => ends.are === 'spans'),
    needed.filter(({ ends }) => ends.are !== 'spans'),
  ];
  const joined = grouped(addressed, ({ ports }) => spanKey(ports)).map(([first, ...more]): Allowance => ({
    ports: first.ports,
    ends: {
      are: 'spans',
      spans: mergedSpans([first, ...more].flatMap(({ ends }) => (ends.are === 'spans' ? ends.spans : []))),
    },
  }));
  return [...fewSets(others, join), ...joined]
    .map((one) => [spanKey(one), one] as const)
    .sort(byText)
    .map(([, one]) => one);
}

/** Those that differ in nothing but the group become one, where they are many. */
function fewSets(allowances: readonly Allowance[], join: (groups: readonly string[]) => string): readonly Allowance[] {
  const like = ({ ends, ports }: Allowance): string => {
    if (ends.are === 'group' && ports.are !== 'group') return `ends ${spanKey(ports)}`;
    return ports.are === 'group' ? `ports ${ports.protocol} ${spanKey(ends)}` : spanKey({ ends, ports });
  };
  return grouped(allowances, like).flatMap(([first, ...more]): readonly Allowance[] => {
    if (more.length < MOST_SETS) return [first, ...more];
    const { ends, ports } = first;
    if (ports.are === 'group') {
      const group = join([first, ...more].map((one) => portGroup(one.ports)));
      return [{ ends, ports: { ...ports, group } }];
    }
    if (ends.are !== 'group') return [first, ...more];
    const group = join([first, ...more].flatMap((one) => (one.ends.are === 'group' ? [one.ends.group] : [])));
    return [{ ends: { are: 'group', group }, ports }];
  });
}

function byText(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : Number(a[0] > b[0]);
}

function portGroup(ports: Ports): string {
  return ports.are === 'group' ? ports.group : '';
}

function together([first, ...more]: readonly [Allowance, ...Allowance[]]): Ports {
  if (first.ports.are !== 'numbers') return first.ports;
  return numbersOf(
    [first, ...more].flatMap(({ ports }) =>
      ports.are === 'numbers'
        ? ports.of.flatMap(({ protocol, spans }) => spans.map((span) => ({ protocol, span })))
        : [],
    ),
  );
}

function grouped<T>(items: readonly T[], key: (item: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()];
}

function isEverywhere(spans: readonly AddressSpan[]): boolean {
  const [only] = spans;
  return spans.length === 1 && EVERYWHERE.some(([first, last]) => only?.[0] === first && only[1] === last);
}

function namesIn({ ingress = [], egress = [] }: Guard): ReadonlySet<string> {
  return new Set(
    [...ingress, ...egress].flatMap(({ ends, ports }) => [
      ...(ends.are === 'group' ? [ends.group] : []),
      ...(ports.are === 'group' ? [ports.group] : []),
    ]),
  );
}
