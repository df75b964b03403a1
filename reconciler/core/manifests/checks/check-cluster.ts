/** Cluster: its address and port ranges. */
import type { Cluster } from '../../../../contracts/objects/index.ts';
import { parseRange, rangesOverlap } from '../../../../contracts/ipv4.ts';
import { eachDuplicate, type CheckContext } from './context.ts';

const MAX_PORT = 65535;

export function checkCluster(object: Cluster, { error, has }: CheckContext): void {
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
  const { podCIDR, serviceCIDR, nodeMaskSize, nodePortRange } = object.spec.network;
  const network = ['spec', 'network'];
  const pods = parseRange(podCIDR);
  if (rangesOverlap(pods, parseRange(serviceCIDR))) {
    const field = has([...network, 'serviceCIDR']) ? 'serviceCIDR' : 'podCIDR';
    error(
      'RangeOverlap',
      [...network, field],
      `overlaps: podCIDR is ${podCIDR}, serviceCIDR is ${serviceCIDR}`,
      'pods and Services need ranges of their own',
    );
  }
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
