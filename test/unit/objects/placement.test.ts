import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  ARCH_LABEL,
  DEFAULT_SCHEDULER_NAME,
  findKind,
  HIGHEST_USER_PRIORITY,
  HOSTNAME_LABEL,
  KINDS,
  OS_LABEL,
  POD_GROUP_LABEL,
  REGION_LABEL,
  SYSTEM_PRIORITIES,
  SYSTEM_PRIORITY_PREFIX,
  ZONE_LABEL,
  type Kind,
} from '../../../contracts/objects/index.ts';
import { composeState, parseManifest, type ParsedFile } from '../../../reconciler/core/manifests/index.ts';

function parse(text: string): ParsedFile {
  return parseManifest('f.yaml', 'oid', new TextEncoder().encode(text));
}

/** What a manifest of one kind is refused for; the empty list when it is not. */
function refusals(kind: Kind, body: string, metadata = 'metadata: {name: a}\n'): string[] {
  return parse(`apiVersion: ${KINDS[kind].apiVersion}\nkind: ${kind}\n${metadata}${body}\n`).diagnostics.map(
    (d) => `${d.code} ${d.message}`,
  );
}

const pod = (spec: string): string => `spec: {containers: [{name: a, image: "a:1"}], ${spec}}`;
const required = (term: string): string =>
  pod(`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [${term}]}}}`);
const spread = (fields: string): string => pod(`topologySpreadConstraints: [{topologyKey: zone, ${fields}}]`);
const config = 'KubeSchedulerConfiguration';

describe('values that Kubernetes refuses, each said at its field', () => {
  const TERMS = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  const cases: readonly (readonly [string, Kind, string, string[]])[] = [
    ['no term', 'Pod', required(''), [`InvalidValue ${TERMS} must have at least one entry`]],
    [
      'an operator',
      'Pod',
      required('{matchExpressions: [{key: a, operator: Gte, values: ["1"]}]}'),
      [
        `InvalidValue ${TERMS}[0].matchExpressions[0].operator must be In, NotIn, Exists, DoesNotExist, Gt or Lt, found text "Gte"`,
      ],
    ],
    [
      'a node field',
      'Pod',
      required('{matchFields: [{key: metadata.uid, operator: In, values: [a]}]}'),
      [`InvalidValue ${TERMS}[0].matchFields[0].key must be metadata.name, found text "metadata.uid"`],
    ],
    [
      'an operator on a node field',
      'Pod',
      required('{matchFields: [{key: metadata.name, operator: Exists, values: [a]}]}'),
      [`InvalidValue ${TERMS}[0].matchFields[0].operator must be In or NotIn, found text "Exists"`],
    ],
    [
      'two values of a node field',
      'Pod',
      required('{matchFields: [{key: metadata.name, operator: In, values: [a, b]}]}'),
      [`InvalidValue ${TERMS}[0].matchFields[0].values must have exactly one entry`],
    ],
    [
      'a weight',
      'Pod',
      pod(
        'affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, preference: {}}]}}',
      ),
      [
        'InvalidValue spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight must be between 1 and 100, found the number 101',
      ],
    ],
    [
      'a skew',
      'Pod',
      spread('maxSkew: 0, whenUnsatisfiable: DoNotSchedule'),
      ['InvalidValue spec.topologySpreadConstraints[0].maxSkew must be 1 or more, found the number 0'],
    ],
    [
      'priority in a manifest',
      'Pod',
      pod('priority: 5'),
      ['UnsupportedField field spec.priority is a Kubernetes field that Plumbline does not act on yet'],
    ],
    [
      'a value for users',
      'PriorityClass',
      'value: 1000000001',
      ['InvalidValue value must be at most 1000000000, found the number 1000000001'],
    ],
    [
      'both bounds',
      'PodDisruptionBudget',
      'spec: {minAvailable: 1, maxUnavailable: 1}',
      ['InvalidValue spec must have at most one of maxUnavailable, minAvailable'],
    ],
    [
      'a group of none',
      'PodGroup',
      'spec: {minMember: 0}',
      ['InvalidValue spec.minMember must be 1 or more, found the number 0'],
    ],
    [
      'a share of nodes',
      config,
      'percentageOfNodesToScore: 101',
      ['InvalidValue percentageOfNodesToScore must be between 0 and 100, found the number 101'],
    ],
    [
      'leader election',
      config,
      'leaderElection: {leaderElect: false}',
      ['UnsupportedField field leaderElection is a Kubernetes field that Plumbline does not act on yet'],
    ],
    [
      'extenders',
      config,
      'extenders: [{}]',
      ['UnsupportedField field extenders is a Kubernetes field that Plumbline does not act on yet'],
    ],
    [
      'an extension point',
      config,
      'profiles: [{plugins: {scores: {}}}]',
      ['UnknownField unknown field profiles[0].plugins.scores'],
    ],
    [
      'a sort plugin of the descheduler',
      'DeschedulerPolicy',
      'profiles: [{name: a, plugins: {sort: {}}}]',
      ['UnsupportedField field profiles[0].plugins.sort is a Kubernetes field that Plumbline does not act on yet'],
    ],
    [
      'a plugin that does nothing',
      'SchedulerPlugin',
      'spec: {}',
      ['InvalidValue spec must have filter, score or both'],
    ],
  ];
  for (const [name, kind, body, expected] of cases)
    it(`${kind}: ${name}`, () => assert.deepEqual(refusals(kind, body), expected));
});

describe('defaults', () => {
  const { state, diagnostics } = composeState(
    [
      parseManifest(
        's.yaml',
        'o',
        readFileSync(new URL('../../fixtures/manifests/good/scheduling.yaml', import.meta.url)),
      ),
    ],
    [],
  );
  it("of spread constraints, priority classes and budgets are Kubernetes'", () => {
    assert.deepEqual(diagnostics, []);
    const gated = state.get('pods/default/mypod')?.object;
    assert.ok(gated?.kind === 'Pod');
    assert.deepEqual(
      gated.spec.topologySpreadConstraints?.map((c) => [c.nodeAffinityPolicy, c.nodeTaintsPolicy]),
      [
        ['Honor', 'Ignore'],
        ['Ignore', 'Honor'],
      ],
    );
    assert.deepEqual(gated.spec.schedulingGates, [{ name: 'example.com/foo' }, { name: 'example.com/bar' }]);
    const high = state.get('priorityclasses.scheduling.k8s.io//high-priority')?.object;
    assert.ok(high?.kind === 'PriorityClass');
    assert.deepEqual(
      [high.value, high.globalDefault, high.preemptionPolicy],
      [1_000_000, false, 'PreemptLowerPriority'],
    );
    const budget = state.get('poddisruptionbudgets.policy/default/zk-pdb')?.object;
    assert.ok(budget?.kind === 'PodDisruptionBudget');
    assert.equal(budget.spec.unhealthyPodEvictionPolicy, undefined);
  });

  it('an object that is a file in Kubernetes is named default, and arguments of plugins stay as they are', () => {
    const configuration = state.get('kubeschedulerconfigurations.kubescheduler.config.k8s.io//default')?.object;
    assert.ok(configuration?.kind === 'KubeSchedulerConfiguration');
    assert.deepEqual(
      [
        configuration.podInitialBackoffSeconds,
        configuration.podMaxBackoffSeconds,
        configuration.percentageOfNodesToScore,
      ],
      [1, 10, undefined],
    );
    assert.deepEqual(configuration.profiles[0]?.pluginConfig?.[0]?.args, {
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'NodeResourcesFitArgs',
      scoringStrategy: { type: 'MostAllocated', resources: [{ name: 'cpu', weight: 1 }] },
    });
    assert.ok(state.has('deschedulerpolicies.descheduler//default'));
    const named = parse(
      `apiVersion: ${KINDS[config].apiVersion}\nkind: ${config}\nmetadata: {name: mine, labels: {a: b}}\n`,
    );
    assert.deepEqual(
      named.objects.map((o) => o.key),
      ['kubeschedulerconfigurations.kubescheduler.config.k8s.io//mine'],
    );
    const [bare] = parse(`apiVersion: ${KINDS[config].apiVersion}\nkind: ${config}\n`).objects;
    assert.ok(bare?.object.kind === config);
    assert.deepEqual(
      [bare.key, bare.object.profiles],
      ['kubeschedulerconfigurations.kubescheduler.config.k8s.io//default', [{ schedulerName: DEFAULT_SCHEDULER_NAME }]],
    );
    assert.deepEqual(parse(`apiVersion: ${KINDS[config].apiVersion}\nkind: ${config}\nfoo: 1\n`).refused, [
      'kubeschedulerconfigurations.kubescheduler.config.k8s.io//default',
    ]);
  });
});

describe('names that others fixed', () => {
  it('of labels and priorities', () => {
    assert.deepEqual(
      [HOSTNAME_LABEL, OS_LABEL, ARCH_LABEL, ZONE_LABEL, REGION_LABEL, POD_GROUP_LABEL],
      [
        'kubernetes.io/hostname',
        'kubernetes.io/os',
        'kubernetes.io/arch',
        'topology.kubernetes.io/zone',
        'topology.kubernetes.io/region',
        'scheduling.x-k8s.io/pod-group',
      ],
    );
    assert.deepEqual(SYSTEM_PRIORITIES, {
      'system-cluster-critical': 2_000_000_000,
      'system-node-critical': 2_000_001_000,
    });
    for (const [name, value] of Object.entries(SYSTEM_PRIORITIES))
      assert.ok(name.startsWith(SYSTEM_PRIORITY_PREFIX) && value > HIGHEST_USER_PRIORITY);
  });

  it('of kinds in commands', () => {
    assert.deepEqual(['pc', 'pdb', 'pg', 'priorityclasses', 'KubeSchedulerConfiguration'].map(findKind), [
      'PriorityClass',
      'PodDisruptionBudget',
      'PodGroup',
      'PriorityClass',
      config,
    ]);
  });
});
