/** Deployment: keeps pods of a template by way of ReplicaSets. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { deploymentHealth } from '../health/workloads.ts';
import { checkDeployment } from '../manifests/checks/check-workloads.ts';
import { withLargerSteps } from '../workloads/rollout-numbers.ts';
import { AGE, labelsText, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const DEPLOYMENT: KindDescriptor<'Deployment'> = {
  identity: KINDS.Deployment,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'READY', cell: (d) => `${d.status?.readyReplicas ?? 0}/${d.spec.replicas}` },
    { heading: 'UP-TO-DATE', cell: (d) => String(d.status?.updatedReplicas ?? 0) },
    { heading: 'AVAILABLE', cell: (d) => String(d.status?.availableReplicas ?? 0) },
    AGE,
    { heading: 'CONTAINERS', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.image).join(',') },
    { heading: 'SELECTOR', wide: true, cell: (d) => labelsText(d.spec.selector.matchLabels) },
  ],
  listed: 'by key',
  check: { object: checkDeployment },
  compared: 'none',
  podTemplate: {
    ...TEMPLATE,
    rollout: {
      isRolling: ({ spec }) => !spec.paused && spec.strategy.type === 'RollingUpdate',
      hurried: (deployment) => ({ ...deployment, spec: withLargerSteps(deployment.spec) }),
    },
    makes: 'none',
  },
  references: referencesOfTemplate,
  owns: ['ReplicaSet'],
  summary: 'none',
  selector: { of: ({ spec }) => spec.selector },
  scale: { replicas: ['spec', 'replicas'], statusReplicas: ['status', 'replicas'] },
  placement: 'none',
  health: { judge: deploymentHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [neverChanges('spec', 'selector')],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 30 },
  subresources: [],
};
