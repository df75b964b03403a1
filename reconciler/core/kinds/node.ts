/** Node: what is known of a server. Made from its Machine and from what its agent reports. */
import { findCondition, KINDS } from '../../../contracts/objects/index.ts';
import { nodeHealth } from '../health/machine.ts';
import { nodeForRoutes } from '../nodes/node-form.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const NODE: KindDescriptor<'Node'> = {
  identity: KINDS.Node,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    {
      heading: 'STATUS',
      cell: (n) => {
        const ready = findCondition(n.status?.conditions, 'Ready')?.status ?? 'Unknown';
        return `${ready === 'True' ? 'Ready' : ready === 'False' ? 'NotReady' : 'Unknown'}${n.spec.unschedulable ? ',SchedulingDisabled' : ''}`;
      },
    },
    AGE,
    { heading: 'VERSION', cell: (n) => n.status?.nodeInfo?.agentVersion ?? NONE },
    {
      heading: 'INTERNAL-IP',
      wide: true,
      cell: (n) => n.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? NONE,
    },
    { heading: 'OS-IMAGE', wide: true, cell: (n) => n.status?.nodeInfo?.osImage ?? NONE },
    { heading: 'KERNEL-VERSION', wide: true, cell: (n) => n.status?.nodeInfo?.kernelVersion ?? NONE },
    { heading: 'CONTAINER-RUNTIME', wide: true, cell: (n) => n.status?.nodeInfo?.containerRuntimeVersion ?? NONE },
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'state',
  health: { judge: nodeHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: { how: 'shared', form: nodeForRoutes },
  recovery: { from: 'nodes', order: 10 },
  subresources: [],
};
