/** What nft calls in another way for IPv6. */
import type { Family } from '../../../contracts/ip.ts';

export interface FamilyWords {
  /** Family of the table, and what addresses of a packet are asked of: `ip saddr`. */
  readonly ip: 'ip' | 'ip6';
  readonly address: 'ipv4_addr' | 'ipv6_addr';
  readonly icmp: 'icmp' | 'icmpv6';
  /** Addresses that never leave a machine. */
  readonly loopback: string;
}

export const FAMILY_WORDS: Readonly<Record<Family, FamilyWords>> = {
  IPv4: { ip: 'ip', address: 'ipv4_addr', icmp: 'icmp', loopback: '127.0.0.0/8' },
  IPv6: { ip: 'ip6', address: 'ipv6_addr', icmp: 'icmpv6', loopback: '::1' },
};
