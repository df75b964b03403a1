/** ReplicaSet: keeps a number of pods of one template. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { replicaSetHealth } from '../health/workloads.ts';
import { checkReplicaSet } from '../manifests/checks/check-workloads.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const REPLICA_SET: KindDescriptor<'ReplicaSet'> = {
  identity: KINDS.ReplicaSet,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'DESIRED', cell: (r) => String(r.spec.replicas) },
    { heading: 'CURRENT', cell: (r) => String(r.status?.replicas ?? 0) },
    { heading: 'READY', cell: (r) => String(r.status?.readyReplicas ?? 0) },
    AGE,
    { heading: 'IMAGES', wide: true, cell: (r) => r.spec.template.spec.containers.map((c) => c.image).join(',') },
  ],
  listed: 'by key',
  check: { object: checkReplicaSet },
  compared: 'none',
  podTemplate: {
    ...TEMPLATE,
    rollout: 'none',
    makes: { filled: (_set, template) => template, most: ({ spec }) => spec.replicas },
  },
  references: referencesOfTemplate,
  owns: ['Pod'],
  summary: {
    /** One of an earlier template that has no pod any more is past. */
    of: ({ spec, status }) =>
      spec.replicas === 0 && (status?.replicas ?? 0) === 0
        ? undefined
        : `${status?.readyReplicas ?? 0} of ${spec.replicas} ready`,
  },
  selector: { of: ({ spec }) => spec.selector },
  scale: { replicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] },
  placement: 'none',
  health: { judge: replicaSetHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [neverChanges('spec', 'selector')],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 40 },
  subresources: [],
};
