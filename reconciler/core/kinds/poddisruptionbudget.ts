/** PodDisruptionBudget: how many of some pods may be evicted. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { disruptionBudgetHealth } from '../health/pod-sets.ts';
import { checkDisruptionBudget } from '../manifests/checks/check-scheduling.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const POD_DISRUPTION_BUDGET: KindDescriptor<'PodDisruptionBudget'> = {
  identity: KINDS.PodDisruptionBudget,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'MIN AVAILABLE', cell: (b) => String(b.spec.minAvailable ?? 'N/A') },
    { heading: 'MAX UNAVAILABLE', cell: (b) => String(b.spec.maxUnavailable ?? 'N/A') },
    { heading: 'ALLOWED DISRUPTIONS', cell: (b) => String(b.status?.disruptionsAllowed ?? 0) },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkDisruptionBudget },
  compared: [
    ['spec', 'minAvailable'],
    ['spec', 'maxUnavailable'],
  ],
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: { of: ({ spec }) => spec.selector },
  scale: 'none',
  placement: 'setting',
  health: { judge: disruptionBudgetHealth, shown: 'when not healthy' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
