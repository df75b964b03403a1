/** AppSet: Apps that are generated from the commit itself. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkAppSet, GENERATOR_NAMES, pathsOfAppSet } from '../manifests/checks/check-app-set.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const APP_SET: KindDescriptor<'AppSet'> = {
  identity: KINDS.AppSet,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    {
      heading: 'GENERATORS',
      cell: ({ spec }) =>
        spec.generators.map((one) => GENERATOR_NAMES.find((name) => one[name] !== undefined)).join(','),
    },
    { heading: 'APPS', cell: ({ spec }) => spec.template.metadata.name },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkAppSet },
  compared: { paths: ({ spec }) => pathsOfAppSet(spec) },
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
