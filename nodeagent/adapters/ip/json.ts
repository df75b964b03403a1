/**
 * Parses iproute2's JSON once, at the boundary. By hand, not by schema: the validator would cost the agent a fifth of
 * its memory. Fields that we do not use are ignored; a field that we do use and that is of another type throws
 * TypeError with its name.
 */
import { FAMILIES, type Family } from '../../../contracts/ip.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import type { Bridge } from '../../core/cni/bridges.ts';
import { ROUTE_METRIC, type Link, type PresentVxlan, type Route } from '../../core/routes/model.ts';

type Fields = Readonly<Record<string, unknown>>;

function listOf(value: unknown, name: string): readonly Fields[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} is no list`);
  return value.map((one: unknown) => fieldsOf(one, name));
}
function fieldsOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null) throw new TypeError(`${name} is no object`);
  return value as Fields;
}
function optionalText(from: Fields, name: string): string | undefined {
  const value = readKey(from, name);
  if (value === undefined || typeof value === 'string') return value;
  throw new TypeError(`${name} is no text`);
}
function text(from: Fields, name: string): string {
  const value = optionalText(from, name);
  if (value === undefined) throw new TypeError(`${name} is missing`);
  return value;
}
function optionalInt(from: Fields, name: string): number | undefined {
  const value = readKey(from, name);
  if (value === undefined || (typeof value === 'number' && Number.isInteger(value))) return value;
  throw new TypeError(`${name} is no integer`);
}
function int(from: Fields, name: string): number {
  const value = optionalInt(from, name);
  if (value === undefined) throw new TypeError(`${name} is missing`);
  return value;
}
/** Texts of a list; other things in it are left out. */
function texts(from: Fields, name: string): readonly string[] {
  const value = readKey(from, name) ?? [];
  if (!Array.isArray(value)) throw new TypeError(`${name} is no list`);
  return value.filter((one): one is string => typeof one === 'string');
}

export function parseLinks(value: unknown): Link[] {
  return listOf(value, 'links').map((link) => ({
    name: text(link, 'ifname'),
    up: texts(link, 'flags').includes('UP'),
    mtu: int(link, 'mtu'),
    addresses: addressesOf(link, ({ family }) => family === 'inet'),
    ...secondAddresses(link),
  }));
}

/** Paths under /proc/sys of what has packets between ports of any bridge meet the machine's rules. */
export const BRIDGE_SETTINGS: Readonly<Record<Family, string>> = {
  IPv4: 'net/bridge/bridge-nf-call-iptables',
  IPv6: 'net/bridge/bridge-nf-call-ip6tables',
};
/** The same of one bridge, as iproute2 names it. */
const OWN_SETTINGS: Readonly<Record<Family, string>> = { IPv4: 'nf_call_iptables', IPv6: 'nf_call_ip6tables' };

/** Of `ip -d address show type bridge`. `settings`: those of {@link BRIDGE_SETTINGS} that are there: none without `br_netfilter`. */
export function parseBridges(value: unknown, settings: Readonly<Record<string, string>>): Bridge[] {
  return listOf(value, 'links').map((link) => {
    const details = fieldsOf(
      readKey(fieldsOf(readKey(link, 'linkinfo') ?? {}, 'linkinfo'), 'info_data') ?? {},
      'info_data',
    );
    return {
      name: text(link, 'ifname'),
      addresses: addressesOf(link, ({ scope }) => scope === 'global').map(({ address }) => address),
      ruled: FAMILIES.filter((family) => {
        const ofAll = readKey(settings, BRIDGE_SETTINGS[family]);
        return ofAll !== undefined && (ofAll !== '0' || optionalInt(details, OWN_SETTINGS[family]) === 1);
      }),
    };
  });
}

function secondAddresses(link: Fields): Pick<Link, 'addressesIPv6'> {
  const addressesIPv6 = addressesOf(link, ({ family, scope }) => family === 'inet6' && scope === 'global');
  return addressesIPv6.length > 0 ? { addressesIPv6 } : {};
}

function addressesOf(link: Fields, isMeant: (info: Fields) => boolean): Link['addresses'] {
  return listOf(link['addr_info'] ?? [], 'addr_info').flatMap((info) => {
    const address = optionalText(info, 'local');
    const prefixLength = optionalInt(info, 'prefixlen');
    return isMeant(info) && address !== undefined && prefixLength !== undefined ? [{ address, prefixLength }] : [];
  });
}

/** Routes of a type that we never make are left out. */
export function parseRoutes(value: unknown): Route[] {
  return listOf(value, 'routes').flatMap((route) => {
    const type = optionalText(route, 'type') ?? 'unicast';
    if (type !== 'unicast' && type !== 'blackhole' && type !== 'local') return [];
    if (optionalInt(route, 'metric') !== ROUTE_METRIC) return [];
    const destination = text(route, 'dst');
    const via = optionalText(route, 'gateway');
    // Of IPv6, one that leads nowhere is listed with `lo`.
    const device = type === 'blackhole' ? undefined : optionalText(route, 'dev');
    const source = optionalText(route, 'prefsrc');
    const mtu = listOf(route['metrics'] ?? [], 'metrics')
      .map((metrics) => optionalInt(metrics, 'mtu'))
      .find((one) => one !== undefined);
    return [
      {
        destination: destination.includes('/') ? destination : `${destination}/${destination.includes(':') ? 128 : 32}`,
        type,
        ...(via !== undefined && { via }),
        ...(device !== undefined && { device }),
        ...(texts(route, 'flags').includes('onlink') && { onlink: true }),
        ...(source !== undefined && { source }),
        ...(mtu !== undefined && { mtu }),
      },
    ];
  });
}

/** A device of our name that is no VXLAN device comes back with id 0, so that it is replaced. */
export function parseVxlan(
  value: unknown,
  link: Link,
  forwarding: PresentVxlan['forwarding'],
  neighbours: PresentVxlan['neighbours'],
): PresentVxlan | undefined {
  const [device] = listOf(value, 'devices');
  if (!device) return undefined;
  const info = fieldsOf(device['linkinfo'] ?? {}, 'linkinfo');
  const data = info['info_kind'] === 'vxlan' ? fieldsOf(info['info_data'] ?? {}, 'info_data') : {};
  return {
    name: text(device, 'ifname'),
    mac: text(device, 'address'),
    mtu: int(device, 'mtu'),
    up: link.up,
    addresses: [...link.addresses, ...(link.addressesIPv6 ?? [])].map((a) => a.address),
    id: optionalInt(data, 'id') ?? 0,
    port: optionalInt(data, 'port') ?? 0,
    local: optionalText(data, 'local') ?? '',
    learning: data['learning'] === true,
    forwarding,
    neighbours,
  };
}

export function parseForwarding(value: unknown): PresentVxlan['forwarding'] {
  return listOf(value, 'fdb').flatMap((entry) => {
    const outer = optionalText(entry, 'dst');
    return outer === undefined ? [] : [{ mac: text(entry, 'mac'), outer }];
  });
}

export function parseNeighbours(value: unknown): PresentVxlan['neighbours'] {
  return listOf(value, 'neighbours').flatMap((entry) => {
    const mac = optionalText(entry, 'lladdr');
    return mac !== undefined && texts(entry, 'state').includes('PERMANENT')
      ? [{ address: text(entry, 'dst'), mac }]
      : [];
  });
}
