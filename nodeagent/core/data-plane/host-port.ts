/** What one pod of this node asks of the packet filter: ports of the machine that lead to its containers. */
import { isIPv4 } from 'node:net';
import type { Pod } from '../../../contracts/objects/index.ts';
import { lastingContainers } from '../../../contracts/objects/pod-containers.ts';
import type { LocalPod } from '../local-pods.ts';
import { localAddresses } from './endpoints.ts';
import type { Forwarding, Frontend } from './plan.ts';

const LOOPBACK = '127.0.0.1';
const ANYWHERE = '0.0.0.0';

/**
 * One forwarding for each container port with a `hostPort`, from the moment the pod has an address until its sandbox is gone,
 * ready or not, as in Kubernetes. Without a `hostIP` the port is that of every address of the machine. Pods in the
 * machine's own network have their ports without help. `ownAddress` is where other nodes reach this one.
 */
export function planHostPorts(
  pod: Pod,
  local: LocalPod | undefined,
  ownAddress: string | undefined,
  localRange: string | undefined,
): Forwarding[] {
  const address = local?.address;
  if (pod.spec.hostNetwork || local?.over !== false || address === undefined || !isIPv4(address)) return [];
  const namespace = pod.metadata.namespace ?? 'default';
  const { name } = pod.metadata;
  return lastingContainers(pod.spec)
    .flatMap((container) => container.ports ?? [])
    .flatMap(({ hostPort, hostIP = ANYWHERE, containerPort, protocol }): Forwarding[] => {
      if (hostPort === undefined) return [];
      const targets = [{ address, port: containerPort }];
      return [
        {
          origin: { of: 'host-port', namespace, pod: name, hostIP, hostPort, containerPort },
          protocol,
          frontends: frontendsOf(hostIP, hostPort, ownAddress),
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
function frontendsOf(hostIP: string, port: number, ownAddress: string | undefined): Frontend[] {
  if (hostIP !== ANYWHERE) return [{ at: 'host-port', address: hostIP, port }];
  const named = [...new Set([LOOPBACK, ...(ownAddress === undefined ? [] : [ownAddress])])];
  return [{ at: 'host-port', port }, ...named.map((address): Frontend => ({ at: 'host-port', address, port }))];
}
