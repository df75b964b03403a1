/**
 * A pod keeps its address when it gets a new sandbox: after a reboot, or when the process that held the old one died.
 * What other nodes and clients know of the pod stays true, also while no control plane can tell them anything else.
 */
import { isIPv4 } from 'node:net';
import { cidrHas } from '../../../contracts/ip.ts';
import type { Pod } from '../../../contracts/objects/index.ts';
import { ANNOTATION } from './identity.ts';
import type { PodMemory } from './memory.ts';
import type { ObservedContainer, ObservedPod } from './observed.ts';

/**
 * A sandbox that failed so often, with a pause twice as long each time, is made with any address: a running pod is
 * worth more.
 */
const GIVEN_UP_AFTER_PAUSE_MS = 4000;

/** What the pod's next sandbox asks for: the address that its newest container knew. Undefined: any that is free. */
export function addressToKeep(pod: Pod, observed: ObservedPod, memory: PodMemory): string | undefined {
  if (pod.spec.hostNetwork || (memory.sandbox?.pauseMs ?? 0) >= GIVEN_UP_AFTER_PAUSE_MS) return undefined;
  const newest = observed.containers.reduce<ObservedContainer | undefined>(
    (last, one) => (last && last.createdAt >= one.createdAt ? last : one),
    undefined,
  );
  const address = newest?.annotations[ANNOTATION.address];
  return address !== undefined && isIPv4(address) ? address : undefined;
}

/**
 * What is wrong with addresses that a CNI plugin of the user's gave a pod; undefined where nothing is. A node is believed
 * in its own range only (reconciler/core/nodes/bounded-report.ts): from another no Service would ever lead here.
 */
export function strayAddress(addresses: readonly string[], ranges: readonly string[]): string | undefined {
  const stray = addresses.find((address) => !ranges.some((range) => cidrHas(range, address)));
  if (stray === undefined) return undefined;
  return ranges.length === 0
    ? 'this node has no range of pods yet'
    : `the CNI plugin gave the pod ${stray}, which is not in this node's range of pods (${ranges.join(', ')}): have the plugin take addresses from there, and delete the pod`;
}

/**
 * Whether a sandbox failed because of the address that was asked for: taken, or of a range that the node no longer has.
 */
export function namesAddress(failure: string, address: string): boolean {
  return failure.split(/[^\d.]+/).includes(address);
}
