/**
 * What the cluster answers for its own names. Source: Kubernetes DNS-Based Service Discovery 1.1.0
 * (kubernetes/dns, docs/specification.md); where that leaves a choice, CoreDNS' plugin kubernetes.
 */
import { canonicalAddress, cidrHas, familyOf } from '../../../contracts/ip.ts';
import { isAddress } from '../../../contracts/ipv4.ts';
import { formatAddress6, parseAddress6 } from '../../../contracts/ipv6.ts';
import { clusterIPsOf } from '../../../contracts/objects/service-families.ts';
import type { Service } from '../../../contracts/objects/index.ts';
import {
  DNS_CODE,
  DNS_TYPE,
  MOST_LABEL,
  type DnsAnswer,
  type DnsQuestion,
  type DnsRecord,
} from '../wire/dns-message.ts';
import type { ClusterNames, NamedEndpoint } from './cluster-names.ts';

/** Seconds: as long as a client may send to what is gone. CoreDNS' default. */
const TTL = 5;
const SPECIFICATION = '1.1.0';
const REVERSE = '.in-addr.arpa';
/** One hexadecimal digit a label, the last first (RFC 3596, 2.5). */
const REVERSE_IPV6 = '.ip6.arpa';

/** What is the cluster's own. */
export interface ClusterZone {
  /** Of its names, without a dot at its end. */
  readonly domain: string;
  readonly podCIDR: string;
  readonly serviceCIDR: string;
  /** Those of IPv6, where the cluster has them. */
  readonly ipv6?: { readonly podCIDR: string; readonly serviceCIDR: string } | undefined;
}

/** What stands at a name. Without records of the type that is asked for, the name is there and has none of it. */
interface Found {
  readonly answers: readonly DnsRecord[];
  readonly additional?: readonly DnsRecord[];
}

/**
 * The answer to a question about the cluster's names and addresses; undefined where the question is not ours. An alias
 * (ExternalName) comes alone: what its target has is the caller's to add.
 */
export function answerCluster(question: DnsQuestion, names: ClusterNames, zone: ClusterZone): DnsAnswer | undefined {
  if (question.name.endsWith(REVERSE) || question.name.endsWith(REVERSE_IPV6)) return reverse(question, names, zone);
  const labels = inZone(question.name, zone);
  if (!labels) return undefined;
  const found = find(labels, question, names, zone);
  return found && found.answers.length > 0
    ? { code: DNS_CODE.ok, authoritative: true, ...found }
    : { code: found ? DNS_CODE.ok : DNS_CODE.noName, authoritative: true, answers: [], authority: [startOf(zone)] };
}

/** Whether a name is the cluster's own. */
export function isClusterName(name: string, zone: Pick<ClusterZone, 'domain'>): boolean {
  return inZone(name, zone) !== undefined;
}

/** The labels before the zone's; undefined for a name outside of it. */
function inZone(name: string, { domain }: Pick<ClusterZone, 'domain'>): readonly string[] | undefined {
  if (name === domain) return [];
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1).split('.') : undefined;
}

/** Of the zone, with how long it holds that there is nothing at a name (RFC 2308). */
function startOf({ domain }: ClusterZone): DnsRecord {
  const data = { type: 'SOA', primary: `ns.dns.${domain}`, mailbox: `hostmaster.${domain}` } as const;
  return { name: domain, ttl: TTL, data: { ...data, serial: 1, negativeTtl: TTL } };
}

function find(
  labels: readonly string[],
  { name, type }: DnsQuestion,
  names: ClusterNames,
  zone: ClusterZone,
): Found | undefined {
  const [root, namespace, service, endpoint, ...rest] = labels.toReversed();
  if (root === undefined) return { answers: wants(type, DNS_TYPE.SOA) ? [startOf(zone)] : [] };
  if (root === 'dns-version' && namespace === undefined) {
    return {
      answers: wants(type, DNS_TYPE.TXT) ? [{ name, ttl: TTL, data: { type: 'TXT', text: SPECIFICATION } }] : [],
    };
  }
  if (root !== 'svc' && root !== 'pod') return undefined;
  if (namespace === undefined) return { answers: [] };
  if (!names.hasNamespace(namespace)) return undefined;
  if (service === undefined) return { answers: [] };
  if (root === 'pod') return endpoint === undefined ? podName(service, name, type, zone) : undefined;
  const object = names.service(namespace, service);
  if (!object) return undefined;
  const at: Named = { service: object, full: `${service}.${namespace}.svc.${zone.domain}`, names };
  if (endpoint === undefined) return serviceName(at, name, type);
  const [port] = rest;
  if (port === undefined) return endpointName(at, endpoint, name, type);
  if (rest.length > 1 || !port.startsWith('_') || !endpoint.startsWith('_')) return undefined;
  return portName(at, port.slice(1), endpoint.slice(1), name, type);
}

interface Named {
  readonly service: Service;
  /** Its name with that of the zone. */
  readonly full: string;
  readonly names: ClusterNames;
}

const wants = (asked: number, type: number): boolean => asked === type || asked === DNS_TYPE.ANY;

function serviceName(at: Named, name: string, type: number): Found {
  const { externalName } = at.service.spec;
  if (at.service.spec.type === 'ExternalName' && externalName !== undefined) {
    const target = externalName.replace(/\.$/, '').toLowerCase();
    // Kubernetes takes longer labels, which no message can hold.
    if (target.split('.').some((label) => label.length > MOST_LABEL)) return { answers: [] };
    // Whatever is asked for: what the name has is its target's (RFC 1034, 3.6.2).
    return { answers: [{ name, ttl: TTL, data: { type: 'CNAME', target } }] };
  }
  if (type === DNS_TYPE.SRV) return servers(at, name, () => true);
  return { answers: addressRecords(name, type, addressesOf(at)) };
}

/** The Service's own, of both families, or those of its endpoints where it has none. */
function addressesOf(at: Named): readonly string[] {
  if (at.service.spec.clusterIP === 'None') return endpointsOf(at).map(({ address }) => address);
  return clusterIPsOf(at.service.spec);
}

function endpointsOf({ service, names }: Named): readonly NamedEndpoint[] {
  return names.endpoints(service.metadata.namespace ?? 'default', service.metadata.name);
}

function endpointName(at: Named, host: string, name: string, type: number): Found | undefined {
  const found = endpointsOf(at).filter((endpoint) => endpoint.name === host);
  if (found.length === 0) return undefined;
  if (type === DNS_TYPE.SRV) {
    const ports = found.flatMap(({ ports }) => ports);
    return { answers: ports.map(({ port }) => serverRecord(name, port, name, ports.length)), additional: [] };
  }
  return {
    answers: addressRecords(
      name,
      type,
      found.map(({ address }) => address),
    ),
  };
}

function portName(at: Named, port: string, protocol: string, name: string, type: number): Found | undefined {
  const named = (one: { readonly name?: string | undefined; readonly protocol: string }): boolean =>
    one.name === port && one.protocol.toLowerCase() === protocol;
  const exists = at.service.spec.ports.some(named) || endpointsOf(at).some(({ ports }) => ports.some(named));
  if (!exists) return undefined;
  return wants(type, DNS_TYPE.SRV) ? servers(at, name, named) : { answers: [] };
}

type OfPort = (port: { readonly name?: string | undefined; readonly protocol: string }) => boolean;

/** The Service's ports at its own name, or its endpoints' at theirs. */
function servers(at: Named, name: string, wanted: OfPort): Found {
  const { service, full } = at;
  const { clusterIP, ports } = service.spec;
  if (clusterIP !== 'None') {
    const found = clusterIP === undefined ? [] : ports.filter(wanted);
    return {
      answers: found.map(({ port }) => serverRecord(name, port, full, found.length)),
      additional: found.length > 0 ? clusterIPsOf(service.spec).map((address) => addressRecord(full, address)) : [],
    };
  }
  const endpoints = endpointsOf(at);
  const found = endpoints.flatMap((endpoint) => endpoint.ports.filter(wanted).map(({ port }) => ({ endpoint, port })));
  return {
    answers: found.map(({ endpoint, port }) => serverRecord(name, port, `${endpoint.name}.${full}`, found.length)),
    additional: [...new Set(found.map(({ endpoint }) => endpoint))].map(({ name: host, address }) =>
      addressRecord(`${host}.${full}`, address),
    ),
  };
}

/** An address with dashes, as CoreDNS' `pods insecure` has it; addresses that are no pod's are refused. */
function podName(dashed: string, name: string, type: number, { podCIDR, ipv6 }: ClusterZone): Found | undefined {
  const [first, second] = [dashed.replaceAll('-', '.'), dashed.replaceAll('-', ':')];
  const address = isAddress(first) ? first : second;
  if (![podCIDR, ...(ipv6 ? [ipv6.podCIDR] : [])].some((range) => cidrHas(range, address))) return undefined;
  return { answers: addressRecords(name, type, [canonicalAddress(address)]) };
}

/** Addresses of the cluster's own ranges, which nobody else knows, and others that a Service has. */
function reverse({ name, type }: DnsQuestion, names: ClusterNames, zone: ClusterZone): DnsAnswer | undefined {
  const address = addressInReverse(name);
  if (address === undefined) return undefined;
  const found = names.namesAt(address);
  const own = [zone.podCIDR, zone.serviceCIDR, ...(zone.ipv6 ? [zone.ipv6.podCIDR, zone.ipv6.serviceCIDR] : [])];
  const ours = own.some((range) => cidrHas(range, address));
  if (found.length === 0 && !ours) return undefined;
  const answers = wants(type, DNS_TYPE.PTR)
    ? found.map((target): DnsRecord => ({ name, ttl: TTL, data: { type: 'PTR', target: `${target}.${zone.domain}` } }))
    : [];
  return {
    code: found.length > 0 ? DNS_CODE.ok : DNS_CODE.noName,
    authoritative: true,
    answers,
    authority: answers.length > 0 ? [] : [startOf(zone)],
  };
}

/** The address that a name below in-addr.arpa or ip6.arpa stands for; undefined for one that is not whole. */
function addressInReverse(name: string): string | undefined {
  if (name.endsWith(REVERSE)) {
    const address = name.slice(0, -REVERSE.length).split('.').toReversed().join('.');
    return isAddress(address) ? address : undefined;
  }
  const digits = name.slice(0, -REVERSE_IPV6.length).split('.').toReversed();
  if (digits.length !== 32 || !digits.every((digit) => /^[0-9a-f]$/i.test(digit))) return undefined;
  return formatAddress6(BigInt(`0x${digits.join('')}`));
}

/** Those of the family that is asked for. */
function addressRecords(name: string, type: number, addresses: readonly string[]): readonly DnsRecord[] {
  return addresses.flatMap((address) =>
    wants(type, familyOf(address) === 'IPv6' ? DNS_TYPE.AAAA : DNS_TYPE.A) ? [addressRecord(name, address)] : [],
  );
}

function addressRecord(name: string, address: string): DnsRecord {
  const data =
    familyOf(address) === 'IPv6'
      ? { type: 'AAAA' as const, bytes: bytesOf(parseAddress6(address)) }
      : { type: 'A' as const, address };
  return { name, ttl: TTL, data };
}

function bytesOf(address: bigint): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number((address >> BigInt(8 * (15 - i))) & 0xffn));
}

/** Weights share 100, as CoreDNS has it. */
function serverRecord(name: string, port: number, target: string, among: number): DnsRecord {
  return {
    name,
    ttl: TTL,
    data: { type: 'SRV', priority: 0, weight: Math.max(1, Math.floor(100 / among)), port, target },
  };
}
