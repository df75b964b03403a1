/** Reads what `ipvsadm -L -n` and `ip route show table N` say. */
import { isOfFamily, type Family } from '../../../contracts/ip.ts';
import { serverKey, type ServerKey, type VirtualServer } from './model.ts';

export interface LiveServer extends VirtualServer {
  /** Connections that it knows. */
  readonly connections: number;
}

const SERVER = /^(TCP|UDP|SCTP)\s+(\S+):(\d+) (\S+)(?:.*? persistent (\d+))?/;
const TARGET = /^\s+-> (\S+):(\d+)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\d+)/;

/** All of that family but those by firewall mark, whoever made them. */
export function readServers(listing: string, family: Family): ReadonlyMap<ServerKey, LiveServer> {
  const servers = new Map<ServerKey, LiveServer>();
  let open: { readonly targets: Map<string, number>; server: Omit<LiveServer, 'targets'> } | undefined;
  const close = (): void => {
    if (open && isOfFamily(family, open.server.address))
      servers.set(serverKey(open.server), { ...open.server, targets: open.targets });
    open = undefined;
  };
  for (const line of listing.split('\n')) {
    const [, protocol, host = '', port, scheduler = '', persistent] = SERVER.exec(line) ?? [];
    if (isProtocol(protocol)) {
      close();
      open = {
        targets: new Map(),
        server: {
          protocol,
          address: bare(host),
          port: Number(port),
          scheduler,
          ...(persistent !== undefined && { persistentSeconds: Number(persistent) }),
          connections: 0,
        },
      };
      continue;
    }
    const [, to = '', toPort, , weight, active, inactive] = TARGET.exec(line) ?? [];
    if (toPort === undefined) {
      if (/^\S/.test(line)) close();
      continue;
    }
    open?.targets.set(`${bare(to)} ${toPort}`, Number(weight));
    if (open)
      open.server = { ...open.server, connections: open.server.connections + Number(active) + Number(inactive) };
  }
  close();
  return servers;
}

function isProtocol(word: string | undefined): word is LiveServer['protocol'] {
  return word === 'TCP' || word === 'UDP' || word === 'SCTP';
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

/** Addresses that a listing of a routing table takes for the machine's own. */
export function readLocalRoutes(listing: string): ReadonlySet<string> {
  return new Set(
    listing.split('\n').flatMap((line) => /^local (\S+)/.exec(line)?.[1]?.replace(/\/(?:32|128)$/, '') ?? []),
  );
}
