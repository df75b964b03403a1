/** Keeps routes, the overlay device and the CNI configuration at the assignment. */
import type { Kind } from '../../contracts/objects/identity.ts';
import type { AssignmentView } from '../core/assignment.ts';
import { mapsPorts, renderConflist } from '../core/cni/conflist.ts';
import { localPodRange, networkSettings } from '../core/data-plane/network.ts';
import { diffRouting } from '../core/routes/diff.ts';
import type { WantedRouting } from '../core/routes/model.ts';
import { wantRouting } from '../core/routes/want.ts';
import type { CniConfigFile } from '../ports/cni-config.ts';
import type { Routing } from '../ports/routing.ts';
import type { NetworkLog } from './network-log.ts';

/**
 * Looks at the machine, compares, and changes what differs. Answers with what is in force. `guardOverlay` is told the
 * overlay's UDP port: before there is a device that listens there, and undefined when there is none any more.
 */
export async function syncRouting(
  view: AssignmentView,
  routing: Routing,
  guardOverlay: (port: number | undefined) => Promise<void>,
  log: NetworkLog,
  signal: AbortSignal,
): Promise<WantedRouting> {
  const input = { node: view.node, nodes: view.list('Node'), network: networkSettings(view) };
  // Which settings matter does not depend on the links, which only a look at the machine tells.
  const first = await routing.inspect([], signal);
  const wanted = wantRouting({ ...input, links: first.links });
  const present = await routing.inspect(Object.keys(wanted.sysctls), signal);
  const steps = diffRouting(wanted, present);
  if (wanted.vxlan) await guardOverlay(wanted.vxlan.device.port);
  if (steps.length > 0) {
    log('info', 'routes changed', { steps: steps.length });
    await routing.apply(steps, signal);
  }
  if (!wanted.vxlan) await guardOverlay(undefined);
  return wanted;
}

/** Writes the CNI configuration where it differs. A node without a pod range keeps what is there. */
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
  const text = renderConflist({ podRange, mtu: podMtu, dataDir: cni.dataDir });
  if (text === present) return;
  // First, as the file is what tells that there may be something to remove.
  if (mapsPorts(present)) await cni.removePortMappings(signal);
  await cni.write(text, signal);
  log('info', 'CNI configuration written', { podRange, mtu: podMtu });
}

/** What of the assignment routing and CNI depend on, as text that changes when they may have to. */
export function routingDigest(view: AssignmentView): string {
  const nodes = view.list('Node').map((node) => [node.metadata.name, node.spec.podCIDR, node.status?.addresses]);
  return JSON.stringify([view.node, networkSettings(view), nodes]);
}

/** Whether a change to an object of this kind may change {@link routingDigest}. */
export function concernsRouting(kind: Kind): boolean {
  return kind === 'Node' || kind === 'Cluster';
}
