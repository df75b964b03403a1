/** Small random clusters in which everything meets everything: few labels, few zones, little room. */
import fc from 'fast-check';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { node, pod } from '../controllers/objects.ts';

const HOST = 'kubernetes.io/hostname';
const ZONE = 'topology.kubernetes.io/zone';

/** Mostly nothing: once in `times`. */
const seldom = <T>(arb: fc.Arbitrary<T>, times = 4): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: arb });
const given = <T>(name: string, value: T | undefined): Record<string, T> =>
  value === undefined ? {} : { [name]: value };

export interface NodeFacts {
  readonly zone: string | undefined;
  readonly disk: string | undefined;
  readonly cores: number | undefined;
  readonly size: number;
  readonly pods: number;
  readonly gpus: number;
  readonly taint:
    { readonly key: string; readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' } | undefined;
  readonly cordoned: boolean;
  readonly ready: boolean;
  readonly image: number | undefined;
}
const rarely = fc.integer({ min: 0, max: 14 }).map((n) => n === 14);
export const nodeFacts: fc.Arbitrary<NodeFacts> = fc.record({
  zone: fc.constantFrom('a', 'a', 'b', 'b', 'c', undefined),
  disk: fc.constantFrom('ssd', 'hdd', undefined),
  cores: fc.constantFrom(undefined, 4, 8, 16),
  size: fc.integer({ min: 1, max: 4 }),
  pods: fc.integer({ min: 2, max: 8 }),
  gpus: fc.constantFrom(0, 0, 1, 2),
  taint: seldom(
    fc.record({
      key: fc.constantFrom('gpu', 'old'),
      effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
    }),
    6,
  ),
  cordoned: rarely,
  ready: rarely.map((not) => !not),
  image: seldom(fc.integer({ min: 1, max: 2000 })),
});
export function nodeOf(name: string, f: NodeFacts): Node {
  const made = node(name, {
    labels: { ...given(ZONE, f.zone), ...given('disk', f.disk), ...given('cores', f.cores?.toString()) },
    spec: { ...(f.taint && { taints: [f.taint] }), ...(f.cordoned && { unschedulable: true }) },
    allocatable: {
      cpu: String(f.size),
      memory: `${f.size * 2}Gi`,
      pods: String(f.pods),
      ...(f.gpus > 0 && { 'example.com/gpu': String(f.gpus) }),
    },
    ready: f.ready ? 'True' : 'Unknown',
  });
  return f.image === undefined
    ? made
    : { ...made, status: { ...made.status, images: [{ names: ['app:v1'], sizeBytes: f.image * 2 ** 20 }] } };
}

const labels = fc.record(
  { app: fc.constantFrom('web', 'web', 'web', 'db'), hash: fc.constantFrom('1', '2') },
  { requiredKeys: ['app'] },
);
const selector = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('web', 'web', 'db').map((app): object => ({ matchLabels: { app } })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<object | undefined>(
      undefined,
      {},
      { matchExpressions: [{ key: 'app', operator: 'Exists' }] },
      { matchExpressions: [{ key: 'hash', operator: 'NotIn', values: ['1'] }] },
    ),
  },
);
const topologyKey = fc.constantFrom(HOST, ZONE, ZONE, 'disk');
const term = fc.record({
  topologyKey,
  labelSelector: selector,
  namespaces: seldom(fc.constantFrom(['blue'], ['red', 'blue']), 6),
  namespaceSelector: seldom(fc.constantFrom({}, { matchLabels: { team: 'x' } }, { matchLabels: { team: 'x' } }), 3),
  matchLabelKeys: seldom(fc.constant(['hash']), 6),
  mismatchLabelKeys: seldom(fc.constant(['hash']), 6),
});
const fewTerms = fc.oneof(
  { weight: 3, arbitrary: fc.array(term, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(term, { minLength: 2, maxLength: 2 }) },
);
const requiring = fewTerms.map((requiredDuringSchedulingIgnoredDuringExecution) => ({
  requiredDuringSchedulingIgnoredDuringExecution,
}));
const preferring = fc
  .array(fc.record({ weight: fc.constantFrom(1, 10, 100), podAffinityTerm: term }), { minLength: 1, maxLength: 2 })
  .map((preferredDuringSchedulingIgnoredDuringExecution) => ({ preferredDuringSchedulingIgnoredDuringExecution }));

const requirement = fc.oneof(
  fc.record({
    key: fc.constant('disk'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.constantFrom(['ssd'], ['hdd', 'ssd']),
  }),
  fc.record({ key: fc.constantFrom('disk', ZONE), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  fc.record({
    key: fc.constant('cores'),
    operator: fc.constantFrom('Gt', 'Lt'),
    values: fc.constantFrom(['4'], ['8']),
  }),
);
const nodeTerm = fc.record(
  {
    matchExpressions: fc.array(requirement, { minLength: 1, maxLength: 2 }),
    matchFields: fc.array(
      fc.record({
        key: fc.constant('metadata.name'),
        operator: fc.constantFrom('In', 'NotIn'),
        values: fc.constantFrom(['n0'], ['n1'], ['n9']),
      }),
      { minLength: 1, maxLength: 1 },
    ),
  },
  { requiredKeys: [] },
);
const nodeAffinity = fc.record(
  {
    requiredDuringSchedulingIgnoredDuringExecution: fc.record({
      nodeSelectorTerms: fc.array(nodeTerm, { minLength: 1, maxLength: 2 }),
    }),
    preferredDuringSchedulingIgnoredDuringExecution: fc.array(
      fc.record({ weight: fc.constantFrom(1, 50), preference: nodeTerm }),
      { minLength: 1, maxLength: 2 },
    ),
  },
  { requiredKeys: [] },
);

const constraint = fc
  .record({
    maxSkew: fc.integer({ min: 1, max: 2 }),
    topologyKey,
    whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'DoNotSchedule', 'ScheduleAnyway'),
    labelSelector: selector,
    minDomains: seldom(fc.integer({ min: 1, max: 3 })),
    nodeAffinityPolicy: fc.constantFrom('Honor', 'Ignore'),
    nodeTaintsPolicy: fc.constantFrom('Honor', 'Ignore'),
    matchLabelKeys: seldom(fc.constant(['hash'])),
  })
  .map((c) => (c.whenUnsatisfiable === 'DoNotSchedule' ? c : { ...c, minDomains: undefined }));

const requests = fc.record(
  { cpu: fc.constantFrom('0', '100m', '250m', '500m', '1'), memory: fc.constantFrom('128Mi', '256Mi', '1Gi') },
  { requiredKeys: [] },
);

/** What makes a pod hard to place. A pod has few of these, or no two of them would ever be met by the same pod. */
const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 2, arbitrary: nodeAffinity.map((n): Wish => ({ affinity: { nodeAffinity: n } })) },
  { weight: 4, arbitrary: requiring.map((podAffinity): Wish => ({ affinity: { podAffinity } })) },
  { weight: 5, arbitrary: requiring.map((podAntiAffinity): Wish => ({ affinity: { podAntiAffinity } })) },
  { weight: 2, arbitrary: preferring.map((podAffinity): Wish => ({ affinity: { podAffinity } })) },
  { weight: 2, arbitrary: preferring.map((podAntiAffinity): Wish => ({ affinity: { podAntiAffinity } })) },
  {
    weight: 8,
    arbitrary: fc
      .array(constraint, { minLength: 1, maxLength: 2 })
      .map((topologySpreadConstraints): Wish => ({ spec: { topologySpreadConstraints } })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom({ disk: 'ssd' }, { [ZONE]: 'a' })
      .map((nodeSelector): Wish => ({ spec: { nodeSelector } })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        [{ operator: 'Exists' }],
        [{ key: 'gpu', operator: 'Exists' }],
        [{ operator: 'Exists', effect: 'NoSchedule' }],
      )
      .map((tolerations): Wish => ({ spec: { tolerations } })),
  },
  {
    weight: 1,
    arbitrary: requests.map((init): Wish => ({
      spec: { initContainers: [{ name: 'init', image: 'init:v1', resources: { requests: init } }] },
    })),
  },
  { weight: 1, arbitrary: fc.constant<Wish>({ spec: { overhead: { cpu: '250m' } } }) },
  { weight: 1, arbitrary: fc.constant<Wish>({ gpu: true }) },
  { weight: 3, arbitrary: fc.constant<Wish>({ spec: { priorityClassName: 'system-cluster-critical' } }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ports: fc.constantFrom<object[]>(
        [{ containerPort: 80, hostPort: 80 }],
        [
          { containerPort: 80, hostPort: 80 },
          { containerPort: 81, hostPort: 81 },
        ],
        [{ containerPort: 80 }],
        [{ containerPort: 53, hostPort: 80, protocol: 'UDP' }],
      ),
      spec: fc.record({ hostNetwork: fc.boolean() }),
    }),
  },
);
interface Wish {
  readonly affinity?: object;
  readonly spec?: object;
  readonly ports?: object;
  readonly gpu?: true;
}

/** All but the name of a pod. */
export interface PodFacts {
  readonly namespace: string;
  readonly labels: object;
  readonly owner: string | undefined;
  readonly spec: object;
}
export const podFacts: fc.Arbitrary<PodFacts> = fc
  .record({
    namespace: fc.constantFrom('red', 'red', 'red', 'red', 'blue'),
    labels,
    owner: seldom(fc.constantFrom('rs1', 'rs2')),
    image: fc.constantFrom('app:v1', 'app:v2'),
    requests,
    wishes: fc.array(wish, { maxLength: 3 }),
  })
  .map(({ namespace, labels: l, owner, image, requests: asked, wishes }) => {
    const all = wishes.reduce<Wish>(
      (sum, w) => ({ ...sum, ...w, affinity: { ...sum.affinity, ...w.affinity }, spec: { ...sum.spec, ...w.spec } }),
      {},
    );
    const container = {
      name: 'app',
      image,
      resources: { requests: { ...asked, ...(all.gpu && { 'example.com/gpu': '1' }) } },
      ...given('ports', all.ports),
    };
    return { namespace, labels: l, owner, spec: { containers: [container], affinity: all.affinity, ...all.spec } };
  });
export function podOf(name: string, { namespace, labels: l, owner, spec }: PodFacts): Pod {
  return pod(name, spec, {
    namespace,
    labels: l,
    ...(owner && {
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
    }),
  });
}

/** Profiles that differ in what they look at. */
export const profile: fc.Arbitrary<object> = fc.constantFrom(
  {},
  {},
  {
    pluginConfig: [
      {
        name: 'NodeResourcesFit',
        args: {
          scoringStrategy: {
            type: 'MostAllocated',
            resources: [
              { name: 'cpu', weight: 1 },
              { name: 'example.com/gpu', weight: 3 },
            ],
          },
        },
      },
      { name: 'InterPodAffinity', args: { hardPodAffinityWeight: 50 } },
    ],
  },
  {
    pluginConfig: [
      {
        name: 'PodTopologySpread',
        args: {
          defaultingType: 'List',
          defaultConstraints: [{ maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: 'ScheduleAnyway' }],
        },
      },
      { name: 'InterPodAffinity', args: { ignorePreferredTermsOfExistingPods: true } },
    ],
  },
);
