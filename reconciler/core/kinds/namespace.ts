/** Namespace: what is in it goes with it. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkNamespace } from '../manifests/checks/check-namespace.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const NAMESPACE: KindDescriptor<'Namespace'> = {
  identity: KINDS.Namespace,
  wave: 0,
  categories: [],
  columns: [NAME, { heading: 'STATUS', cell: (n) => n.status?.phase ?? 'Active' }, AGE],
  listed: 'by key',
  check: { object: checkNamespace },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  placement: 'rule',
  health: 'stored',
  deletion: 'after its contents',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
