/** PodTemplate: a template that nobody makes pods of by itself. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const POD_TEMPLATE: KindDescriptor<'PodTemplate'> = {
  identity: KINDS.PodTemplate,
  wave: 1,
  categories: [],
  columns: [
    NAME,
    { heading: 'CONTAINERS', cell: (t) => t.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', cell: (t) => t.template.spec.containers.map((c) => c.image).join(',') },
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
  health: 'stored',
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
