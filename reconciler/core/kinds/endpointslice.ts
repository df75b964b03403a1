/** EndpointSlice: the addresses behind a Service. */
import { KINDS, type EndpointSlice } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE } from './columns.ts';
import { WHOLE, type KindDescriptor } from './descriptor.ts';

export const ENDPOINT_SLICE: KindDescriptor<'EndpointSlice'> = {
  identity: KINDS.EndpointSlice,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'ADDRESSTYPE', cell: (e) => e.addressType },
    { heading: 'PORTS', cell: (e) => e.ports.map((p) => String(p.port)).join(',') || NONE },
    {
      heading: 'ENDPOINTS',
      cell: (e) =>
        ready(e)
          .flatMap((x) => x.addresses)
          .join(',') || NONE,
    },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: [['addressType']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: { of: (e) => `${ready(e).length} of ${e.endpoints.length} endpoints ready` },
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: { how: 'shared', ...WHOLE },
  recovery: { from: 'computed', order: 60 },
  subresources: [],
};

function ready({ endpoints }: EndpointSlice): EndpointSlice['endpoints'] {
  return endpoints.filter((endpoint) => endpoint.conditions.ready);
}
