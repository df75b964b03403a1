/** Small clusters to plan moves in. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  DEFAULT_SCHEDULER_NAME,
  DeschedulerPolicyManifest,
  PodDisruptionBudgetManifest,
  PriorityClassManifest,
  readDeschedulerPolicy,
  type DeschedulerPluginName,
  type Node,
  type PriorityClass,
  type StoredPod,
  type StoredPodDisruptionBudget,
} from '../../../contracts/objects/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { buildProfiles } from '../../../reconciler/core/scheduling/profile.ts';
import {
  planRebalance,
  type RebalanceInput,
  type RebalancePlan,
  type RebalancePolicy,
} from '../../../reconciler/core/scheduling/rebalance.ts';
import { node, pod, running, TIME } from '../controllers/objects.ts';

export const NOW = new Date('2026-01-01T01:00:00.000Z');
const PROFILES = buildProfiles(undefined).profiles;
const BALANCING = ['RemovePodsViolatingTopologySpreadConstraint', 'RemoveDuplicates', 'LowNodeUtilization'];

/** The policy that enables the plugins (name, or name and args) with the evictor's arguments. */
export function policyOf(
  plugins: readonly (DeschedulerPluginName | readonly [DeschedulerPluginName, object])[],
  evictor: object = {},
  limits: Omit<RebalancePolicy, 'profiles'> = {},
): RebalancePolicy {
  const named = plugins.map((plugin) => (typeof plugin === 'string' ? ([plugin, {}] as const) : plugin));
  const enabled = (balance: boolean): object => ({
    enabled: named.map(([name]) => name).filter((name) => BALANCING.includes(name) === balance),
  });
  const manifest = DeschedulerPolicyManifest.parse({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    profiles: [
      {
        name: 'p',
        pluginConfig: [{ name: 'DefaultEvictor', args: evictor }, ...named.map(([name, args]) => ({ name, args }))],
        plugins: { deschedule: enabled(false), balance: enabled(true) },
      },
    ],
  });
  const { profiles, problems } = readDeschedulerPolicy(manifest);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return { profiles, ...limits };
}

export interface PodFacts {
  readonly on?: string;
  /** Name of its ReplicaSet; '' for none. */
  readonly owner?: string;
  readonly ownerKind?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly requests?: Record<string, string>;
  readonly spec?: object;
  readonly ready?: boolean;
  readonly terminating?: boolean;
  readonly namespace?: string;
  readonly created?: string;
}

/** A running pod of a ReplicaSet, with the label app: OWNER. */
export function placed(name: string, facts: PodFacts = {}): StoredPod {
  const {
    on,
    owner = 'web',
    ownerKind = 'ReplicaSet',
    labels = { app: owner },
    requests,
    ready = true,
    terminating,
    namespace = 'default',
    created = TIME,
  } = facts;
  const made = pod(
    name,
    {
      ...(requests && { containers: [{ name: 'app', image: 'app:v1', resources: { requests } }] }),
      ...(on !== undefined && { nodeName: on }),
      ...facts.spec,
    },
    {
      namespace,
      labels,
      uid: `uid-${namespace}-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: created,
      ...(facts.annotations && { annotations: facts.annotations }),
      ...(terminating && { deletionTimestamp: TIME }),
      ...(owner !== '' && {
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: ownerKind, name: owner, uid: `uid-${namespace}-${owner}`, controller: true },
        ],
      }),
    },
  );
  return (on === undefined ? made : running(made, ready)) as StoredPod;
}

/** Nodes `a`, `b`, ... of 10 cpus; each with more of its own where given. */
export function nodes(names: string, extra: Readonly<Record<string, Parameters<typeof node>[1]>> = {}): Node[] {
  return names
    .split(' ')
    .map((name) => node(name, { allocatable: { cpu: '10', memory: '10Gi', pods: '100' }, ...extra[name] }));
}

export function budget(
  name: string,
  app: string,
  disruptionsAllowed: number,
  namespace = 'default',
): StoredPodDisruptionBudget {
  const manifest = PodDisruptionBudgetManifest.parse({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app } } },
  });
  return {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: TIME,
    },
    status: {
      observedGeneration: 1,
      disruptionsAllowed,
      currentHealthy: 9,
      desiredHealthy: 9 - disruptionsAllowed,
      expectedPods: 9,
    },
  };
}

export function priorityClass(name: string, value: number): PriorityClass {
  return PriorityClassManifest.parse({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
  });
}

export interface Scene {
  readonly nodes: readonly Node[];
  readonly pods: readonly StoredPod[];
  readonly budgets?: readonly StoredPodDisruptionBudget[];
  readonly priorityClasses?: readonly PriorityClass[];
  readonly policy: RebalancePolicy;
}

export function inputOf({ nodes: machines, pods, budgets = [], priorityClasses = [], policy }: Scene): RebalanceInput {
  return {
    cluster: {
      nodes: machines,
      pods,
      services: [],
      namespaces: [],
      priorityClasses,
      profiles: PROFILES,
      seed: DEFAULT_SCHEDULER_NAME,
    },
    budgets,
    policy,
    now: NOW,
  };
}

export function plan(scene: Scene): RebalancePlan {
  return finish(planRebalance(inputOf(scene)));
}

/** The pods as they are when the plan was carried out and each went where it says. */
export function applied(pods: readonly StoredPod[], { moves }: RebalancePlan): StoredPod[] {
  const to = new Map(moves.map((move) => [move.pod.metadata.uid, move.to]));
  return pods.map((p) => ({
    ...p,
    spec: { ...p.spec, ...(to.has(p.metadata.uid) && { nodeName: to.get(p.metadata.uid) }) },
  }));
}

/** `count` pods NAME-0, NAME-1, ... on the node. */
export const several = (name: string, count: number, on: string, facts: PodFacts = {}): StoredPod[] =>
  Array.from({ length: count }, (_, i) => placed(`${name}-${on}${i}`, { owner: name, on, ...facts }));
export const cpu = (amount: string): PodFacts => ({ requests: { cpu: amount } });
export const spread = (topologyKey: string, whenUnsatisfiable = 'DoNotSchedule', maxSkew = 1): PodFacts => ({
  spec: {
    topologySpreadConstraints: [
      {
        topologyKey,
        maxSkew,
        whenUnsatisfiable,
        labelSelector: { matchLabels: { app: 'web' } },
        nodeAffinityPolicy: 'Honor',
        nodeTaintsPolicy: 'Ignore',
      },
    ],
  },
});
export const apartFrom = (app: string, topologyKey = 'kubernetes.io/hostname'): object => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
export const nearTo = (app: string, topologyKey: string): object => ({
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: { matchLabels: { app } } }],
  },
});
export const prefers = (key: string): object => ({
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 30, preference: { matchExpressions: [{ key, operator: 'Exists' }] } },
    ],
  },
});
export const gpu = { key: 'gpu', value: 'true', effect: 'NoSchedule' } as const;
export const zones = (names: string): Parameters<typeof nodes>[1] =>
  Object.fromEntries(
    names.split(' ').map((pair) => {
      const [name = '', zone = ''] = pair.split('=');
      return [name, { labels: { zone }, allocatable: { cpu: '10', memory: '10Gi', pods: '100' } }];
    }),
  );

export const movesOf = (scene: Scene): string[] =>
  plan(scene).moves.map(({ pod, from, to }) => `${pod.metadata.name} ${from} ${to}`);
export const skippedOf = (scene: Scene): string[] =>
  plan(scene).skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`);

export interface Row extends Scene {
  readonly name: string;
  /** `POD FROM TO`. */
  readonly moves: readonly string[];
  /** Of the first move. */
  readonly why?: string;
  /** `POD: OBSTACLE` of the first that stays. */
  readonly stays?: string;
}

export function table(rows: readonly Row[]): void {
  for (const row of rows) {
    it(row.name, () => {
      const { moves, skipped } = plan(row);
      assert.deepEqual(
        moves.map(({ pod, from, to }) => `${pod.metadata.name} ${from} ${to}`),
        row.moves,
      );
      if (row.why !== undefined) assert.equal(moves[0]?.reason, row.why);
      if (row.stays !== undefined)
        assert.ok(
          skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`).includes(row.stays),
          skipped.map(({ pod, obstacle }) => `${pod.metadata.name}: ${obstacle}`).join('\n'),
        );
    });
  }
}
