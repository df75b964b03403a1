/** ReplicationController: what a ReplicaSet was before it. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { replicaSetHealth } from '../health/workloads.ts';
import { checkReplicationController } from '../manifests/checks/check-workloads.ts';
import { AGE, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const REPLICATION_CONTROLLER: KindDescriptor<'ReplicationController'> = {
  identity: KINDS.ReplicationController,
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
  check: { object: checkReplicationController },
  compared: 'none',
  podTemplate: {
    ...TEMPLATE,
    rollout: 'none',
    makes: { filled: (_controller, template) => template, most: ({ spec }) => spec.replicas },
  },
  references: referencesOfTemplate,
  owns: ['Pod'],
  summary: 'none',
  selector: { of: ({ spec }) => ({ matchLabels: spec.selector }) },
  scale: { replicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] },
  placement: 'none',
  health: { judge: replicaSetHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 41 },
  subresources: [],
};
