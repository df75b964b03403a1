/** Addresses and ports of a revision, which must not clash: the Cluster, Machines and Services. */
import { ClusterManifest, type Cluster, type Machine, type Service } from '../../../contracts/objects/index.ts';
import { rangeHolds, parseAddress, parseRange } from '../../../contracts/ipv4.ts';
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
  checkClusterIPs(services, network.serviceCIDR, tell);
}

/** What holds where a repository has no Cluster. */
function defaultClusterSpec(): Cluster['spec'] {
  return ClusterManifest.parse({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'default' } })
    .spec;
}

function checkMachines(machines: readonly Desired<Machine>[], tell: Tell): void {
  const seen = new Map<string, Desired<Machine>>();
  for (const machine of machines) {
    const { address, port, internalIP } = machine.object.spec;
    for (const [place, what] of [
      [`${address}:${port}`, 'address'],
      [internalIP, 'internalIP'],
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

function checkClusterIPs(services: readonly Desired<Service>[], cidr: string, tell: Tell): void {
  const range = parseRange(cidr);
  const taken = new Map<string, Desired<Service>>();
  for (const service of services) {
    const { clusterIP } = service.object.spec;
    if (clusterIP === undefined || clusterIP === 'None') continue;
    const at = positionOf(service, 'spec', 'clusterIP');
    const address = parseAddress(clusterIP);
    if (!rangeHolds(range, address))
      tell(
        'error',
        'ClusterIPOutOfRange',
        at,
        `spec.clusterIP must be in ${cidr}, found ${clusterIP}`,
        'the range is spec.network.serviceCIDR of the Cluster',
      );
    else if (address === range.first || address === range.first + range.size - 1)
      tell(
        'error',
        'ClusterIPOutOfRange',
        at,
        `spec.clusterIP ${clusterIP} is the first or last address of ${cidr}, which no Service can have`,
        'use another',
      );
    const other = taken.get(clusterIP);
    if (!other) taken.set(clusterIP, service);
    else
      tell(
        'error',
        'ClusterIPClash',
        at,
        `spec.clusterIP ${clusterIP} is taken by Service ${nameOf(other)} (${placeOf(other)})`,
        'use another, or leave it out to get a free one',
      );
  }
}

function nameOf({ object }: DesiredObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function placeOf({ position }: DesiredObject): string {
  return `${position.file}:${position.line}`;
}
