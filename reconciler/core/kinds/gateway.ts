/** Gateway: ports at which requests from outside are taken. */
import { findCondition, KINDS } from '../../../contracts/objects/index.ts';
import { gatewayHealth } from '../health/gateway.ts';
import { checkGateway } from '../manifests/checks/check-gateway.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const GATEWAY: KindDescriptor<'Gateway'> = {
  identity: KINDS.Gateway,
  wave: 4,
  categories: [],
  columns: [
    NAME,
    { heading: 'CLASS', cell: ({ spec }) => spec.gatewayClassName },
    { heading: 'ADDRESS', cell: ({ status }) => (status?.addresses ?? []).map(({ value }) => value).join(',') },
    {
      heading: 'PROGRAMMED',
      cell: ({ status }) => findCondition(status?.conditions, 'Programmed')?.status ?? 'Unknown',
    },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkGateway },
  compared: [['spec', 'gatewayClassName']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: gatewayHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
