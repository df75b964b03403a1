/** Endpoints: addresses behind a Service that a manifest lists in the older form. */
import { KINDS, type Endpoints } from '../../../contracts/objects/index.ts';
import { healthy } from '../health/health.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const ENDPOINTS: KindDescriptor<'Endpoints'> = {
  identity: KINDS.Endpoints,
  wave: 2,
  categories: [],
  columns: [NAME, { heading: 'ENDPOINTS', cell: (e) => addressesOf(e).join(',') || NONE }, AGE],
  listed: 'by key',
  check: 'by its schema',
  compared: [['subsets']],
  podTemplate: 'none',
  references: 'none',
  owns: ['EndpointSlice'],
  summary: 'none',
  // Its slices are named by its uid alone.
  selector: { of: () => undefined },
  scale: 'none',
  placement: 'none',
  health: { judge: (e) => healthy(`lists ${addressesOf(e).length} ready addresses`), shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 25 },
  subresources: [],
};

function addressesOf({ subsets }: Endpoints): readonly string[] {
  return subsets.flatMap(({ addresses, ports }) =>
    addresses.flatMap(({ ip }) => (ports.length === 0 ? [ip] : ports.map(({ port }) => `${ip}:${port}`))),
  );
}
