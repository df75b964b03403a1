/** What the kinds of issuers have alike: all but what they are called, and for which namespaces they are. */
import { findCondition, type ClusterIssuer, type Issuer } from '../../../contracts/objects/index.ts';
import { issuerHealth } from '../health/certificates.ts';
import { AGE, NAME, NONE } from './columns.ts';

type Told = Pick<Issuer | ClusterIssuer, 'status'>;

export const ISSUER_KIND = {
  wave: 1,
  categories: [],
  columns: [
    NAME,
    {
      heading: 'READY',
      cell: ({ status }: Told): string => findCondition(status?.conditions, 'Ready')?.status ?? 'Unknown',
    },
    {
      heading: 'STATUS',
      wide: true,
      cell: ({ status }: Told): string => findCondition(status?.conditions, 'Ready')?.message ?? NONE,
    },
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
  health: { judge: issuerHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
} as const;
