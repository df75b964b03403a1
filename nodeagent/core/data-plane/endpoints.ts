/** Which endpoints a Service port sends connections to. Source of the rules: Kubernetes pkg/proxy/topology.go. */
import type { Endpoint, EndpointSlice } from '../../../contracts/objects/index.ts';
import { cidrHas, compareAddresses, familyOf } from '../../../contracts/ip.ts';
import type { Protocol, Target } from './plan.ts';

/** From where connections begin: a node, and its zone, empty where it has none. */
export interface Vantage {
  readonly node: string;
  readonly zone: string;
}

/** Targets of one Service port: without doubles, ordered by address and port. */
export interface Choice {
  /** By the traffic policy `Cluster`. */
  readonly cluster: readonly Target[];
  /** By the traffic policy `Local`. */
  readonly local: readonly Target[];
  /** Whether there is an endpoint that serves, on whatever node. */
  readonly any: boolean;
}

interface Candidate extends Target {
  readonly endpoint: Endpoint;
}

/**
 * `Cluster`: ready endpoints, of them the near ones where all have hints and some are for this node or zone; `Local`:
 * ready ones of this node. Each by itself falls back on those that terminate but still serve, so that the last pods of a
 * Service answer until they are gone (KEP-1669).
 */
export function chooseTargets(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: Protocol,
  at: Vantage,
): Choice {
  const all = candidates(slices, portName, protocol);
  const ready = all.filter(({ endpoint }) => endpoint.conditions.ready);
  const lasting = all.filter(({ endpoint: { conditions } }) => conditions.serving && conditions.terminating);
  const isLocal = ({ endpoint }: Candidate): boolean => endpoint.nodeName === at.node;
  const here = ready.filter(isLocal);
  return {
    cluster: targetsOf(ready.length > 0 ? near(ready, at) : lasting),
    local: targetsOf(here.length > 0 ? here : lasting.filter(isLocal)),
    any: ready.length > 0 || lasting.length > 0,
  };
}

function candidates(slices: readonly EndpointSlice[], portName: string, protocol: Protocol): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    const ports = slice.ports.filter((p) => p.name === portName && p.protocol === protocol);
    if (ports.length === 0) continue;
    for (const endpoint of slice.endpoints) {
      // The first address stands for the endpoint: the others are the same pod (discovery.k8s.io/v1,
      // Endpoint.addresses).
      const address = endpoint.addresses[0];
      if (address === undefined || familyOf(address) !== slice.addressType) continue;
      for (const { port } of ports) {
        const key = `${address}:${port}`;
        const before = found.get(key)?.endpoint.conditions;
        // An address that is listed twice, as while a pod moves from slice to slice, is as good as its better entry.
        if (!before?.ready) found.set(key, { address, port, endpoint });
      }
    }
  }
  return [...found.values()];
}

/** Those that are hinted for this node, else for its zone, where every one has such a hint; all of them otherwise. */
function near(ready: readonly Candidate[], { node, zone }: Vantage): readonly Candidate[] {
  for (const [hintsOf, name] of [
    [({ endpoint }: Candidate) => endpoint.hints?.forNodes ?? [], node],
    [({ endpoint }: Candidate) => endpoint.hints?.forZones ?? [], zone],
  ] as const) {
    if (ready.some((candidate) => hintsOf(candidate).length === 0)) continue;
    const hinted = ready.filter((candidate) => hintsOf(candidate).some((hint) => hint.name === name));
    if (hinted.length > 0) return hinted;
  }
  return ready;
}

function targetsOf(some: readonly Candidate[]): readonly Target[] {
  return some
    .map(({ address, port }) => ({ address, port }))
    .sort((a, b) => compareAddresses(a.address, b.address) || a.port - b.port);
}

/** First addresses of the wanted endpoints of all ports: ordered, without doubles. */
export function endpointAddresses(slices: readonly EndpointSlice[], wanted: (endpoint: Endpoint) => boolean): string[] {
  const addresses = slices.flatMap((slice) =>
    slice.endpoints.filter(wanted).flatMap((endpoint) => endpoint.addresses.slice(0, 1)),
  );
  return [...new Set(addresses)].sort();
}

/** Addresses of the targets that are in this node's pod range, without doubles; none while it has no range. */
export function localAddresses(targets: readonly Target[], localRange: string | undefined): readonly string[] {
  if (localRange === undefined) return [];
  const local = targets.flatMap(({ address }) => (cidrHas(localRange, address) ? [address] : []));
  return [...new Set(local)];
}
