/** StatefulSet: keeps pods that have names of their own, in order. */
import { KINDS, type PodTemplateSpec, type StatefulSet } from '../../../contracts/objects/index.ts';
import { readKey } from '../../../contracts/objects/own-key.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { statefulSetHealth } from '../health/statefulset.ts';
import { checkStatefulSet } from '../manifests/checks/check-statefulset.ts';
import { REVISION_LABEL } from '../workloads/revision-history.ts';
import { filledFor, ordinalOf } from '../workloads/stateful-pod.ts';
import { templateHash } from '../workloads/template.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor, PodPlace } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const STATEFUL_SET: KindDescriptor<'StatefulSet'> = {
  identity: KINDS.StatefulSet,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'READY', cell: (s) => `${s.status?.readyReplicas ?? 0}/${s.spec.replicas}` },
    AGE,
    { heading: 'CONTAINERS', wide: true, cell: (s) => s.spec.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', wide: true, cell: (s) => s.spec.template.spec.containers.map((c) => c.image).join(',') },
  ],
  listed: 'by key',
  check: { object: checkStatefulSet },
  compared: 'none',
  // A new pod comes when the old one of its ordinal has gone: none stands beside another.
  podTemplate: {
    ...TEMPLATE,
    addedVolumes: ({ spec }) => (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
    rollout: 'none',
    makes: { filled: filledForPlace, most: () => Infinity, placeOf },
  },
  references: referencesOfTemplate,
  owns: ['ControllerRevision', 'Pod'],
  summary: 'none',
  selector: { of: ({ spec }) => spec.selector },
  scale: { replicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] },
  placement: 'none',
  health: { judge: statefulSetHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [
    neverChanges('spec', 'selector'),
    neverChanges('spec', 'serviceName'),
    neverChanges('spec', 'podManagementPolicy'),
    neverChanges('spec', 'volumeClaimTemplates'),
  ],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 42 },
  subresources: [],
};

/**
 * Whatever the ordinal: how many pods there are to be may not be known, and those beyond are ended in order. Names are
 * there once, so that no number has to bound them. A revision may have had another hash in its name.
 */
function filledForPlace(
  set: StatefulSet,
  template: PodTemplateSpec,
  { name, labels }: PodPlace,
): PodTemplateSpec | undefined {
  const ordinal = ordinalOf(set, name);
  if (ordinal === undefined) return undefined;
  const told = readKey(labels, REVISION_LABEL) ?? '';
  const isOwn =
    told.startsWith(`${set.metadata.name}-`) && /^[a-z0-9]{1,32}$/.test(told.slice(set.metadata.name.length + 1));
  return filledFor(set, { name: isOwn ? told : `${set.metadata.name}-${templateHash(template)}`, template }, ordinal);
}

/** Below the first ordinal is none. */
function placeOf(set: StatefulSet, name: string): number | undefined {
  const ordinal = ordinalOf(set, name);
  return ordinal === undefined ? undefined : Math.max(0, ordinal - set.spec.ordinals.start);
}
