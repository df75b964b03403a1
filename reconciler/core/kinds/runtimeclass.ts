/** RuntimeClass: how the container runtime runs pods. */
import { KINDS, type KubeObject, type StoredOf } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { checkRuntimeClass } from '../manifests/checks/check-runtime-class.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const RUNTIME_CLASS: KindDescriptor<'RuntimeClass'> = {
  identity: KINDS.RuntimeClass,
  wave: 0,
  categories: [],
  columns: [NAME, { heading: 'HANDLER', cell: ({ handler }) => handler }, AGE],
  listed: 'by key',
  check: { object: checkRuntimeClass },
  compared: 'none',
  podTemplate: 'none',
  references: 'none',
  owns: [],
  summary: 'none',
  selector: 'none',
  scale: 'none',
  // Pods have it from their making on: a change says nothing of those that wait.
  placement: 'none',
  health: 'stored',
  deletion: 'at once',
  fixed: [neverChanges('handler')],
  sealed: [],
  // Of what a class gives to pods they tell themselves.
  reach: {
    how: 'followed',
    form: ({ overhead: _overhead, scheduling: _scheduling, ...rest }: StoredOf<'RuntimeClass'>): KubeObject => rest,
  },
  recovery: 'with the first sync',
  subresources: [],
};
