/** DaemonSet: keeps a pod of a template on every node that should have one. */
import { KINDS } from '../../../contracts/objects/index.ts';
import { neverChanges } from '../diff/fixed-fields.ts';
import { daemonSetHealth } from '../health/daemonset.ts';
import { checkDaemonSet } from '../manifests/checks/check-workloads.ts';
import { podOfRevision } from '../workloads/daemon-pod.ts';
import { withLargerDaemonSteps } from '../workloads/daemon-rollout.ts';
import { AGE, labelsText, NAME } from './columns.ts';
import type { KindDescriptor } from './descriptor.ts';
import { referencesOfTemplate, TEMPLATE } from './template.ts';

export const DAEMON_SET: KindDescriptor<'DaemonSet'> = {
  identity: KINDS.DaemonSet,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    { heading: 'DESIRED', cell: (d) => String(d.status?.desiredNumberScheduled ?? 0) },
    { heading: 'CURRENT', cell: (d) => String(d.status?.currentNumberScheduled ?? 0) },
    { heading: 'READY', cell: (d) => String(d.status?.numberReady ?? 0) },
    { heading: 'UP-TO-DATE', cell: (d) => String(d.status?.updatedNumberScheduled ?? 0) },
    { heading: 'AVAILABLE', cell: (d) => String(d.status?.numberAvailable ?? 0) },
    { heading: 'NODE SELECTOR', cell: (d) => labelsText(d.spec.template.spec.nodeSelector) },
    AGE,
    { heading: 'CONTAINERS', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.name).join(',') },
    { heading: 'IMAGES', wide: true, cell: (d) => d.spec.template.spec.containers.map((c) => c.image).join(',') },
    { heading: 'SELECTOR', wide: true, cell: (d) => labelsText(d.spec.selector.matchLabels) },
  ],
  listed: 'by key',
  check: { object: checkDaemonSet },
  compared: 'none',
  podTemplate: {
    ...TEMPLATE,
    rollout: {
      isRolling: ({ spec }) => spec.updateStrategy.type === 'RollingUpdate',
      hurried: (daemonSet) => ({
        ...daemonSet,
        spec: withLargerDaemonSteps(daemonSet.spec, daemonSet.status?.desiredNumberScheduled ?? 0),
      }),
    },
    makes: {
      filled: (_daemonSet, template, { nodeName, labels, annotations }) =>
        podOfRevision(template, nodeName, labels, annotations),
      // One for each node. Of more on one node its controller lets one stay.
      most: () => Number.POSITIVE_INFINITY,
    },
  },
  references: referencesOfTemplate,
  owns: ['Pod', 'ControllerRevision'],
  summary: 'none',
  selector: { of: ({ spec }) => spec.selector },
  // Its nodes say how many pods it has, and nobody scales it.
  scale: 'none',
  placement: 'none',
  health: { judge: daemonSetHealth, shown: 'always' },
  deletion: 'at once',
  fixed: [neverChanges('spec', 'selector')],
  sealed: [],
  reach: 'none',
  recovery: { from: 'git', order: 35 },
  subresources: [],
};
