/** What one owner's forwardings look like in the table: chains, sets of clients, and elements of the table's maps. */
import { describeForwarding, type Forwarding, type Frontend } from '../data-plane/plan.ts';
import { CONTAINERS, type Chain, type Container, type Element, type Fragment } from './model.ts';
import { affinitySetName, endpointChainName, forwardingChainName } from './names.ts';

/** The same forwardings always give the same fragment. */
export function compileForwardings(forwardings: readonly Forwarding[]): Fragment {
  const parts = forwardings.map(compileOne);
  return {
    chains: parts.flatMap((p) => p.chains),
    containers: parts.flatMap((p) => p.containers),
    elements: uniqueElements(parts.flatMap((p) => p.elements)),
  };
}

function compileOne(forwarding: Forwarding): Fragment {
  const chain = forwardingChainName(forwarding);
  const elements = forwarding.frontends.flatMap((frontend) => frontendElements(forwarding, chain, frontend));
  if (forwarding.targets.length === 0) return { chains: [], containers: [], elements };
  const hairpins = forwarding.localTargets.map((address) => ({
    container: CONTAINERS.hairpin,
    key: `${address} . ${address}`,
  }));
  return {
    ...(forwarding.affinity === undefined
      ? plainChain(forwarding, chain)
      : stickyChains(forwarding, chain, forwarding.affinity.timeoutSeconds)),
    elements: [...elements, ...hairpins],
  };
}

function frontendElements({ protocol, targets }: Forwarding, chain: string, frontend: Frontend): Element[] {
  const portKey = `${protocol.toLowerCase()} . ${frontend.port}`;
  const dead = targets.length === 0;
  switch (frontend.at) {
    case 'service-address': {
      const key = `${frontend.address} . ${portKey}`;
      return [dead ? { container: CONTAINERS.deadServices, key } : { container: CONTAINERS.serviceIps, key, chain }];
    }
    case 'node-port':
      return [
        dead
          ? { container: CONTAINERS.deadNodePorts, key: portKey }
          : { container: CONTAINERS.nodePorts, key: portKey, chain },
      ];
    case 'host-port': {
      if (dead) return [];
      if (frontend.address === undefined) return [{ container: CONTAINERS.hostPortsAnywhere, key: portKey, chain }];
      const key = `${frontend.address} . ${portKey}`;
      return [
        { container: CONTAINERS.hostPorts, key, chain },
        ...(frontend.address.startsWith('127.') ? [{ container: CONTAINERS.loopbackPorts, key }] : []),
      ];
    }
  }
}

function plainChain(forwarding: Forwarding, name: string): { chains: Chain[]; containers: Container[] } {
  const { protocol, targets } = forwarding;
  const comment = describeForwarding(forwarding);
  return { chains: [{ name, comment, rules: [{ kind: 'balance', protocol, targets }] }], containers: [] };
}

/**
 * A set of clients for each endpoint, so that removing an endpoint frees exactly its clients. As kube-proxy's nftables
 * mode does.
 */
function stickyChains(
  forwarding: Forwarding,
  name: string,
  timeoutSeconds: number,
): { chains: Chain[]; containers: Container[] } {
  const { protocol, targets } = forwarding;
  const comment = describeForwarding(forwarding);
  const ends = targets.map((target) => ({
    target,
    chain: endpointChainName(name, target),
    set: affinitySetName(name, target, timeoutSeconds),
  }));
  return {
    containers: ends.map((e) => ({ name: e.set, kind: 'set', key: ['ipv4_addr'], timeoutSeconds, comment })),
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
          ...ends.map((e) => ({ kind: 'stick' as const, set: e.set, chain: e.chain })),
          { kind: 'choose', chains: ends.map((e) => e.chain) },
        ],
      },
    ],
  };
}

function uniqueElements(elements: readonly Element[]): Element[] {
  const byKey = new Map<string, Element>();
  for (const element of elements) {
    const key = `${element.container} ${element.key}`;
    if (!byKey.has(key)) byKey.set(key, element);
  }
  return [...byKey.values()];
}
