/** Which endpoints a Service port sends connections to. */
import { isIPv4 } from 'node:net';
import type { Endpoint, EndpointSlice } from '../../../contracts/objects/index.ts';
import { parseAddress, parseRange, rangeHas } from '../../../contracts/ipv4.ts';
import type { Protocol, Target } from './plan.ts';

/**
 * The targets of one Service port over all its slices, without doubles, ordered by address and port. Ready endpoints;
 * where there is none, those that terminate but still serve, so that the last pods of a Service answer until they are
 * gone (KEP-1669, proxy terminating endpoints).
 */
export function chooseTargets(slices: readonly EndpointSlice[], portName: string, protocol: Protocol): Target[] {
  const ready = collect(slices, portName, protocol, (e) => e.conditions.ready);
  return ready.length > 0
    ? ready
    : collect(slices, portName, protocol, (e) => e.conditions.serving && e.conditions.terminating);
}

function collect(
  slices: readonly EndpointSlice[],
  portName: string,
  protocol: Protocol,
  wanted: (endpoint: Endpoint) => boolean,
): Target[] {
  const found = new Map<string, Target>();
  for (const slice of slices) {
    const ports = slice.ports.filter((p) => p.name === portName && p.protocol === protocol);
    if (ports.length === 0) continue;
    for (const endpoint of slice.endpoints) {
      // The first address stands for the endpoint: the others are the same pod (discovery.k8s.io/v1,
      // Endpoint.addresses).
      const address = endpoint.addresses[0];
      if (address === undefined || !isIPv4(address) || !wanted(endpoint)) continue;
      for (const { port } of ports) found.set(`${address}:${port}`, { address, port });
    }
  }
  return [...found.values()].sort((a, b) => parseAddress(a.address) - parseAddress(b.address) || a.port - b.port);
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
  const range = parseRange(localRange);
  const local = targets.flatMap(({ address }) => (rangeHas(range, address) ? [address] : []));
  return [...new Set(local)];
}
