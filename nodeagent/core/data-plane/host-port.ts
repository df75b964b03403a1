/** What one pod of this node asks of the packet filter: ports of the machine that lead to its containers. */
import { isOfFamily, type Family } from '../../../contracts/ip.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import { lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import { addressOf, type LocalPod } from '../local-pods.ts';
import { localAddresses } from './endpoints.ts';
import type { Forwarding, Frontend } from './plan.ts';

/** Of IPv6 none is led anywhere. */
const LOOPBACK: Readonly<Record<Family, readonly string[]>> = { IPv4: ['127.0.0.1'], IPv6: [] };
const ANYWHERE: Readonly<Record<Family, string>> = { IPv4: '0.0.0.0', IPv6: '::' };

/** Of the node that the plan is for, in one family. */
export interface HostScene {
  readonly family: Family;
  /** Where other nodes reach it. */
  readonly address: string | undefined;
  readonly localRange: string | undefined;
}

/**
 * One forwarding for each container port with a `hostPort`, from the moment the pod has an address until its sandbox is gone,
 * ready or not, as in Kubernetes. Without a `hostIP` the port is that of every address of the machine, of either family. Pods in the
 * machine's own network have their ports without help.
 */
export function planHostPorts(
  pod: Pod,
  local: LocalPod | undefined,
  { family, address: ownAddress, localRange }: HostScene,
): Forwarding[] {
  const address = local && addressOf(local, family);
  if (pod.spec.hostNetwork || local?.over !== false || address === undefined || !isOfFamily(family, address)) return [];
  const namespace = pod.metadata.namespace ?? 'default';
  const { name } = pod.metadata;
  return lastingContainers(pod.spec)
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ hostPort, hostIP = ANYWHERE[family], containerPort, protocol }): Forwarding[] => {
      if (hostPort === undefined || !isOfFamily(family, hostIP)) return [];
      const targets = [{ address, port: containerPort }];
      return [
        {
          origin: { of: 'host-port', namespace, pod: name, hostIP, hostPort, containerPort },
          protocol,
          frontends: frontendsOf(hostIP, hostPort, family, ownAddress),
          targets,
          localTargets: localAddresses(targets, localRange),
          known: [address],
          ending: [address],
        },
      ];
    });
}

/**
 * Addresses that are known are named beside "everywhere": only flows to a named address are found that began before the
 * pod did.
 */
function frontendsOf(hostIP: string, port: number, family: Family, ownAddress: string | undefined): Frontend[] {
  if (hostIP !== ANYWHERE[family]) return [{ at: 'host-port', address: hostIP, port }];
  const named = [...new Set([...LOOPBACK[family], ...(ownAddress === undefined ? [] : [ownAddress])])];
  return [{ at: 'host-port', port }, ...named.map((address): Frontend => ({ at: 'host-port', address, port }))];
}
