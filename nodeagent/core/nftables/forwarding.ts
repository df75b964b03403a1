/**
 * The plan that everything which redirects connections is turned into: new connections to any of some frontends go to
 * one of some targets. Services and the host ports of pods make such plans; how one looks in the table is decided here
 * alone.
 */
import { parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import {
  CONTAINERS,
  type Chain,
  type Container,
  type Element,
  type Fragment,
  type Protocol,
  type Target,
  type TrackedFrontend,
} from './model.ts';
import { affinitySetName, endpointChainName } from './names.ts';

/** Where clients aim. */
export type Frontend =
  /** An address that no machine has: a Service's. */
  | { readonly at: 'service-address'; readonly address: string; readonly port: number }
  /** A port of this machine at every address but loopback. */
  | { readonly at: 'node-port'; readonly port: number }
  /**
   * A port of this machine at one address, which may be a loopback address, or without `address` at every other one.
   * Unlike the two above it is left to the machine's own processes while there is no target.
   */
  | { readonly at: 'host-port'; readonly address?: string; readonly port: number };

export interface Forwarding {
  /** Name of its chain: the same plan always has the same. */
  readonly chain: string;
  /** For people, in the chain's comment. */
  readonly comment: string;
  readonly protocol: Protocol;
  readonly frontends: readonly Frontend[];
  /** Who gets new connections, each as likely; ordered, without doubles. */
  readonly targets: readonly Target[];
  /** Addresses that may keep the connections they have; those of `targets` are among them. */
  readonly known: readonly string[];
  /** Those of `known` whose pods are gone once they are not in it any more. */
  readonly ending: readonly string[];
  /** Sends a client where it went before, as long as its pauses are shorter than this. */
  readonly affinitySeconds?: number;
}

export const EMPTY_FRAGMENT: Fragment = { chains: [], containers: [], elements: [], tracked: [] };

/**
 * What one owner's plans put into the table. `localRange` is this node's pod range, where known: only its pods can meet
 * themselves here.
 */
export function compileForwardings(plans: readonly Forwarding[], localRange: string | undefined): Fragment {
  const parts = plans.map((plan) => compileOne(plan, localRange));
  return {
    chains: parts.flatMap((p) => p.chains),
    containers: parts.flatMap((p) => p.containers),
    elements: uniqueElements(parts.flatMap((p) => p.elements)),
    tracked: parts.flatMap((p) => p.tracked),
  };
}

function compileOne(plan: Forwarding, localRange: string | undefined): Fragment {
  const tracked = plan.frontends.map((frontend) => trackedFrontend(plan, frontend));
  const elements = plan.frontends.flatMap((frontend) => frontendElements(plan, frontend));
  if (plan.targets.length === 0) return { ...EMPTY_FRAGMENT, elements, tracked };
  const range = localRange === undefined ? undefined : parseRange(localRange);
  for (const { address } of plan.targets) {
    if (range !== undefined && rangeHas(range, address))
      elements.push({ container: CONTAINERS.hairpin, key: `${address} . ${address}` });
  }
  return {
    ...(plan.affinitySeconds === undefined ? plainChain(plan) : stickyChains(plan, plan.affinitySeconds)),
    elements,
    tracked,
  };
}

function frontendElements({ chain, protocol, targets }: Forwarding, frontend: Frontend): Element[] {
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

function trackedFrontend({ protocol, targets, known, ending }: Forwarding, frontend: Frontend): TrackedFrontend {
  const endpoints = [...new Set(targets.map((t) => t.address))];
  return {
    protocol,
    ...('address' in frontend && { address: frontend.address }),
    port: frontend.port,
    endpoints,
    known,
    ending,
  };
}

function plainChain({ chain: name, comment, protocol, targets }: Forwarding): {
  chains: Chain[];
  containers: Container[];
} {
  return { chains: [{ name, comment, rules: [{ kind: 'balance', protocol, targets }] }], containers: [] };
}

/**
 * A set of clients for each endpoint, so that removing an endpoint frees exactly its clients. As kube-proxy's nftables
 * mode does.
 */
function stickyChains(
  { chain: name, comment, protocol, targets }: Forwarding,
  timeoutSeconds: number,
): { chains: Chain[]; containers: Container[] } {
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
