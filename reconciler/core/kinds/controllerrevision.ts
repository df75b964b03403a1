/** ControllerRevision: a template that a DaemonSet or StatefulSet has or had. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { controllerOf } from '../workloads/owners.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const CONTROLLER_REVISION: KindDescriptor<'ControllerRevision'> = {
  identity: KINDS.ControllerRevision,
  wave: 3,
  categories: [],
  columns: [
    NAME,
    {
      heading: 'CONTROLLER',
      cell: ({ metadata }) => {
        const owner = controllerOf(metadata);
        return owner ? `${owner.kind.toLowerCase()}/${owner.name}` : NONE;
      },
    },
    { heading: 'REVISION', cell: ({ revision }) => String(revision) },
    AGE,
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: { of: ({ revision }) => `revision ${revision}` },
  selector: 'none',
  scale: 'none',
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: { from: 'computed', order: 45 },
  subresources: [],
};
