/**
 * ClusterIP and node ports of one Service. Source: Kubernetes documentation, "Service ClusterIP allocation" and "type:
 * NodePort".
 */
import {
  clusterIPOf,
  mayHaveNodePorts,
  needsHealthCheck,
  serviceFamilies,
  wantsNodePorts,
  type ServicePort,
  type ServiceSpec,
  type StoredService,
} from '../../../contracts/objects/index.ts';
import { byAge } from '../workloads/owners.ts';
import type { Holders } from './claims.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import { cidrHas, type Family } from '../../../contracts/ip.ts';
import { formatAddress, readRange } from '../../../contracts/ipv4.ts';
import { formatAddress6, parseRange6 } from '../../../contracts/ipv6.ts';

export interface Ranges {
  readonly serviceCIDR: string;
  /** Absent where the cluster has no IPv6. */
  readonly serviceCIDRIPv6?: string | undefined;
  /** `FIRST-LAST`, both included. */
  readonly nodePortRange: string;
  /** Ports of the nodes that something else has: none of them is given out. */
  readonly heldPorts?: ReadonlySet<number>;
}

export interface Problem {
  readonly reason:
    | 'AddressInUse'
    | 'AddressOutOfRange'
    | 'AddressesExhausted'
    | 'NodePortInUse'
    | 'NodePortsExhausted'
    /** MetalLB's word, of the address of a load balancer. */
    | 'AllocationFailed';
  readonly message: string;
}

export interface Allocation {
  /** As it should be written; equal in content to the present one when nothing is to do. */
  readonly spec: ServiceSpec;
  readonly problems: readonly Problem[];
  /** Allocated anew because an older Service has the one it had. */
  readonly moved: readonly string[];
}

/** Whether the address or port was chosen by the user: then it is never replaced by another. */
export interface Wishes {
  readonly clusterIP: boolean;
  /** The second of clusterIPs. */
  readonly secondIP?: boolean;
  /** Ports (`TCP/80`) whose nodePort is the user's. */
  readonly nodePorts: ReadonlySet<string>;
  readonly healthCheckNodePort: boolean;
}

/** As a port's key: where the nodes tell whether they have endpoints. */
export const HEALTH = 'healthCheckNodePort';
/** In the annotation: the second of clusterIPs. */
const SECOND = 'clusterIPs.1';

/** Annotation that tells what was allocated from what the user wrote: `clusterIP=10.96.0.7 TCP/80=30080`. */
export const ALLOCATED_ANNOTATION = 'plumbline.dev/allocated';

/** A value counts as the user's unless the annotation says that this very value was allocated. */
export function wishesOf(service: StoredService): Wishes {
  const allocated = new Set((service.metadata.annotations?.[ALLOCATED_ANNOTATION] ?? '').split(' '));
  const { clusterIP, clusterIPs, ports, healthCheckNodePort } = service.spec;
  const second = clusterIPs?.[1];
  return {
    healthCheckNodePort: healthCheckNodePort !== undefined && !allocated.has(`${HEALTH}=${healthCheckNodePort}`),
    clusterIP: clusterIP !== undefined && clusterIP !== 'None' && !allocated.has(`clusterIP=${clusterIP}`),
    secondIP: second !== undefined && !allocated.has(`${SECOND}=${second}`),
    nodePorts: new Set(
      ports
        .filter((port) => port.nodePort !== undefined && !allocated.has(`${portKey(port)}=${port.nodePort}`))
        .map(portKey),
    ),
  };
}

/** The annotation's text for a Service that was given `spec`; empty when all of it is the user's. */
export function allocatedText(spec: ServiceSpec, wishes: Wishes): string {
  const ports = spec.ports.filter((port) => port.nodePort !== undefined && !wishes.nodePorts.has(portKey(port)));
  const address =
    spec.clusterIP !== undefined && spec.clusterIP !== 'None' && !wishes.clusterIP
      ? [`clusterIP=${spec.clusterIP}`]
      : [];
  const { healthCheckNodePort } = spec;
  const health =
    healthCheckNodePort !== undefined && !wishes.healthCheckNodePort ? [`${HEALTH}=${healthCheckNodePort}`] : [];
  const other = spec.clusterIPs?.[1];
  const second = other !== undefined && wishes.secondIP !== true ? [`${SECOND}=${other}`] : [];
  return [...address, ...second, ...ports.map((port) => `${portKey(port)}=${port.nodePort}`), ...health].join(' ');
}

export function portKey(port: ServicePort): string {
  return `${port.protocol}/${port.port}`;
}

/** What is free after `start`, the beginning of the range after its end. */
function firstFree(
  range: { first: number; size: number },
  isTaken: (candidate: number) => boolean,
  start: number,
): number | undefined {
  for (let i = 0; i < range.size; i++) {
    const candidate = range.first + ((start + i) % range.size);
    if (!isTaken(candidate)) return candidate;
  }
  return undefined;
}

function oldest(services: readonly StoredService[]): StoredService | undefined {
  return services.length > 1 ? services.toSorted(byAge)[0] : services[0];
}

function nameOf(service: StoredService): string {
  return `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
}

/**
 * What the Service's addresses should be, given all others. A Service keeps what it has unless an older one has it too;
 * then it takes another, or, where the user wished for it, goes without and says so. Ports that are no longer node
 * ports are given back.
 */
export function allocate(service: StoredService, holders: Holders, ranges: Ranges, wishes: Wishes): Allocation {
  const problems: Problem[] = [];
  const moved: string[] = [];
  const [first, second] = familiesOf(service.spec, ranges);
  const given = (family: Family, present: string | undefined, wished: boolean): string | undefined =>
    allocateAddress(service, present, holders, rangeOf(ranges, family), wished, problems, moved);
  // What is of another family than it should be is asked for anew.
  const ofFamily = (family: Family): string | undefined => clusterIPOf(service.spec, family);
  const clusterIP = addressed(service.spec)
    ? first && given(first, wishes.clusterIP ? service.spec.clusterIP : ofFamily(first), wishes.clusterIP)
    : service.spec.clusterIP === 'None'
      ? 'None'
      : undefined;
  const other =
    second === undefined || !addressed(service.spec)
      ? undefined
      : given(second, ofFamily(second), wishes.secondIP === true);
  const { ports, healthCheckNodePort } = allocatePorts(service, holders, ranges, wishes, problems, moved);
  const { clusterIP: _old, clusterIPs: _list, healthCheckNodePort: _health, ...rest } = service.spec;
  const spec = {
    ...rest,
    ports,
    ...(clusterIP !== undefined && { clusterIP }),
    ...(clusterIP !== undefined && other !== undefined && { clusterIPs: [clusterIP, other] }),
    ...(healthCheckNodePort !== undefined && { healthCheckNodePort }),
  };
  return { spec, problems, moved };
}

/** Whether it has addresses of its own; an alias that had one gives it back (Kubernetes, alloc.go of its Service registry). */
function addressed({ clusterIP, type }: ServiceSpec): boolean {
  return clusterIP !== 'None' && type !== 'ExternalName';
}

function familiesOf(spec: ServiceSpec, { serviceCIDRIPv6 }: Ranges): readonly Family[] {
  return serviceFamilies(spec, serviceCIDRIPv6 === undefined ? ['IPv4'] : ['IPv4', 'IPv6']);
}

/** A family that the cluster does not have has no range: such a Service goes without. */
function rangeOf({ serviceCIDR, serviceCIDRIPv6 }: Ranges, family: Family): string | undefined {
  return family === 'IPv4' ? serviceCIDR : serviceCIDRIPv6;
}

function allocateAddress(
  service: StoredService,
  present: string | undefined,
  holders: Holders,
  cidr: string | undefined,
  wished: boolean,
  problems: Problem[],
  moved: string[],
): string | undefined {
  if (cidr === undefined) {
    problems.push({
      reason: 'AddressesExhausted',
      message: "the cluster has no service range of the Service's family",
    });
    return present;
  }
  if (present !== undefined) {
    const clash = oldest(holders.of(`address ${present}`));
    if (wished) {
      if (!cidrHas(cidr, present))
        problems.push({
          reason: 'AddressOutOfRange',
          message: `spec.clusterIP ${present} is outside the cluster's service range ${cidr}; choose one inside it or remove the field`,
        });
      else if (clash && byAge(clash, service) < 0)
        problems.push({
          reason: 'AddressInUse',
          message: `spec.clusterIP ${present} belongs to Service ${nameOf(clash)}; choose another or remove the field`,
        });
      return present;
    }
    if (!clash || byAge(clash, service) > 0) return present;
    moved.push(present);
  }
  const found = freeAddress(cidr, holders, hash32(nameOf(service)));
  if (found === undefined)
    problems.push({
      reason: 'AddressesExhausted',
      message: `no address is free in the cluster's service range ${cidr}; widen spec.network.serviceCIDR`,
    });
  return found;
}

/** Offsets into a range of IPv6 are bounded by this: more Services than that there are not. */
const MOST_ADDRESSES = 2 ** 30;

/** The network address, the first (reserved) and the broadcast address are not given out. */
function freeAddress(cidr: string, holders: Holders, seed: number): string | undefined {
  const whole = readRange(cidr);
  const { first, size } = whole ? { first: BigInt(whole.first), size: BigInt(whole.size) } : parseRange6(cidr);
  const usable = Math.min(Number(size) - 3, MOST_ADDRESSES);
  const textOf = (offset: number): string =>
    whole ? formatAddress(whole.first + 2 + offset) : formatAddress6(first + 2n + BigInt(offset));
  if (usable <= 0) return undefined;
  const isTaken = (offset: number): boolean => holders.of(`address ${textOf(offset)}`).length > 0;
  const found = firstFree({ first: 0, size: usable }, isTaken, seed % usable);
  return found === undefined ? undefined : textOf(found);
}

interface Ports {
  readonly ports: ServicePort[];
  readonly healthCheckNodePort?: number;
}

function allocatePorts(
  service: StoredService,
  holders: Holders,
  { nodePortRange: range, heldPorts = new Set() }: Ranges,
  wishes: Wishes,
  problems: Problem[],
  moved: string[],
): Ports {
  const { spec } = service;
  const withoutNodePort = ({ nodePort: _, ...port }: ServicePort): ServicePort => port;
  if (!mayHaveNodePorts(spec))
    return { ports: spec.ports.map((port) => (wishes.nodePorts.has(portKey(port)) ? port : withoutNodePort(port))) };
  const [first = 0, last = 0] = range.split('-').map(Number);
  const size = Math.max(0, last - first + 1);
  const own = new Set<number>();
  for (const port of spec.ports)
    if (port.nodePort !== undefined && wishes.nodePorts.has(portKey(port))) own.add(port.nodePort);
  if (wishes.healthCheckNodePort && spec.healthCheckNodePort !== undefined) own.add(spec.healthCheckNodePort);

  /** The port of the nodes for what `key` names, which has `present` now; undefined where none is free. */
  const settle = (key: string, present: number | undefined, wished: boolean, field: string): number | undefined => {
    const before = present === undefined ? undefined : oldest(holders.of(`port ${present}`));
    const younger = before !== undefined && byAge(before, service) < 0;
    if (present !== undefined && wished) {
      if (younger)
        problems.push({
          reason: 'NodePortInUse',
          message: `${field} ${present} belongs to Service ${nameOf(before)}; choose another or remove the field`,
        });
      return present;
    }
    if (present !== undefined && !younger && !own.has(present)) {
      own.add(present);
      return present;
    }
    if (present !== undefined) moved.push(String(present));
    const isTaken = (port: number): boolean =>
      own.has(port) || heldPorts.has(port) || holders.of(`port ${port}`).length > 0;
    const free = size > 0 ? firstFree({ first, size }, isTaken, hash32(`${nameOf(service)} ${key}`) % size) : undefined;
    if (free === undefined)
      problems.push({
        reason: 'NodePortsExhausted',
        message: `no node port is free in ${range}; widen spec.network.nodePortRange`,
      });
    else own.add(free);
    return free;
  };

  const ports = spec.ports.map((port) => {
    const key = portKey(port);
    // A load balancer that wants none keeps those that the user wrote.
    if (!wantsNodePorts(spec) && !wishes.nodePorts.has(key)) return withoutNodePort(port);
    const nodePort = settle(key, port.nodePort, wishes.nodePorts.has(key), 'nodePort');
    return nodePort === undefined ? withoutNodePort(port) : nodePort === port.nodePort ? port : { ...port, nodePort };
  });
  if (!needsHealthCheck(spec)) return { ports };
  const healthCheckNodePort = settle(HEALTH, spec.healthCheckNodePort, wishes.healthCheckNodePort, HEALTH);
  return { ports, ...(healthCheckNodePort !== undefined && { healthCheckNodePort }) };
}
