/** What one Service puts into the table. */
import { isIPv4 } from 'node:net';
import type { EndpointSlice, Service, ServicePort } from '../../../contracts/objects/index.ts';
import { parseRange, rangeHas } from '../routes/ipv4.ts';
import { chooseTargets } from './endpoints.ts';
import { CONTAINERS, type Chain, type Container, type Element, type Fragment, type Target, type UdpFrontend } from './model.ts';
import { affinitySetName, describePort, endpointChainName, serviceChainName, type PortIdentity } from './names.ts';

/** Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds: three hours. */
const DEFAULT_AFFINITY_SECONDS = 10_800;

export const EMPTY_FRAGMENT: Fragment = { chains: [], containers: [], elements: [], udp: [] };

/**
 * Compiles a Service and its slices. Headless Services and those that have no address yet give an empty fragment.
 * `localRange` is this node's pod range, where known: only its pods can meet themselves through a Service here.
 */
export function compileService(service: Service, slices: readonly EndpointSlice[], localRange: string | undefined): Fragment {
  const clusterIP = service.spec.clusterIP;
  if (clusterIP === undefined || !isIPv4(clusterIP)) return EMPTY_FRAGMENT;
  const parts = service.spec.ports.map((port) => compilePort(service, clusterIP, port, slices, localRange));
  return {
    chains: parts.flatMap((p) => p.chains),
    containers: parts.flatMap((p) => p.containers),
    elements: uniqueElements(parts.flatMap((p) => p.elements)),
    udp: parts.flatMap((p) => p.udp),
  };
}

function compilePort(service: Service, clusterIP: string, port: ServicePort, slices: readonly EndpointSlice[], localRange: string | undefined): Fragment {
  const id: PortIdentity = {
    namespace: service.metadata.namespace ?? 'default', service: service.metadata.name, port: port.name ?? String(port.port), protocol: port.protocol,
  };
  const targets = chooseTargets(slices, port.name ?? '', port.protocol);
  const nodePort = service.spec.type === 'NodePort' ? port.nodePort : undefined;
  const ipKey = `${clusterIP} . ${port.protocol.toLowerCase()} . ${port.port}`;
  const nodePortKey = nodePort === undefined ? undefined : `${port.protocol.toLowerCase()} . ${nodePort}`;
  const udp = port.protocol === 'UDP' ? udpFrontends(clusterIP, port.port, nodePort, targets) : [];

  if (targets.length === 0) {
    const elements: Element[] = [{ container: CONTAINERS.deadServices, key: ipKey }];
    if (nodePortKey !== undefined) elements.push({ container: CONTAINERS.deadNodePorts, key: nodePortKey });
    return { chains: [], containers: [], elements, udp };
  }

  const chain = serviceChainName(id);
  const elements: Element[] = [{ container: CONTAINERS.serviceIps, key: ipKey, chain }];
  if (nodePortKey !== undefined) elements.push({ container: CONTAINERS.nodePorts, key: nodePortKey, chain });
  const range = localRange === undefined ? undefined : parseRange(localRange);
  for (const { address } of targets) {
    if (range !== undefined && rangeHas(range, address)) elements.push({ container: CONTAINERS.hairpin, key: `${address} . ${address}` });
  }
  const seconds = service.spec.sessionAffinityConfig?.clientIP.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
  const { chains, containers } = service.spec.sessionAffinity === 'ClientIP' ? stickyChains(id, chain, targets, seconds) : plainChain(id, chain, targets);
  return { chains, containers, elements, udp };
}

function plainChain(id: PortIdentity, name: string, targets: readonly Target[]): { chains: Chain[]; containers: Container[] } {
  return { chains: [{ name, comment: describePort(id), rules: [{ kind: 'balance', protocol: id.protocol, targets }] }], containers: [] };
}

/** A set of clients for each endpoint, so that removing an endpoint frees exactly its clients. As kube-proxy's nftables mode does. */
function stickyChains(id: PortIdentity, name: string, targets: readonly Target[], timeoutSeconds: number): { chains: Chain[]; containers: Container[] } {
  const ends = targets.map((target) => ({ target, chain: endpointChainName(id, target), set: affinitySetName(id, target, timeoutSeconds) }));
  const comment = describePort(id);
  return {
    containers: ends.map((e) => ({ name: e.set, kind: 'set', key: ['ipv4_addr'], timeoutSeconds, comment })),
    chains: [
      ...ends.map((e): Chain => ({ name: e.chain, comment, rules: [{ kind: 'remember', protocol: id.protocol, set: e.set, target: e.target }] })),
      {
        name, comment,
        rules: [...ends.map((e) => ({ kind: 'stick' as const, set: e.set, chain: e.chain })), { kind: 'choose', chains: ends.map((e) => e.chain) }],
      },
    ],
  };
}

function udpFrontends(address: string, port: number, nodePort: number | undefined, targets: readonly Target[]): UdpFrontend[] {
  const endpoints = [...new Set(targets.map((t) => t.address))];
  return [{ address, port, endpoints }, ...(nodePort === undefined ? [] : [{ port: nodePort, endpoints }])];
}

function uniqueElements(elements: readonly Element[]): Element[] {
  const byKey = new Map<string, Element>();
  for (const element of elements) {
    const key = `${element.container} ${element.key}`;
    if (!byKey.has(key)) byKey.set(key, element);
  }
  return [...byKey.values()];
}
