/**
 * What this node knows of its own pods by looking at them, by uid. Newer than what the assignment says of them, and
 * there without a control plane.
 */
import { isOfFamily, type Family } from '../../contracts/ip.ts';
import type { PodReport } from '../../contracts/agent/index.ts';
import type { ObjectKey } from '../../contracts/objects/index.ts';

export interface LocalPod {
  /** Undefined while it has no sandbox. */
  readonly address: string | undefined;
  /** Its address of IPv6, where it has one beside. */
  readonly addressIPv6?: string | undefined;
  /** Its Ready condition. */
  readonly ready: boolean;
  /** It ended for good, or nothing of it is left here. */
  readonly over: boolean;
}

export interface LocalPods {
  /** Undefined for a pod that was not looked at yet, or is none of this node's. */
  get(uid: string): LocalPod | undefined;
}

/** A listener hears of pods whose {@link LocalPod} is another one than before. */
export interface LocalPodSource extends LocalPods {
  onChange(listener: (changed: readonly ObjectKey<'Pod'>[]) => void): () => void;
}

export const NO_LOCAL_PODS: LocalPodSource = { get: () => undefined, onChange: () => () => undefined };

export function addressOf({ address, addressIPv6 }: LocalPod, family: Family): string | undefined {
  return family === 'IPv4' ? address : addressIPv6;
}

export function localPod({ gone, status }: Pick<PodReport, 'gone' | 'status'>): LocalPod {
  const addressIPv6 = gone ? undefined : status?.podIPs?.find(({ ip }) => isOfFamily('IPv6', ip))?.ip;
  return {
    address: gone ? undefined : status?.podIP,
    ...(addressIPv6 !== undefined && { addressIPv6 }),
    ready: !gone && (status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True'),
    over: gone || status?.phase === 'Succeeded' || status?.phase === 'Failed',
  };
}
