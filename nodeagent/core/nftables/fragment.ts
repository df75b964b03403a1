/** What one owner's forwardings look like in the table: chains, sets of clients, and elements of the table's maps. */
import { describeForwarding, type Forwarding, type Frontend, type Target } from '../data-plane/plan.ts';
import { CHAINS, CONTAINERS, type Chain, type Container, type Element, type Fragment, type Rule } from './model.ts';
import {
  admissionChainName,
  affinitySetName,
  endpointChainName,
  forwardingChainName,
  insideChainName,
} from './names.ts';

/** The same forwardings always give the same fragment. Frontends of which `isLed` says so lead to others by a mark. */
export function compileForwardings(
  forwardings: readonly Forwarding[],
  isLed: (forwarding: Forwarding, frontend: Frontend) => boolean = () => false,
): Fragment {
  const parts = forwardings.map((forwarding) => compileOne(forwarding, (frontend) => isLed(forwarding, frontend)));
  return {
    chains: parts.flatMap((p) => p.chains),
    containers: parts.flatMap((p) => p.containers),
    elements: uniqueElements(parts.flatMap((p) => p.elements)),
  };
}

function compileOne(forwarding: Forwarding, isLed: (frontend: Frontend) => boolean): Fragment {
  const chain = forwardingChainName(forwarding);
  const { targets, insiders, localTargets } = forwarding;
  const dispatch = forwarding.frontends.map((frontend) =>
    dispatchTo(forwarding, isLed(frontend) ? CHAINS.led : chain, frontend),
  );
  const elements = dispatch.flatMap((d) => d.elements);
  if (targets.length === 0 && insiders === undefined) return { chains: [], containers: [], elements };
  const hairpins = localTargets.map((address) => ({ container: CONTAINERS.hairpin, key: `${address} . ${address}` }));
  const inside = insiders && insideChainName(chain);
  const parts = forwarding.frontends.every(isLed)
    ? []
    : [
        ...(inside === undefined ? [] : [balancing(forwarding, inside, insiders?.targets ?? [])]),
        balancing(forwarding, chain, targets, inside === undefined ? [] : insideRules(insiders?.pods ?? '', inside)),
      ];
  return {
    // What is gone to comes before what goes there.
    chains: uniqueChains([...parts.flatMap((p) => p.chains), ...dispatch.flatMap((d) => d.chains)]),
    containers: parts.flatMap((p) => p.containers),
    elements: [...elements, ...hairpins],
  };
}

function insideRules(pods: string, chain: string): Rule[] {
  return [
    { kind: 'from-pods', pods, chain },
    { kind: 'from-machine', chain },
  ];
}

interface Dispatch {
  readonly chains: readonly Chain[];
  readonly elements: readonly Element[];
}

/** The elements that lead a frontend to `chain`, and those that end what comes by none of its ways to a target. */
function dispatchTo(forwarding: Forwarding, chain: string, frontend: Frontend): Dispatch {
  const { protocol, targets, insiders, elsewhere } = forwarding;
  const portKey = `${protocol.toLowerCase()} . ${frontend.port}`;
  const dead = targets.length === 0 && insiders === undefined;
  const silent = elsewhere === true;
  switch (frontend.at) {
    case 'service-address':
    case 'external-address': {
      const key = `${frontend.address} . ${portKey}`;
      const external = frontend.at === 'external-address' ? frontend : undefined;
      const guard = external?.guarded ? [{ container: CONTAINERS.closedAddresses, key: frontend.address }] : [];
      if (dead)
        return {
          chains: [],
          elements: [...guard, { container: silent ? CONTAINERS.silentServices : CONTAINERS.deadServices, key }],
        };
      const from = external?.from;
      const entry =
        from === undefined
          ? chain
          : admissionChainName(chain === CHAINS.led ? `${chain} ${forwardingChainName(forwarding)}` : chain, from);
      return {
        chains:
          from === undefined
            ? []
            : [
                {
                  name: entry,
                  comment: `${describeForwarding(forwarding)} from`,
                  rules: [{ kind: 'admit', ranges: from, chain }],
                },
              ],
        elements: [
          ...guard,
          ...(silent || from !== undefined ? [{ container: CONTAINERS.silentServices, key }] : []),
          { container: CONTAINERS.serviceIps, key, chain: entry },
        ],
      };
    }
    case 'node-port':
      if (dead)
        return {
          chains: [],
          elements: [{ container: silent ? CONTAINERS.silentNodePorts : CONTAINERS.deadNodePorts, key: portKey }],
        };
      return {
        chains: [],
        elements: [
          ...(silent ? [{ container: CONTAINERS.silentNodePorts, key: portKey }] : []),
          { container: CONTAINERS.nodePorts, key: portKey, chain },
        ],
      };
    case 'host-port': {
      if (dead) return { chains: [], elements: [] };
      if (frontend.address === undefined)
        return { chains: [], elements: [{ container: CONTAINERS.hostPortsAnywhere, key: portKey, chain }] };
      const key = `${frontend.address} . ${portKey}`;
      return {
        chains: [],
        elements: [
          { container: CONTAINERS.hostPorts, key, chain },
          ...(frontend.address.startsWith('127.') ? [{ container: CONTAINERS.loopbackPorts, key }] : []),
        ],
      };
    }
  }
}

interface Chains {
  readonly chains: readonly Chain[];
  readonly containers: readonly Container[];
}

/**
 * More than so many are drawn by one anonymous map: for each of these the kernel goes through all sets of the table to find
 * it a name, and `nft` reads all of them back at every change. Ten thousand Services with two endpoints each took 11 s of
 * processor time to load by maps, and 0.8 s by rules; one more took 76 ms, and 24 ms.
 */
const MOST_BY_RULES = 8;

/**
 * Rules that give a packet to one of these, each as likely. A packet that is inside the chain while it is replaced meets
 * the rules of before with the elements of after: the kernel reads the generation once for rules, and anew for each
 * look-up (`nft_do_chain`, `nft_genmask_cur`). So its choice by a map finds nothing. It would go on to an address that
 * nobody has, and be refused; dropped, its sender asks again. Where each has a rule nothing is looked up.
 */
function drawn<T>(
  from: readonly T[],
  make: (some: readonly T[]) => Extract<Rule, { kind: 'balance' | 'choose' }>,
): readonly Rule[] {
  if (from.length > MOST_BY_RULES) return [make(from), { kind: 'drop' }];
  return from.map((one, i) => {
    const left = from.length - i;
    return left === 1 ? make([one]) : { ...make([one]), oneIn: left };
  });
}

/** A chain of this name that sends each connection which none of the `first` rules took to one of the targets. */
function balancing(
  forwarding: Forwarding,
  name: string,
  targets: readonly Target[],
  first: readonly Rule[] = [],
): Chains {
  if (targets.length === 0)
    return { chains: [{ name, comment: describeForwarding(forwarding), rules: first }], containers: [] };
  return forwarding.affinity === undefined
    ? plainChain(forwarding, name, targets, first)
    : stickyChains(forwarding, name, targets, first, forwarding.affinity.timeoutSeconds);
}

function plainChain(forwarding: Forwarding, name: string, targets: readonly Target[], first: readonly Rule[]): Chains {
  const { protocol } = forwarding;
  const comment = describeForwarding(forwarding);
  const rules = drawn(targets, (some) => ({ kind: 'balance', protocol, targets: some }));
  return { chains: [{ name, comment, rules: [...first, ...rules] }], containers: [] };
}

/**
 * A set of clients for each endpoint, so that removing an endpoint frees exactly its clients. As kube-proxy's nftables
 * mode does.
 */
function stickyChains(
  forwarding: Forwarding,
  name: string,
  targets: readonly Target[],
  first: readonly Rule[],
  timeoutSeconds: number,
): Chains {
  const { protocol } = forwarding;
  const comment = describeForwarding(forwarding);
  const ends = targets.map((target) => ({
    target,
    chain: endpointChainName(name, target),
    set: affinitySetName(name, target, timeoutSeconds),
  }));
  return {
    containers: ends.map((e) => ({ name: e.set, kind: 'set', key: ['address'], timeoutSeconds, comment })),
    chains: [
      ...ends.map((e): Chain => ({
        name: e.chain,
        comment,
        rules: [{ kind: 'remember', protocol, set: e.set, target: e.target }],
      })),
      {
        name,
        comment,
        rules: [
          ...first,
          ...ends.map((e) => ({ kind: 'stick' as const, set: e.set, chain: e.chain })),
          ...drawn(
            ends.map((e) => e.chain),
            (some) => ({ kind: 'choose', chains: some }),
          ),
        ],
      },
    ],
  };
}

/** Several addresses may be open to the same clients: they share a chain. */
function uniqueChains(chains: readonly Chain[]): Chain[] {
  return [...new Map(chains.map((chain) => [chain.name, chain])).values()];
}

function uniqueElements(elements: readonly Element[]): Element[] {
  const byKey = new Map<string, Element>();
  for (const element of elements) {
    const key = `${element.container} ${element.key}`;
    if (!byKey.has(key)) byKey.set(key, element);
  }
  return [...byKey.values()];
}
