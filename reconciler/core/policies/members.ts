/** Who is in a group. */
import { portsNamed, type PeerGroup, type PeerMember, type StoredPod } from '../../../contracts/objects/index.ts';
import { isFinished } from '../workloads/pod-state.ts';

/**
 * What others are told of a pod that the group's selectors want. Undefined for one without an address, one that has
 * ended, one in its machine's network (its address is the machine's), and where a port's name matters for one that has
 * no such port. One that terminates is in it until it has ended.
 */
export function peerMember(pod: StoredPod, { port }: Pick<PeerGroup, 'port'>): PeerMember | undefined {
  const address = pod.status?.podIP;
  if (address === undefined || pod.spec.hostNetwork === true || isFinished(pod)) return undefined;
  const { uid } = pod.metadata;
  const second = pod.status?.podIPs?.[1]?.ip;
  const own = { address, ...(second !== undefined && { addressIPv6: second }) };
  if (!port) return { ...own, uid };
  const ports = portsNamed(pod, port);
  return ports.length === 0 ? undefined : { ...own, ports, uid };
}
