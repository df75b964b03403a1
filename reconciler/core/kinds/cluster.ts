/** Cluster: the settings of a repository. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { CLUSTER_DOMAIN, POD_NETWORK } from '../diff/fixed-fields.ts';
import { checkCluster } from '../manifests/checks/check-cluster.ts';
import { AGE, NAME } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const CLUSTER: KindDescriptor<'Cluster'> = {
  identity: KINDS.Cluster,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'POD-CIDR', cell: (c) => c.spec.network.podCIDR },
    { heading: 'SERVICE-CIDR', cell: (c) => c.spec.network.serviceCIDR },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkCluster },
  compared: [
    ['spec', 'network', 'podCIDR'],
    ['spec', 'sync', 'maxPrunePercent'],
    ['spec', 'sync', 'maxPruneObjects'],
  ],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [CLUSTER_DOMAIN, POD_NETWORK],
  sealed: [],
  reach: { how: 'shared', ...WHOLE },
  recovery: 'with the first sync',
  subresources: [],
};
