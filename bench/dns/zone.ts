/** The names that both servers of the benchmark know. */
import { formatAddress, parseAddress } from '../../contracts/ipv4.ts';

export const SERVER = '127.53.0.20';
export const PEER = '127.53.0.21';
export const PORT = 10_053;
const FIRST = parseAddress('198.19.128.10');

export const nameOf = (i: number): string => `service-${i}`;
export const addressOf = (i: number): string => formatAddress(FIRST + i);
export const fullName = (i: number): string => `${nameOf(i)}.default.svc.cluster.local`;

/** A zone file (RFC 1035, 5). */
export function zoneFile(count: number): string {
  const start =
    '@ 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5\n@ 5 IN NS ns.dns.cluster.local.\n';
  const records = Array.from({ length: count }, (_, i) => `${fullName(i)}. 5 IN A ${addressOf(i)}\n`);
  return `$ORIGIN cluster.local.\n${start}ns.dns 5 IN A ${PEER}\n${records.join('')}`;
}
