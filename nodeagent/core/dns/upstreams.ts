/** Who is asked for names that are not the cluster's. */
import { isIPv4 } from 'node:net';
import type { ClusterSpec } from '../../../contracts/objects/index.ts';
import { CLUSTER_DNS } from '../../../contracts/agent/places.ts';
import { resolverOf, type HostResolver } from '../pod/names.ts';

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

const DNS_PORT = 53;
/** resolv.conf(5), MAXNS. */
const MOST_SERVERS = 3;

/** By the longest domain that has the name: a stub domain's, then the cluster's own choice, then the machine's. */
export interface Upstreams {
  for(name: string): readonly DnsServer[];
}

export function upstreams(dns: ClusterSpec['dns'], host: HostResolver): Upstreams {
  const stubs = new Map((dns?.stubDomains ?? []).map(({ domain, servers }) => [domain, servers.map(serverOf)]));
  const rest = dns?.servers ? dns.servers.map(serverOf) : ofMachine(host);
  return {
    for(name) {
      for (let domain = name; stubs.size > 0 && domain !== ''; domain = domain.split('.').slice(1).join('.')) {
        const servers = stubs.get(domain);
        if (servers) return servers;
      }
      return rest;
    },
  };
}

/** The machine's own, which the agent reaches also on its loopback; never this server itself. */
function ofMachine({ etc }: HostResolver): readonly DnsServer[] {
  return resolverOf(etc ?? '')
    .servers.filter((address) => isIPv4(address) && address !== CLUSTER_DNS.address)
    .slice(0, MOST_SERVERS)
    .map((address) => ({ address, port: DNS_PORT }));
}

function serverOf(text: string): DnsServer {
  const [address = '', port] = text.split(':');
  return { address, port: port === undefined ? DNS_PORT : Number(port) };
}
