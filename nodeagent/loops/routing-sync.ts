/** Keeps routes, the overlay device and the CNI configuration at the assignment. */
import type { AssignmentView } from '../core/assignment.ts';
import { mapsPorts, renderConflist, wantsHostPort } from '../core/cni/conflist.ts';
import { localPodRange, networkSettings } from '../core/nftables/compile.ts';
import { diffRouting } from '../core/routes/diff.ts';
import type { WantedRouting } from '../core/routes/model.ts';
import { wantRouting } from '../core/routes/want.ts';
import type { CniConfigFile } from '../ports/cni-config.ts';
import type { Routing } from '../ports/routing.ts';
import type { NetworkLog } from './network-log.ts';

/** Looks at the machine, compares, and changes what differs. Answers with what is in force. */
export async function syncRouting(view: AssignmentView, routing: Routing, log: NetworkLog, signal: AbortSignal): Promise<WantedRouting> {
  const input = { node: view.node, nodes: view.list('Node'), network: networkSettings(view) };
  // Which settings matter does not depend on the links, which only a look at the machine tells.
  const first = await routing.inspect([], signal);
  const wanted = wantRouting({ ...input, links: first.links });
  const present = await routing.inspect(Object.keys(wanted.sysctls), signal);
  const steps = diffRouting(wanted, present);
  if (steps.length > 0) {
    log('info', 'routes changed', { steps: steps.length });
    await routing.apply(steps, signal);
  }
  return wanted;
}

/**
 * Writes the CNI configuration where it differs. A node without a pod range keeps what is there. Answers with what keeps a pod from
 * having what it asks for; undefined when all is well.
 */
export async function syncCni(view: AssignmentView, cni: CniConfigFile, podMtu: number, log: NetworkLog, signal: AbortSignal): Promise<string | undefined> {
  const podRange = localPodRange(view);
  if (podRange === undefined) return undefined;
  const present = await cni.read(signal);
  const wanted = view.list('Pod').some(wantsHostPort);
  const possible = wanted || mapsPorts(present) ? await cni.canMapPorts(signal) : false;
  const text = renderConflist({ podRange, mtu: podMtu, dataDir: cni.dataDir, mapPorts: possible });
  if (text !== present) {
    await cni.write(text, signal);
    log('info', 'CNI configuration written', { podRange, mtu: podMtu, hostPorts: possible });
  }
  return wanted && !possible ? 'hostPort of pods has no effect: the portmap plugin needs iptables, which is not installed' : undefined;
}

/** What of the assignment routing and CNI depend on, as text that changes when they may have to. */
export function routingDigest(view: AssignmentView): string {
  const nodes = view.list('Node').map((node) => [node.metadata.name, node.spec.podCIDR, node.status?.addresses]);
  return JSON.stringify([view.node, networkSettings(view), nodes, view.list('Pod').some(wantsHostPort)]);
}
