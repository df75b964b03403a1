/** GatewayClass: which controller serves Gateways of this name. */
import { findCondition, KINDS } from '../../../contracts/objects/index.ts';
import { gatewayClassHealth } from '../health/gateway.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const GATEWAY_CLASS: KindDescriptor<'GatewayClass'> = {
  identity: KINDS.GatewayClass,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'CONTROLLER', cell: ({ spec }) => spec.controllerName },
    { heading: 'ACCEPTED', cell: ({ status }) => findCondition(status?.conditions, 'Accepted')?.status ?? 'Unknown' },
    AGE,
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
  placement: 'none',
  health: { judge: gatewayClassHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [neverChanges('spec', 'controllerName')],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
