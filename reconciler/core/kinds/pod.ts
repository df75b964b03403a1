/** Pod: what all others are about. */
import {
  conditionIsTrue,
  isSidecar,
  KINDS,
  lastingContainers,
  type ContainerStatus,
  type Pod,
} from '../../../contracts/objects/index.ts';
import { podReferences } from '../../../contracts/objects/pod-references.ts';
import { POD_FIELDS, resizeNote } from '../diff/pod-fields.ts';
import { podHealth } from '../health/pod.ts';
import { AGE, NAME, NONE, type Seen } from './columns.ts';
import { WITHOUT_STATUS, type KindDescriptor } from './descriptor.ts';
import { podStatusWord } from './pod-status-word.ts';

export const POD: KindDescriptor<'Pod'> = {
  identity: KINDS.Pod,
  wave: 3,
  categories: ['all'],
  columns: [
    NAME,
    {
      heading: 'READY',
      cell: (pod) => `${statuses(pod).filter((c) => c.ready).length}/${lastingContainers(pod.spec).length}`,
    },
    { heading: 'STATUS', cell: (pod, { unheard }) => (isPastKnowing(pod, unheard) ? 'Unknown' : podStatusWord(pod)) },
    { heading: 'RESTARTS', cell: (pod) => String(statuses(pod).reduce((sum, c) => sum + c.restartCount, 0)) },
    AGE,
    { heading: 'IP', wide: true, cell: (pod) => pod.status?.podIP ?? NONE },
    { heading: 'NODE', wide: true, cell: (pod) => pod.spec.nodeName ?? NONE },
    { heading: 'NOMINATED NODE', wide: true, cell: ({ status }) => status?.nominatedNodeName ?? NONE },
    { heading: 'READINESS GATES', wide: true, cell: gatesCell },
  ],
  listed: 'by key',
  check: 'by its schema',
  compared: 'none',
  podTemplate: { path: [], of: (pod) => pod, rollout: 'none', makes: 'none', inPlace: resizeNote },
  references: {
    of: ({ metadata, spec }) =>
      podReferences(spec, metadata.name).map((reference) => ({ ...reference, path: ['spec', ...reference.path] })),
  },
  owns: [],
  // Pods have a list of their own, wherever they are explained.
  summary: { of: () => undefined },
  selector: 'none',
  scale: 'none',
  placement: 'state',
  health: { judge: podHealth, shown: 'always' },
  // Its node stops the containers, and says so. A pod without a node has none.
  deletion: {
    graceSeconds: ({ spec }) => (spec.nodeName === undefined ? undefined : spec.terminationGracePeriodSeconds),
  },
  fixed: POD_FIELDS,
  sealed: [],
  reach: { how: 'followed', ...WITHOUT_STATUS },
  recovery: { from: 'nodes', order: 50 },
  subresources: ['log', 'exec', 'eviction', 'ephemeralcontainers'],
};

function gatesCell({ spec: { readinessGates = [] }, status }: Pod): string {
  const open = readinessGates.filter(({ conditionType }) => conditionIsTrue(status?.conditions, conditionType));
  return readinessGates.length === 0 ? NONE : `${open.length}/${readinessGates.length}`;
}

/** Of those that run together: an init container that has ended is none of them. */
function statuses({ spec, status }: Pod): readonly ContainerStatus[] {
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  return [
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
    ...(status?.containerStatuses ?? []),
  ];
}

/** A pod that has ended stays ended, and one that is to go says so, whether its node is heard or not. */
function isPastKnowing(pod: Pod, unheard: Seen['unheard']): boolean {
  const over =
    pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed' || pod.metadata.deletionTimestamp !== undefined;
  return !over && pod.spec.nodeName !== undefined && unheard.has(pod.spec.nodeName);
}
