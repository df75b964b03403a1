/** App: what an engine makes manifests of. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { checkApp, pathsOfApp } from '../manifests/checks/check-app.ts';
import { AGE, NAME, NONE } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const APP: KindDescriptor<'App'> = {
  identity: KINDS.App,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'ENGINE', cell: ({ spec }) => (spec.helm ? 'helm' : spec.kustomize ? 'kustomize' : 'auto') },
    { heading: 'SOURCE', cell: ({ spec }) => spec.path ?? spec.helm?.chart?.name ?? NONE },
    { heading: 'NAMESPACE', cell: ({ spec }) => spec.namespace ?? NONE },
    AGE,
  ],
  listed: 'by key',
  check: { object: checkApp },
  compared: { paths: ({ spec }) => pathsOfApp(spec) },
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
