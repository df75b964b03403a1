/** IngressClass: which controller serves Ingresses of this name. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const INGRESS_CLASS: KindDescriptor<'IngressClass'> = {
  identity: KINDS.IngressClass,
  wave: 2,
  categories: [],
  columns: [
    NAME,
    { heading: 'CONTROLLER', cell: ({ spec }) => spec.controller },
    {
      heading: 'PARAMETERS',
      cell: ({ spec: { parameters } }) =>
        parameters
          ? `${parameters.kind}${parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`}/${parameters.name}`
          : NONE,
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
  health: 'stored',
  deletion: 'at once',
  fixed: [neverChanges('spec', 'controller')],
  sealed: [],
  reach: 'none',
  recovery: 'with the first sync',
  subresources: [],
};
