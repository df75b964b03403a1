/** Clusters in which pods take each other's place, for tests. */
import assert from 'node:assert/strict';
import {
  PodDisruptionBudgetManifest,
  PriorityClassManifest,
  type PriorityClass,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { ClusterState } from '../../../reconciler/core/scheduling/cluster-state.ts';
import { buildProfiles, type Profile } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { condition, node, pod } from '../controllers/objects.ts';

export const ARGS = { minCandidateNodesPercentage: 10, minCandidateNodesAbsolute: 100 };
const priorityClass = (name: string, value: number, more: object = {}): [string, PriorityClass] => [
  name,
  PriorityClassManifest.parse({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    ...more,
  }),
];
export const CLASSES = new Map([
  priorityClass('lowest', -10),
  priorityClass('low', 1),
  priorityClass('mid', 5),
  priorityClass('high', 10),
  priorityClass('higher', 20),
  priorityClass('polite', 10, { preemptionPolicy: 'Never' }),
]);

export interface Given {
  readonly priority?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly on?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly hostPort?: number;
  /** Seconds after the epoch. */
  readonly start?: number | undefined;
  readonly terminating?: boolean;
  readonly ready?: boolean;
  readonly nominated?: string;
  readonly spec?: object;
}

let counter = 0;
export function stored(
  name: string,
  { priority, cpu = '1', memory, on, labels, hostPort, start, terminating, ready = true, nominated, spec }: Given = {},
): StoredPod {
  const container = {
    name: 'app',
    image: 'app:v1',
    resources: { requests: { cpu, ...(memory && { memory }) } },
    ...(hostPort && { ports: [{ containerPort: 80, hostPort }] }),
  };
  const given = pod(name, {
    containers: [container],
    ...(priority && { priorityClassName: priority }),
    ...(on && { nodeName: on }),
    ...spec,
  });
  const version = String(++counter);
  return {
    ...given,
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      resourceVersion: version,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(labels && { labels }),
      ...(terminating && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    status: {
      phase: on === undefined ? 'Pending' : 'Running',
      conditions: [condition('Ready', ready ? 'True' : 'False')],
      ...(start !== undefined && { startTime: new Date(start * 1000).toISOString() }),
      ...(nominated && { nominatedNodeName: nominated }),
    },
  };
}
export function budget(
  name: string,
  labels: Readonly<Record<string, string>> | undefined,
  disruptionsAllowed: number,
  more: object = {},
): StoredPodDisruptionBudget {
  const made = PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name },
    spec: { maxUnavailable: 1, ...(labels && { selector: { matchLabels: labels } }) },
  });
  const metadata = {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: String(++counter),
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return {
    ...made,
    metadata,
    status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, ...more },
  };
}

/** Nodes of two cores each, unless the description says more, and pods on them. */
export function clusterOf(
  nodes: readonly string[],
  pods: readonly StoredPod[] = [],
  budgets: readonly StoredPodDisruptionBudget[] = [],
  allocatable: Record<string, string> = { cpu: '2', memory: '4Gi', pods: '10' },
): ClusterState {
  const cluster = new ClusterState();
  cluster.priorityClasses = CLASSES;
  for (const name of nodes)
    cluster.setNode(node(name, { allocatable, labels: { 'topology.kubernetes.io/zone': `zone-${name}` } }));
  for (const p of pods) cluster.setPod(p);
  cluster.setBudgets('default', budgets);
  return cluster;
}
export function profile(): Profile {
  const found = buildProfiles(undefined).profiles.get('default-scheduler');
  assert.ok(found);
  return found;
}
export function schedulerOf(cluster: ClusterState): Scheduler {
  return new Scheduler(cluster, { profiles: new Map([['default-scheduler', profile()]]), seed: 'test' });
}
export const names = (pods: readonly StoredPod[]): string[] => pods.map(({ metadata }) => metadata.name);

/** Keeps a pod from nodes with pods of the app. */
export function antiAffinity(app: string): object {
  return {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } },
      ],
    },
  };
}
