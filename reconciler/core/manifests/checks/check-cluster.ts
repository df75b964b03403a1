/** Cluster: its address and port ranges. */
import { familyNetwork, type Cluster } from '../../../../contracts/objects/index.ts';
import { FAMILIES, cidrsOverlap, type Family } from '../../../../contracts/ip.ts';
import { parseRange } from '../../../../contracts/ipv4.ts';
import { parseRange6 } from '../../../../contracts/ipv6.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

const MAX_PORT = 65535;
/** Of IPv6: 4096 addresses. */
const MOST_SERVICE_PREFIX = 116;

export function checkCluster(object: Cluster, context: CheckContext): void {
  const { error } = context;
  eachDuplicate(
    object.spec.metrics?.prometheus?.queries ?? [],
    ({ metric }) => metric,
    (_, metric, i) => {
      error(
        'DuplicateName',
        ['spec', 'metrics', 'prometheus', 'queries', i, 'metric'],
        `${metric} has a query already`,
      );
    },
  );
  const { podCIDR, nodeMaskSize, nodePortRange } = object.spec.network;
  const network = ['spec', 'network'];
  const pods = parseRange(podCIDR);
  for (const family of FAMILIES) checkRanges(object, family, context);
  checkFamilies(object, context);
  if (nodeMaskSize < pods.prefix) {
    error(
      'RangeTooSmall',
      [...network, 'nodeMaskSize'],
      `must be ${pods.prefix} or more to fit in podCIDR ${podCIDR}, found ${nodeMaskSize}`,
    );
  }
  const [first = 0, last = 0] = nodePortRange.split('-').map(Number);
  if (first < 1 || last > MAX_PORT || first > last) {
    error(
      'InvalidValue',
      [...network, 'nodePortRange'],
      `must be FIRST-LAST between 1 and ${MAX_PORT}, found ${nodePortRange}`,
    );
  }
}

function checkRanges({ spec: { network } }: Cluster, family: Family, { error, has }: CheckContext): void {
  const settings = familyNetwork(network, family);
  if (!settings || !cidrsOverlap(settings.podCIDR, settings.serviceCIDR)) return;
  const fields = ['serviceCIDRs', 'serviceCIDR', 'podCIDRs'].filter((field) => has(['spec', 'network', field]));
  error(
    'RangeOverlap',
    ['spec', 'network', fields[0] ?? 'podCIDR'],
    `overlaps: podCIDR is ${settings.podCIDR}, serviceCIDR is ${settings.serviceCIDR}`,
    'pods and Services need ranges of their own',
  );
}

/** A cluster has IPv6 for pods and Services, or for neither; and a range of it for each node that may have one of IPv4. */
function checkFamilies({ spec: { network } }: Cluster, { error, has }: CheckContext): void {
  for (const [one, list] of [
    ['podCIDR', 'podCIDRs'],
    ['serviceCIDR', 'serviceCIDRs'],
  ] as const)
    if (has(['spec', 'network', one]) && has(['spec', 'network', list]))
      error(
        'ForbiddenField',
        ['spec', 'network', one],
        `may not be set beside ${list}, whose first entry it is`,
        'remove it',
      );
  if ((network.podCIDRs === undefined) !== (network.serviceCIDRs === undefined)) {
    const [field, other] = network.podCIDRs ? ['podCIDRs', 'serviceCIDRs'] : ['serviceCIDRs', 'podCIDRs'];
    error(
      'InvalidValue',
      ['spec', 'network', field],
      `has a range of IPv6, and ${other} has none`,
      'pods and Services have the same address families',
    );
  }
  const settings = familyNetwork(network, 'IPv6');
  if (!settings) return;
  const [pods, pods6] = [parseRange(network.podCIDR), parseRange6(settings.podCIDR)];
  if (settings.nodeMaskSize - pods6.prefix < network.nodeMaskSize - pods.prefix)
    error(
      'RangeTooSmall',
      ['spec', 'network', 'podCIDRs'],
      `${settings.podCIDR} holds fewer node ranges of /${settings.nodeMaskSize} than ${network.podCIDR} holds of /${network.nodeMaskSize}`,
      `use /${Math.max(0, settings.nodeMaskSize - network.nodeMaskSize + pods.prefix)} or a larger range of IPv6`,
    );
  if (parseRange6(settings.serviceCIDR).prefix > MOST_SERVICE_PREFIX)
    error(
      'RangeTooSmall',
      ['spec', 'network', 'serviceCIDRs'],
      `must be /${MOST_SERVICE_PREFIX} or larger, found ${settings.serviceCIDR}`,
    );
}
