/** What differs between the address families. */
import type { Family } from '../../../contracts/ip.ts';

/** The programs' names begin so: `iptables-restore`. */
export const PROGRAM: Readonly<Record<Family, string>> = { IPv4: 'iptables', IPv6: 'ip6tables' };

/** Addresses that never leave a machine. */
export const LOOPBACK: Readonly<Record<Family, string>> = { IPv4: '127.0.0.0/8', IPv6: '::1/128' };
