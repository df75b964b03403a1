/** CustomResourceDefinition: a kind that the repository brings along. What becomes of its objects is in custom.ts. */
import { findCondition, KINDS, type CustomResourceDefinition } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { degraded, healthy, progressing, type Health } from '../health/health.ts';
import { checkDefinition } from '../manifests/checks/check-definition.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const CUSTOM_RESOURCE_DEFINITION: KindDescriptor<'CustomResourceDefinition'> = {
  identity: KINDS.CustomResourceDefinition,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'CREATED AT', cell: ({ metadata }) => metadata.creationTimestamp ?? '<unknown>' },
    { ...AGE, wide: true },
  ],
  listed: 'by key',
  check: { object: checkDefinition },
  compared: [['spec', 'names', 'kind']],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: { judge: definitionHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [
    neverChanges('spec', 'group'),
    neverChanges('spec', 'scope'),
    neverChanges('spec', 'names', 'plural'),
    neverChanges('spec', 'names', 'kind'),
  ],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};

function definitionHealth(definition: CustomResourceDefinition): Health {
  const { conditions = [] } = definition.status ?? {};
  const refused = conditions.find(({ status }) => status === 'False');
  if (refused) return degraded(`${refused.reason ?? refused.type}: ${refused.message ?? ''}`);
  return findCondition(conditions, 'Established')?.status === 'True'
    ? healthy('is established')
    : progressing('has not been looked at yet');
}
