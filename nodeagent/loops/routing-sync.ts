/** Keeps routes, the overlay device and the CNI configuration at the assignment. */
import { clusterFamilies } from '../../contracts/objects/network-families.ts';
import type { Kind } from '../../contracts/objects/identity.ts';
import type { AssignmentView } from '../core/assignment.ts';
import { mapsPorts, renderConflist } from '../core/cni/conflist.ts';
import { isPodNetworkForeign, localPodRange, networkSettings } from '../core/data-plane/network.ts';
import { ownProxyAddress } from '../core/data-plane/policy/proxy-peer.ts';
import { diffRouting, releaseSteps } from '../core/routes/diff.ts';
import type { WantedRouting } from '../core/routes/model.ts';
import { ownAddressRoutes, wantRouting } from '../core/routes/want.ts';
import type { CniConfigFile } from '../ports/cni-config.ts';
import type { Routing } from '../ports/routing.ts';
import type { NetworkLog } from './network-log.ts';

export interface RoutingListeners {
  /** Told the UDP port of VXLAN before there is a device that listens there, and undefined when there is none any more. */
  readonly guardOverlay: (port: number | undefined) => Promise<void>;
  readonly onWireGuardKey: ((publicKey: string) => void) | undefined;
}

/**
 * Looks at the machine, compares, and changes what differs. Answers with what is in force. Rejects where it is to have
 * WireGuard and cannot, once the ways to other nodes are shut: nothing is sent in the clear instead.
 */
export async function syncRouting(
  view: AssignmentView,
  held: readonly string[],
  routing: Routing,
  { guardOverlay, onWireGuardKey }: RoutingListeners,
  log: NetworkLog,
  signal: AbortSignal,
): Promise<WantedRouting> {
  const input = { node: view.node, nodes: view.list('Node'), network: networkSettings(view), held };
  // Which settings matter does not depend on the links, which only a look at the machine tells.
  const families = clusterFamilies(input.network);
  const tunnel =
    input.network.overlay === 'wireguard' && localPodRange(view) !== undefined
      ? await routing.prepareWireGuard(signal)
      : undefined;
  const hasWireGuard = tunnel !== undefined && tunnel.problem === undefined;
  if (hasWireGuard) onWireGuardKey?.(tunnel.publicKey);
  const first = await routing.inspect([], signal, families);
  const wanted = wantRouting({ ...input, links: first.links, hasWireGuard });
  const present = await routing.inspect(Object.keys(wanted.sysctls), signal, families);
  const steps = diffRouting(wanted, present);
  if (wanted.vxlan) await guardOverlay(wanted.vxlan.device.port);
  if (steps.length > 0) {
    log('info', 'routes changed', { steps: steps.length });
    await routing.apply(steps, signal);
  }
  if (!wanted.vxlan) await guardOverlay(undefined);
  if (tunnel?.problem !== undefined) throw new Error(tunnel.problem);
  return wanted;
}

/**
 * Takes from the machine the addresses of load balancers that are not in `held`: before the packet filter forgets them,
 * as what guards an address goes with its Service.
 */
export async function releaseAddresses(
  held: readonly string[],
  routing: Routing,
  log: NetworkLog,
  signal: AbortSignal,
): Promise<void> {
  const { routes } = await routing.inspect([], signal);
  const steps = releaseSteps(ownAddressRoutes(held), routes);
  if (steps.length === 0) return;
  log('info', 'addresses released', { steps: steps.length });
  await routing.apply(steps, signal);
}

/**
 * Writes the CNI configuration where it differs; removes it where pods' network is a plugin's of the user's, whose own file
 * the runtime is then left with. A node without a pod range keeps what is there.
 */
export async function syncCni(
  view: AssignmentView,
  cni: CniConfigFile,
  podMtu: number,
  log: NetworkLog,
  signal: AbortSignal,
): Promise<void> {
  const podRange = localPodRange(view);
  if (podRange === undefined) return;
  const present = await cni.read(signal);
  if (isPodNetworkForeign(view)) {
    if (present === undefined) return;
    if (mapsPorts(present)) await cni.removePortMappings(signal);
    await cni.remove(signal);
    log('info', 'CNI configuration removed: the network of pods is that of a CNI plugin of yours');
    return;
  }
  const text = renderConflist({
    podRange,
    podRangeIPv6: localPodRange(view, 'IPv6'),
    mtu: podMtu,
    dataDir: cni.dataDir,
  });
  if (text === present) return;
  // First, as the file is what tells that there may be something to remove.
  if (mapsPorts(present)) await cni.removePortMappings(signal);
  await cni.write(text, signal);
  log('info', 'CNI configuration written', { podRange, mtu: podMtu });
}

/** Addresses that the machine has without a device: those of load balancers that it holds, and its proxy's. */
export function withProxy(view: AssignmentView, held: readonly string[]): readonly string[] {
  const own = ownProxyAddress(view);
  return own === undefined ? held : [...held, own];
}

/** What of the assignment routing and CNI depend on, as text that changes when they may have to. */
export function routingDigest(view: AssignmentView): string {
  const nodes = view
    .list('Node')
    .map((node) => [node.metadata.name, node.spec.podCIDR, node.status?.addresses, node.status?.wireguard?.publicKey]);
  return JSON.stringify([view.node, networkSettings(view), nodes, ownProxyAddress(view)]);
}

/** Whether a change to an object of this kind may change {@link routingDigest}. */
export function concernsRouting(kind: Kind): boolean {
  return kind === 'Node' || kind === 'Cluster' || kind === 'ProxyConfig';
}
