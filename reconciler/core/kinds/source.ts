/** Source: what became of a repository's commits. */
import { KINDS, type Source, type SourcePin, type Stored } from '../../../contracts/objects/index.ts';
import { AGE, NAME, NONE, short } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';

export const SOURCE: KindDescriptor<'Source'> = {
  identity: KINDS.Source,
  wave: 0,
  categories: [],
  columns: [
    NAME,
    { heading: 'BRANCH', cell: ({ spec }) => spec.branch ?? spec.tag ?? spec.semver ?? NONE },
    { heading: 'OBSERVED', cell: (s) => short(s.status?.observedRevision) },
    { heading: 'APPLIED', cell: (s) => short(s.status?.appliedRevision) },
    { heading: 'OUTCOME', cell: (s) => s.status?.history[0]?.outcome ?? NONE },
    AGE,
    { heading: 'URL', wide: true, cell: (s) => s.spec.url },
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
  reach: { how: 'shared', form: sourceForNodes },
  recovery: { from: 'nodes', order: 0 },
  subresources: [],
};

/** Without what changes while the commit stays. */
function toldPin({ problem: _problem, ...pin }: SourcePin): SourcePin {
  return pin;
}

/** Nodes keep which commit was in force: see docs/adr/0004. */
function sourceForNodes({ apiVersion, kind, metadata, spec, status }: Stored<Source>): Source {
  const { appliedRevision, sources } = status ?? {};
  return {
    apiVersion,
    kind,
    metadata,
    spec,
    ...(appliedRevision !== undefined && {
      status: { appliedRevision, history: [], ...(sources && { sources: sources.map(toldPin) }) },
    }),
  };
}
