/**
 * Pods of a plugin of the user's that are on a bridge. What a bridge passes on between two of its own ports meets the machine's
 * rules only where `br_netfilter` leads it there. Source: kernel, net/bridge/br_netfilter_hooks.c and
 * Documentation/networking/ip-sysctl.rst, "/proc/sys/net/bridge".
 */
import { cidrHas, FAMILIES, type Family } from '../../../contracts/ip.ts';

export interface Bridge {
  readonly name: string;
  /** Of both families, without their lengths. */
  readonly addresses: readonly string[];
  /** Families of which what goes from one of its ports to another meets the machine's rules. */
  readonly ruled: readonly Family[];
}

const SETTINGS: Readonly<Record<Family, string>> = {
  IPv4: 'net.bridge.bridge-nf-call-iptables',
  IPv6: 'net.bridge.bridge-nf-call-ip6tables',
};

/** What does not hold between pods of one node, and what to do; nothing where all holds. A bridge with an address of a pod range is one of pods. */
export function bridgeWarnings(
  bridges: readonly Bridge[],
  podRange: (family: Family) => string | undefined,
): readonly string[] {
  return FAMILIES.flatMap((family) => {
    const range = podRange(family);
    if (range === undefined) return [];
    return bridges
      .filter(({ addresses, ruled }) => !ruled.includes(family) && addresses.some((address) => cidrHas(range, address)))
      .map(
        ({ name }) =>
          `pods are on the bridge ${name}, and what it passes on from one of them to another does not meet this machine's rules: Services and policies do not hold between pods of this node. Set ${SETTINGS[family]} to 1: modprobe br_netfilter; sysctl -w ${SETTINGS[family]}=1`,
      );
  });
}
