/**
 * ClusterIP and node port of one Service. Source: Kubernetes documentation, "Service ClusterIP allocation" and "type:
 * NodePort".
 */
import type { ServicePort, ServiceSpec, StoredService } from '../../../contracts/objects/index.ts';
import { byAge } from '../workloads/owners.ts';
import { hash32 } from '../workloads/stable-hash.ts';
import { formatAddress, parseAddress, parseRange, rangeHolds } from '../../../contracts/ipv4.ts';

export interface Ranges {
  readonly serviceCIDR: string;
  /** `FIRST-LAST`, both included. */
  readonly nodePortRange: string;
}

export interface Problem {
  readonly reason: 'AddressInUse' | 'AddressOutOfRange' | 'AddressesExhausted' | 'NodePortInUse' | 'NodePortsExhausted';
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
  /** Ports (`TCP/80`) whose nodePort is the user's. */
  readonly nodePorts: ReadonlySet<string>;
}

/** Annotation that tells what was allocated from what the user wrote: `clusterIP=10.96.0.7 TCP/80=30080`. */
export const ALLOCATED_ANNOTATION = 'plumbline.dev/allocated';

/** A value counts as the user's unless the annotation says that this very value was allocated. */
export function wishesOf(service: StoredService): Wishes {
  const allocated = new Set((service.metadata.annotations?.[ALLOCATED_ANNOTATION] ?? '').split(' '));
  const { clusterIP, ports } = service.spec;
  return {
    clusterIP: clusterIP !== undefined && clusterIP !== 'None' && !allocated.has(`clusterIP=${clusterIP}`),
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
  return [...address, ...ports.map((port) => `${portKey(port)}=${port.nodePort}`)].join(' ');
}

export function portKey(port: ServicePort): string {
  return `${port.protocol}/${port.port}`;
}

/**
 * Service addresses that may be given out: the network address, the first (reserved) and the broadcast address are
 * left.
 */
function firstFree(
  range: { first: number; size: number },
  taken: ReadonlySet<number>,
  start: number,
): number | undefined {
  for (let i = 0; i < range.size; i++) {
    const candidate = range.first + ((start + i) % range.size);
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}

function holder(others: readonly StoredService[], ip: string): StoredService | undefined {
  return others.find((other) => other.spec.clusterIP === ip);
}

function nameOf(service: StoredService): string {
  return `${service.metadata.namespace ?? ''}/${service.metadata.name}`;
}

/**
 * What the Service's addresses should be, given all others. A Service keeps what it has unless an older one has it too;
 * then it takes another, or, where the user wished for it, goes without and says so. Ports that are no longer node
 * ports are given back.
 */
export function allocate(
  service: StoredService,
  others: readonly StoredService[],
  ranges: Ranges,
  wishes: Wishes,
): Allocation {
  const problems: Problem[] = [];
  const moved: string[] = [];
  const clusterIP = allocateAddress(service, others, ranges.serviceCIDR, wishes.clusterIP, problems, moved);
  const ports = allocatePorts(service, others, ranges.nodePortRange, wishes.nodePorts, problems, moved);
  const { clusterIP: _old, ...rest } = service.spec;
  return { spec: { ...rest, ports, ...(clusterIP !== undefined && { clusterIP }) }, problems, moved };
}

function allocateAddress(
  service: StoredService,
  others: readonly StoredService[],
  cidr: string,
  wished: boolean,
  problems: Problem[],
  moved: string[],
): string | undefined {
  const { clusterIP } = service.spec;
  if (clusterIP === 'None') return clusterIP;
  const whole = parseRange(cidr);
  if (clusterIP !== undefined) {
    const clash = holder(others, clusterIP);
    const outside = !rangeHolds(whole, parseAddress(clusterIP));
    if (wished) {
      if (outside)
        problems.push({
          reason: 'AddressOutOfRange',
          message: `spec.clusterIP ${clusterIP} is outside the cluster's service range ${cidr}; choose one inside it or remove the field`,
        });
      else if (clash && byAge(clash, service) < 0)
        problems.push({
          reason: 'AddressInUse',
          message: `spec.clusterIP ${clusterIP} belongs to Service ${nameOf(clash)}; choose another or remove the field`,
        });
      return clusterIP;
    }
    if (!clash || byAge(clash, service) > 0) return clusterIP;
    moved.push(clusterIP);
  }
  const usable = { first: whole.first + 2, size: whole.size - 3 };
  const taken = new Set(
    others.flatMap((other) =>
      other.spec.clusterIP && other.spec.clusterIP !== 'None' ? [parseAddress(other.spec.clusterIP)] : [],
    ),
  );
  const found = usable.size > 0 ? firstFree(usable, taken, hash32(nameOf(service)) % usable.size) : undefined;
  if (found === undefined)
    problems.push({
      reason: 'AddressesExhausted',
      message: `no address is free in the cluster's service range ${cidr}; widen spec.network.serviceCIDR`,
    });
  return found === undefined ? undefined : formatAddress(found);
}

function allocatePorts(
  service: StoredService,
  others: readonly StoredService[],
  range: string,
  wished: ReadonlySet<string>,
  problems: Problem[],
  moved: string[],
): ServicePort[] {
  if (service.spec.type !== 'NodePort') {
    return service.spec.ports.map((port) => {
      const { nodePort: _allocated, ...without } = port;
      return wished.has(portKey(port)) ? port : without;
    });
  }
  const [first = 0, last = 0] = range.split('-').map(Number);
  const holders = new Map<number, StoredService>();
  for (const other of others
    .filter((o) => o.spec.type === 'NodePort')
    .sort(byAge)
    .reverse())
    for (const port of other.spec.ports) if (port.nodePort !== undefined) holders.set(port.nodePort, other);
  const own = new Set<number>();
  for (const port of service.spec.ports)
    if (port.nodePort !== undefined && wished.has(portKey(port))) own.add(port.nodePort);
  return service.spec.ports.map((port) => {
    const before = port.nodePort === undefined ? undefined : holders.get(port.nodePort);
    const younger = before !== undefined && byAge(before, service) < 0;
    if (port.nodePort !== undefined && wished.has(portKey(port))) {
      if (younger)
        problems.push({
          reason: 'NodePortInUse',
          message: `nodePort ${port.nodePort} belongs to Service ${nameOf(before)}; choose another or remove the field`,
        });
      return port;
    }
    if (port.nodePort !== undefined && !younger && !own.has(port.nodePort)) {
      own.add(port.nodePort);
      return port;
    }
    if (port.nodePort !== undefined) moved.push(String(port.nodePort));
    const size = Math.max(0, last - first + 1);
    const taken = new Set([...holders.keys(), ...own]);
    const nodePort =
      size > 0 ? firstFree({ first, size }, taken, hash32(`${nameOf(service)} ${portKey(port)}`) % size) : undefined;
    if (nodePort === undefined) {
      problems.push({
        reason: 'NodePortsExhausted',
        message: `no node port is free in ${range}; widen spec.network.nodePortRange`,
      });
      const { nodePort: _none, ...without } = port;
      return without;
    }
    own.add(nodePort);
    return { ...port, nodePort };
  });
}
