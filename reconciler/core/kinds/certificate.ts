/** Certificate: a key pair in a Secret, issued and renewed. */
import { findCondition, KINDS } from '../../../contracts/objects/index.ts';
import { certificateHealth } from '../health/certificates.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const CERTIFICATE: KindDescriptor<'Certificate'> = {
  identity: KINDS.Certificate,
  wave: 4,
  categories: [],
  // Source: the additionalPrinterColumns of cert-manager's CustomResourceDefinition.
  columns: [
    NAME,
    { heading: 'READY', cell: ({ status }) => findCondition(status?.conditions, 'Ready')?.status ?? 'Unknown' },
    { heading: 'SECRET', cell: ({ spec }) => spec.secretName },
    { heading: 'ISSUER', wide: true, cell: ({ spec }) => spec.issuerRef.name },
    {
      heading: 'STATUS',
      wide: true,
      cell: ({ status }) => findCondition(status?.conditions, 'Ready')?.message ?? NONE,
    },
    { heading: 'RENEWAL', wide: true, cell: ({ status }) => status?.renewalTime ?? NONE },
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
  health: { judge: certificateHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
