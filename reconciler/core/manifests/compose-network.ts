/** Addresses and ports of a revision, which must not clash: the Cluster, Machines and Services. */
import {
  ClusterManifest,
  clusterFamilies,
  clusterIPsOf,
  familyNetwork,
  type Cluster,
  type Machine,
  type Service,
} from '../../../contracts/objects/index.ts';
import { cidrHas, familyOf, FAMILIES, nthOf } from '../../../contracts/ip.ts';
import { parseRange } from '../../../contracts/ipv4.ts';
import { formatAddress6, parseRange6 } from '../../../contracts/ipv6.ts';
import type { Tell } from './findings.ts';
import { positionOf } from './marks.ts';
import type { DesiredObject, DesiredState } from './types.ts';

type Desired<T> = DesiredObject & { readonly object: T };

export function checkNetwork(state: DesiredState, tell: Tell): void {
  const objects = [...state.values()];
  const clusters = objects.filter((d): d is Desired<Cluster> => d.object.kind === 'Cluster');
  const machines = objects.filter((d): d is Desired<Machine> => d.object.kind === 'Machine');
  const services = objects.filter((d): d is Desired<Service> => d.object.kind === 'Service');
  const [cluster, ...more] = clusters;
  for (const other of more) {
    const at = cluster ? `${cluster.position.file}:${cluster.position.line}` : '';
    tell(
      'error',
      'MultipleClusters',
      other.position,
      `a repository has one Cluster; the first is ${cluster?.object.metadata.name ?? ''} at ${at}`,
      'remove one of the two',
    );
  }
  const { network } = cluster?.object.spec ?? defaultClusterSpec();
  const { prefix } = parseRange(network.podCIDR);
  const ranges = 2 ** Math.max(0, network.nodeMaskSize - prefix);
  if (cluster && machines.length > ranges && network.nodeMaskSize >= prefix) {
    tell(
      'error',
      'RangeTooSmall',
      positionOf(cluster, 'spec', 'network', 'podCIDR'),
      `spec.network.podCIDR ${network.podCIDR} holds ${ranges} node ranges of /${network.nodeMaskSize}, but there are ${machines.length} Machines`,
      'use a larger range or a larger nodeMaskSize',
    );
  }
  checkMachines(machines, tell);
  checkNodePorts(services, network.nodePortRange, tell);
  checkFamilies(services, network, tell);
  checkForeignFamilies(objects, network, tell);
  checkClusterIPs(services, network, tell);
}

/** What holds where a repository has no Cluster. */
function defaultClusterSpec(): Cluster['spec'] {
  return ClusterManifest.parse({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'default' } })
    .spec;
}

function checkMachines(machines: readonly Desired<Machine>[], tell: Tell): void {
  const seen = new Map<string, Desired<Machine>>();
  for (const machine of machines) {
    const { address, port, internalIP, internalIPv6 } = machine.object.spec;
    for (const [place, what] of [
      [`${address}:${port}`, 'address'],
      [internalIP, 'internalIP'],
      [internalIPv6, 'internalIPv6'],
    ] as const) {
      if (place === undefined) continue;
      const first = seen.get(`${what} ${place}`);
      if (!first) seen.set(`${what} ${place}`, machine);
      else
        tell(
          'error',
          'DuplicateMachine',
          positionOf(machine, 'spec', 'address'),
          `Machine ${machine.object.metadata.name} has the ${what} ${place}, as has Machine ${first.object.metadata.name} (${placeOf(first)})`,
          'every Machine is a server of its own',
        );
    }
  }
}

function checkNodePorts(services: readonly Desired<Service>[], range: string, tell: Tell): void {
  const [first = 0, last = 0] = range.split('-').map(Number);
  const taken = new Map<string, Desired<Service>>();
  for (const service of services) {
    for (const [i, { nodePort, protocol }] of service.object.spec.ports.entries()) {
      if (nodePort === undefined) continue;
      const at = positionOf(service, 'spec', 'ports', i, 'nodePort');
      const where = `spec.ports[${i}].nodePort`;
      if (nodePort < first || nodePort > last)
        tell(
          'error',
          'NodePortOutOfRange',
          at,
          `${where} must be in ${range}, found ${nodePort}`,
          'the range is spec.network.nodePortRange of the Cluster',
        );
      const other = taken.get(`${nodePort}/${protocol}`);
      if (!other) taken.set(`${nodePort}/${protocol}`, service);
      else
        tell(
          'error',
          'NodePortClash',
          at,
          `${where} ${nodePort}/${protocol} is taken by Service ${nameOf(other)} (${placeOf(other)})`,
          'use another, or leave it out to get a free one',
        );
    }
  }
}

const BOTH_FAMILIES =
  'both families are there where spec.network.podCIDRs and serviceCIDRs of the Cluster have two ranges';

/** Source: Kubernetes pkg/registry/core/service/storage/alloc.go (initIPFamilyFields). */
function checkFamilies(services: readonly Desired<Service>[], network: Cluster['spec']['network'], tell: Tell): void {
  const families = clusterFamilies(network);
  for (const service of services) {
    const { spec } = service.object;
    // What is behind such a one is the user's to say.
    if (spec.type === 'ExternalName' || (spec.clusterIP === 'None' && !Object.keys(spec.selector ?? {}).length))
      continue;
    if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2)
      tell(
        'error',
        'InvalidValue',
        positionOf(service, 'spec', 'ipFamilyPolicy'),
        'spec.ipFamilyPolicy may not be RequireDualStack: this cluster is not configured for dual-stack services',
        BOTH_FAMILIES,
      );
    for (const [i, family] of (spec.ipFamilies ?? []).entries())
      if (!families.includes(family) && !(i > 0 && spec.ipFamilyPolicy === 'PreferDualStack'))
        tell(
          'error',
          'InvalidValue',
          positionOf(service, 'spec', 'ipFamilies'),
          `spec.ipFamilies[${i}] may not be ${family}: not configured on this cluster`,
          BOTH_FAMILIES,
        );
  }
}

/** Addresses of IPv6 where a cluster has none would be led nowhere, in silence. */
function checkForeignFamilies(
  objects: readonly DesiredObject[],
  network: Cluster['spec']['network'],
  tell: Tell,
): void {
  if (familyNetwork(network, 'IPv6')) return;
  for (const desired of objects) {
    const { path, addresses } = handWritten(desired.object);
    const foreign = addresses.find((address) => familyOf(address) === 'IPv6');
    if (foreign !== undefined)
      tell(
        'error',
        'InvalidValue',
        positionOf(desired, ...path),
        `${path.join('.')}: ${foreign} is of IPv6, which this cluster does not have`,
        BOTH_FAMILIES,
      );
  }
}

/** Addresses that a manifest says itself, beside those of the Service's range, and the field they are in. */
function handWritten(object: DesiredObject['object']): {
  readonly path: readonly string[];
  readonly addresses: readonly string[];
} {
  switch (object.kind) {
    case 'Service':
      return { path: ['spec', 'externalIPs'], addresses: object.spec.externalIPs ?? [] };
    case 'EndpointSlice':
      return { path: ['addressType'], addresses: object.endpoints.flatMap(({ addresses }) => addresses) };
    case 'Endpoints':
      return {
        path: ['subsets'],
        addresses: object.subsets.flatMap(({ addresses, notReadyAddresses }) =>
          [...addresses, ...notReadyAddresses].map(({ ip }) => ip),
        ),
      };
    default:
      return { path: [], addresses: [] };
  }
}

function checkClusterIPs(services: readonly Desired<Service>[], network: Cluster['spec']['network'], tell: Tell): void {
  const ranges = FAMILIES.flatMap((family) => familyNetwork(network, family)?.serviceCIDR ?? []);
  const taken = new Map<string, Desired<Service>>();
  for (const service of services) {
    const addresses = clusterIPsOf(service.object.spec);
    for (const [i, address] of addresses.entries()) {
      const at = i === 0 ? positionOf(service, 'spec', 'clusterIP') : positionOf(service, 'spec', 'clusterIPs');
      const where = i === 0 ? 'spec.clusterIP' : 'spec.clusterIPs[1]';
      const cidr = ranges.find((range) => cidrHas(range, address));
      if (cidr === undefined)
        tell(
          'error',
          'ClusterIPOutOfRange',
          at,
          `${where} must be in ${ranges.join(' or ')}, found ${address}`,
          'the range is spec.network.serviceCIDR of the Cluster',
        );
      else if (address === nthOf(cidr, 0) || address === lastOf(cidr))
        tell(
          'error',
          'ClusterIPOutOfRange',
          at,
          `${where} ${address} is the first or last address of ${cidr}, which no Service can have`,
          'use another',
        );
      const other = taken.get(address);
      if (!other) taken.set(address, service);
      else
        tell(
          'error',
          'ClusterIPClash',
          at,
          `${where} ${address} is taken by Service ${nameOf(other)} (${placeOf(other)})`,
          'use another, or leave it out to get a free one',
        );
    }
  }
}

function lastOf(cidr: string): string {
  if (familyOf(nthOf(cidr, 0)) === 'IPv4') return nthOf(cidr, parseRange(cidr).size - 1);
  const { first, size } = parseRange6(cidr);
  return formatAddress6(first + size - 1n);
}

function nameOf({ object }: DesiredObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function placeOf({ position }: DesiredObject): string {
  return `${position.file}:${position.line}`;
}
