/** One state of one kind a row. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HorizontalPodAutoscalerManifest,
  PodDisruptionBudgetManifest,
  PodGroupManifest,
  PriorityClassManifest,
  type Condition,
  type ContainerState,
  type Deployment,
  type HorizontalPodAutoscaler,
  type KubeObject,
  type Pod,
  type PodDisruptionBudget,
  type PodGroup,
  type ReplicaSet,
  type Service,
} from '../../../contracts/objects/index.ts';
import { objectHealth } from '../../../reconciler/core/health/object-health.ts';
import { condition, cluster, deployment, machine, node, pod, running, service } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';

interface Row {
  readonly name: string;
  readonly object: KubeObject | undefined;
  readonly others?: readonly KubeObject[];
  readonly status: string;
  readonly says: RegExp;
}

const ending = (...finalizers: string[]): Pick<KubeObject['metadata'], 'deletionTimestamp' | 'finalizers'> => ({
  deletionTimestamp: '2026-01-01T00:00:00Z',
  finalizers,
});
const bound = (): Pod => pod('p', { nodeName: 'n1' }, { labels: { app: 'web' } });
function inState(
  state: ContainerState,
  more: { lastState?: ContainerState; restartCount?: number; phase?: 'Failed' | 'Running' } = {},
): Pod {
  const container = {
    name: 'app',
    state,
    lastState: more.lastState ?? {},
    ready: false,
    restartCount: more.restartCount ?? 0,
    image: 'app:v1',
    imageID: '',
  };
  return { ...bound(), status: { phase: more.phase ?? 'Running', containerStatuses: [container] } };
}
const ended = (exitCode: number): ContainerState => ({
  terminated: { exitCode, reason: 'Error', startedAt: '', finishedAt: '', containerID: 'c' },
});

function rollout(
  counts: readonly [replicas: number, updated: number, available: number],
  progressing: string,
  available: 'True' | 'False',
  spec: object = {},
): Deployment {
  const [replicas, updatedReplicas, availableReplicas] = counts;
  const d = deployment(spec);
  return {
    ...d,
    metadata: { ...d.metadata, uid: 'd-uid', generation: 1 },
    status: {
      observedGeneration: 1,
      replicas,
      updatedReplicas,
      readyReplicas: availableReplicas,
      availableReplicas,
      unavailableReplicas: 0,
      conditions: [
        condition('Available', available),
        condition('Progressing', progressing === 'ProgressDeadlineExceeded' ? 'False' : 'True', {
          reason: progressing,
          message: 'told',
        }),
      ],
    },
  };
}
function replicaSet(available: number): ReplicaSet {
  const { replicas, selector, template, minReadySeconds } = deployment().spec;
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    spec: { replicas, selector, template, minReadySeconds },
    metadata: {
      name: 'web-1',
      namespace: 'default',
      uid: 'rs-uid',
      generation: 1,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd-uid', controller: true }],
    },
    status: {
      observedGeneration: 1,
      replicas: 3,
      fullyLabeledReplicas: 3,
      readyReplicas: available,
      availableReplicas: available,
    },
  };
}
const crashing: Pod = {
  ...inState({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: ended(7), restartCount: 4 }),
  metadata: {
    name: 'web-1-a',
    namespace: 'default',
    labels: { app: 'web' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'rs-uid', controller: true }],
  },
};
function autoscaler(...conditions: readonly Condition[]): HorizontalPodAutoscaler {
  const a = HorizontalPodAutoscalerManifest.parse({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: 'default' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 },
  });
  if (conditions.length === 0) return a;
  const status = { observedGeneration: 1, currentReplicas: 3, desiredReplicas: 4, conditions };
  return { ...a, metadata: { ...a.metadata, generation: 1 }, status };
}
const ABLE = condition('AbleToScale', 'True', { reason: 'ReadyForNewScale' });
const told = (reason: string): Partial<Condition> => ({ reason, message: 'told' });
function budget(reason?: string, expectedPods = 3): PodDisruptionBudget {
  const b = PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default' },
    spec: { minAvailable: 2, selector: {} },
  });
  if (reason === undefined) return b;
  const conditions = [
    condition('DisruptionAllowed', reason === 'SufficientPods' ? 'True' : 'False', { reason, message: 'told' }),
  ];
  return {
    ...b,
    metadata: { ...b.metadata, generation: 1 },
    status: {
      observedGeneration: 1,
      expectedPods,
      desiredHealthy: 2,
      currentHealthy: 2,
      disruptionsAllowed: 0,
      conditions,
    },
  };
}
function group(status?: PodGroup['status']): PodGroup {
  const g = PodGroupManifest.parse({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'g', namespace: 'default' },
    spec: { minMember: 3 },
  });
  return { ...g, ...(status && { status }) };
}
const addressed = (): Service => service('web', { clusterIP: '198.18.96.9' });
const slice = (ready: boolean): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-x', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [],
  endpoints: [{ addresses: ['198.18.1.1'], conditions: { ready, serving: ready, terminating: false } }],
});

const rows: readonly Row[] = [
  {
    name: 'deleted, held by a finalizer',
    object: { ...cluster(), metadata: { ...cluster().metadata, ...ending('example.com/x') } },
    status: 'Progressing',
    says: /^is being deleted: it waits for the finalizer example\.com\/x, .*abandonedFinalizers: \[example\.com\/x\]/,
  },
  {
    name: 'deleted in the foreground, and held by others',
    object: { ...deployment(), metadata: { name: 'web', ...ending('foregroundDeletion', 'e.com/x', 'e.com/y') } },
    status: 'Progressing',
    says: /^is being deleted: what it owns goes first; it waits for the finalizers e\.com\/x, e\.com\/y, /,
  },
  {
    name: 'with a finalizer, and not deleted',
    object: { ...cluster(), metadata: { ...cluster().metadata, finalizers: ['example.com/x'] } },
    status: 'Healthy',
    says: /in force/,
  },
  { name: 'PodDisruptionBudget new', object: budget(), status: 'Progressing', says: /not been counted yet/ },
  {
    name: 'PodDisruptionBudget that allows nothing now',
    object: budget('InsufficientPods'),
    status: 'Healthy',
    says: /2 pods are healthy, 2 have to be; 0 may be evicted/,
  },
  {
    name: 'PodDisruptionBudget over nothing',
    object: budget('InsufficientPods', 0),
    status: 'Healthy',
    says: /no pod matches/,
  },
  {
    name: 'PodDisruptionBudget that cannot count',
    object: budget('SyncFailed'),
    status: 'Degraded',
    says: /cannot be counted: told/,
  },
  { name: 'HorizontalPodAutoscaler new', object: autoscaler(), status: 'Progressing', says: /not been looked at yet/ },
  {
    name: 'HorizontalPodAutoscaler that measures',
    object: autoscaler(ABLE, condition('ScalingActive', 'True', told('ValidMetricFound'))),
    status: 'Healthy',
    says: /^wants 4 pods of Deployment web$/,
  },
  {
    name: 'HorizontalPodAutoscaler at its most',
    object: autoscaler(
      ABLE,
      condition('ScalingActive', 'True', told('ValidMetricFound')),
      condition('ScalingLimited', 'True', { reason: 'TooManyReplicas', message: 'the limit' }),
    ),
    status: 'Healthy',
    says: /^wants 4 pods of Deployment web; the limit$/,
  },
  {
    name: 'HorizontalPodAutoscaler without metrics',
    object: autoscaler(ABLE, condition('ScalingActive', 'False', told('FailedGetResourceMetric'))),
    status: 'Degraded',
    says: /^FailedGetResourceMetric: told$/,
  },
  {
    name: 'HorizontalPodAutoscaler without a target',
    object: autoscaler(condition('AbleToScale', 'False', told('FailedGetScale'))),
    status: 'Degraded',
    says: /^FailedGetScale: told$/,
  },
  {
    name: 'HorizontalPodAutoscaler of a target that is scaled to none',
    object: autoscaler(ABLE, condition('ScalingActive', 'False', told('ScalingDisabled'))),
    status: 'Suspended',
    says: /^told$/,
  },
  { name: 'PodGroup new', object: group(), status: 'Progressing', says: /not been counted yet/ },
  {
    name: 'PodGroup that waits',
    object: group({ phase: 'Scheduling', running: 1, succeeded: 0, failed: 0 }),
    status: 'Progressing',
    says: /1 of 3 pods run/,
  },
  {
    name: 'PodGroup that runs',
    object: group({ phase: 'Running', running: 3, succeeded: 0, failed: 0 }),
    status: 'Healthy',
    says: /3 of 3 pods run/,
  },
  {
    name: 'PodGroup with failed pods',
    object: group({ phase: 'Failed', running: 2, succeeded: 0, failed: 1 }),
    status: 'Degraded',
    says: /1 of its pods failed/,
  },
  {
    name: 'PriorityClass',
    status: 'Healthy',
    says: /is in force/,
    object: PriorityClassManifest.parse({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'high' },
      value: 1,
    }),
  },
  { name: 'nothing', object: undefined, status: 'Missing', says: /not in the cluster/ },
  { name: 'Pod ready', object: running(bound(), true), status: 'Healthy', says: /running on n1/ },
  {
    name: 'Pod not ready',
    object: inState({ running: { startedAt: '' } }),
    status: 'Progressing',
    says: /app runs on n1 and is not ready/,
  },
  { name: 'Pod waiting', object: pod('p'), status: 'Progressing', says: /waits to be scheduled/ },
  {
    name: 'Pod unschedulable',
    status: 'Progressing',
    says: /not scheduled: 0\/3 nodes are available/,
    object: {
      ...pod('p'),
      status: {
        phase: 'Pending',
        conditions: [
          condition('PodScheduled', 'False', {
            reason: 'Unschedulable',
            message: '0/3 nodes are available: 3 Insufficient cpu.',
          }),
        ],
      },
    },
  },
  {
    name: 'Pod creating',
    object: inState({ waiting: { reason: 'ContainerCreating' } }),
    status: 'Progressing',
    says: /ContainerCreating on n1/,
  },
  {
    name: 'Pod that gets no sandbox',
    object: inState({ waiting: { reason: 'ContainerCreating', message: 'Failed to create pod sandbox: no image' } }),
    status: 'Progressing',
    says: /ContainerCreating on n1: Failed to create pod sandbox: no image/,
  },
  {
    name: 'Pod crashing',
    object: crashing,
    status: 'Degraded',
    says: /CrashLoopBackOff; last exit code 7 \(Error\), 4 restarts/,
  },
  {
    name: 'Pod without image',
    object: inState({ waiting: { reason: 'ImagePullBackOff', message: 'not found' } }),
    status: 'Degraded',
    says: /ImagePullBackOff: not found/,
  },
  {
    name: 'Pod failed',
    object: inState(ended(3), { phase: 'Failed' }),
    status: 'Degraded',
    says: /failed: container app: exit code 3/,
  },
  {
    name: 'Pod evicted',
    object: { ...bound(), status: { phase: 'Failed', reason: 'Evicted' } },
    status: 'Degraded',
    says: /Evicted/,
  },
  {
    name: 'Pod completed',
    object: { ...bound(), status: { phase: 'Succeeded' } },
    status: 'Healthy',
    says: /completed/,
  },
  {
    name: 'Pod going',
    object: { ...bound(), metadata: { ...bound().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    status: 'Progressing',
    says: /being deleted/,
  },
  { name: 'Deployment new', object: deployment(), status: 'Progressing', says: /not been looked at/ },
  {
    name: 'Deployment complete',
    object: rollout([3, 3, 3], 'NewReplicaSetAvailable', 'True'),
    status: 'Healthy',
    says: /3 of 3/,
  },
  {
    name: 'Deployment rolling',
    object: rollout([4, 1, 3], 'ReplicaSetUpdated', 'True'),
    status: 'Progressing',
    says: /1 of 3 pods have the new template/,
  },
  {
    name: 'Deployment with old pods',
    object: rollout([4, 3, 3], 'ReplicaSetUpdated', 'True'),
    status: 'Progressing',
    says: /1 old pods/,
  },
  {
    name: 'Deployment with old pods, as a new one crashes',
    object: rollout([4, 3, 3], 'ReplicaSetUpdated', 'True'),
    others: [replicaSet(0), crashing],
    status: 'Progressing',
    says: /1 old pods are still to go; pod web-1-a: container app: CrashLoopBackOff.* last exit code 7/,
  },
  {
    name: 'Deployment starting, a pod crashes',
    object: rollout([3, 3, 0], 'ReplicaSetUpdated', 'False'),
    others: [replicaSet(0), crashing],
    status: 'Progressing',
    says: /0 of 3 .*pod web-1-a: container app: CrashLoopBackOff/,
  },
  {
    name: 'Deployment stuck',
    object: rollout([3, 3, 0], 'ProgressDeadlineExceeded', 'False'),
    others: [replicaSet(0), crashing],
    status: 'Degraded',
    says: /told; pod web-1-a/,
  },
  {
    name: 'Deployment that broke later',
    object: rollout([3, 3, 1], 'NewReplicaSetAvailable', 'False'),
    status: 'Degraded',
    says: /1 of 3/,
  },
  {
    name: 'Deployment paused',
    object: rollout([3, 3, 3], 'DeploymentPaused', 'True', { paused: true }),
    status: 'Suspended',
    says: /paused/,
  },
  { name: 'ReplicaSet short', object: replicaSet(2), status: 'Progressing', says: /2 of 3/ },
  { name: 'ReplicaSet full', object: replicaSet(3), status: 'Healthy', says: /3 of 3/ },
  { name: 'Service without address', object: service('web'), status: 'Progressing', says: /waits for its address/ },
  {
    name: 'Service refused',
    object: {
      ...addressed(),
      status: { conditions: [condition('AddressesAllocated', 'False', { message: 'taken' })] },
    },
    status: 'Degraded',
    says: /taken/,
  },
  { name: 'Service without pods', object: addressed(), status: 'Healthy', says: /no pod matches/ },
  {
    name: 'Service not ready',
    object: addressed(),
    others: [bound(), slice(false)],
    status: 'Progressing',
    says: /none of 1/,
  },
  { name: 'Service ready', object: addressed(), others: [bound(), slice(true)], status: 'Healthy', says: /1 of 1/ },
  { name: 'Node ready', object: node('n1'), status: 'Healthy', says: /is ready/ },
  {
    name: 'Node cordoned',
    object: node('n1', { spec: { unschedulable: true } }),
    status: 'Healthy',
    says: /scheduling disabled/,
  },
  { name: 'Node silent', object: node('n1', { ready: 'Unknown' }), status: 'Degraded', says: /not ready/ },
  {
    name: 'Node with a firewall in the way',
    status: 'Degraded',
    says: /network is not as it should be: NetworkSyncFailed: chain ip filter FORWARD drops/,
    object: {
      ...node('n1'),
      status: {
        conditions: [
          condition('Ready', 'True'),
          condition('NetworkUnavailable', 'True', {
            reason: 'NetworkSyncFailed',
            message: 'chain ip filter FORWARD drops',
          }),
        ],
      },
    },
  },
  { name: 'Node new', object: { ...node('n1'), status: {} }, status: 'Progressing', says: /not reported/ },
  { name: 'Machine without Node', object: machine('n1'), status: 'Progressing', says: /not been made/ },
  { name: 'Machine with Node', object: machine('n1'), others: [node('n1')], status: 'Healthy', says: /is ready/ },
  {
    name: 'Machine in trouble',
    object: {
      ...machine('n1'),
      status: { conditions: [condition('Connected', 'False', { reason: 'HostKeyChanged', message: 'another key' })] },
    },
    others: [node('n1')],
    status: 'Degraded',
    says: /Connected: HostKeyChanged: another key/,
  },
  { name: 'Cluster', object: cluster(), status: 'Healthy', says: /in force/ },
];

describe('health', () => {
  for (const row of rows) {
    it(`${row.name}: ${row.status}`, () => {
      const w = new World();
      for (const other of row.others ?? []) w.put(other);
      const health = objectHealth(row.object, w);
      assert.equal(health.status, row.status, health.message);
      assert.match(health.message, row.says);
    });
  }
});
