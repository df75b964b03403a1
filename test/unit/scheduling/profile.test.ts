/** Source: Kubernetes documentation, "Scheduler Configuration". */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Plugin } from '../../../reconciler/core/scheduling/framework.ts';
import { buildProfiles, type Profile } from '../../../reconciler/core/scheduling/profile.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { node, pod } from '../controllers/objects.ts';
import { asking, clusterOf, placedOn, profilesOf, stored } from './situation.ts';

const FILTERS = [
  'NodeUnschedulable',
  'TaintToleration',
  'NodeReady',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeBinding',
  'PodTopologySpread',
  'InterPodAffinity',
];
const SCORES = {
  TaintToleration: 3,
  NodeAffinity: 2,
  NodeResourcesFit: 1,
  VolumeBinding: 1,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1,
};

const both = (name: string): Plugin => ({
  name,
  preFilter: () => ({ scope: 'node', filter: () => true, reasons: () => [], preemptable: () => false }),
  preScore: () => ({ scope: 'node', score: () => 0 }),
});
const custom: ReadonlyMap<string, Plugin> = new Map([
  ['Custom1', both('Custom1')],
  ['Custom2', both('Custom2')],
  ['OldestFirst', { name: 'OldestFirst', queueSort: (a, b) => a.since - b.since }],
  ['Binder', { name: 'Binder', bind: () => [] }],
]);

function built(plugins: object | undefined): { profile: Profile; problems: readonly string[] } {
  const { profiles, problems } = profilesOf([{ ...(plugins && { plugins }) }], {}, custom);
  const profile = profiles.get('default-scheduler');
  assert.ok(profile);
  return { profile, problems: problems.map(({ path, message }) => `${path}: ${message}`) };
}
const filtersOf = ({ filters }: Profile): string[] => filters.map(({ name }) => name);
const scoresOf = ({ scores }: Profile): Record<string, number> =>
  Object.fromEntries(scores.map(({ plugin, weight }) => [plugin.name, weight]));
const without = (...names: string[]): string[] => FILTERS.filter((name) => !names.includes(name));
const enabled = (...entries: (string | [string, number])[]): object[] =>
  entries.map((entry) => (typeof entry === 'string' ? { name: entry } : { name: entry[0], weight: entry[1] }));
const disabled = (...names: string[]): object[] => names.map((name) => ({ name }));

describe('plugins of a profile', () => {
  const rows: readonly {
    title: string;
    plugins?: object;
    filters?: readonly string[];
    scores?: Record<string, number>;
    problems?: readonly string[];
  }[] = [
    { title: "the default, with kube-scheduler's weights" },
    {
      title: 'one filter less',
      plugins: { filter: { disabled: disabled('NodePorts') } },
      filters: without('NodePorts'),
    },
    {
      title: 'one score less: it still filters',
      plugins: { score: { disabled: disabled('TaintToleration') } },
      scores: { ...SCORES, TaintToleration: 0 },
    },
    {
      title: 'the example no-scoring-scheduler',
      plugins: { preScore: { disabled: disabled('*') }, score: { disabled: disabled('*') } },
      scores: {},
    },
    {
      title: 'everywhere',
      plugins: { multiPoint: { disabled: disabled('PodTopologySpread') } },
      filters: without('PodTopologySpread'),
      scores: { ...SCORES, PodTopologySpread: 0 },
    },
    {
      title: 'one that a profile turns off and on again',
      plugins: { multiPoint: { disabled: disabled('NodePorts') }, filter: { enabled: enabled('NodePorts') } },
      filters: ['NodePorts', ...without('NodePorts')],
    },
    {
      title: 'only what is named',
      plugins: {
        multiPoint: { disabled: disabled('*'), enabled: enabled('NodeResourcesFit', 'PrioritySort', 'DefaultBinder') },
      },
      filters: ['NodeResourcesFit'],
      scores: { NodeResourcesFit: 1 },
    },
    {
      title: 'only the filters that are named, in that order',
      plugins: { filter: { disabled: disabled('*'), enabled: enabled('NodeResourcesFit', 'NodeName', 'NodeReady') } },
      filters: ['NodeResourcesFit', 'NodeReady'],
    },
    {
      title: 'another weight',
      plugins: { score: { disabled: disabled('NodeAffinity'), enabled: enabled(['NodeAffinity', 7]) } },
      scores: { ...SCORES, NodeAffinity: 7 },
    },
    {
      title: 'another weight, without turning it off first',
      plugins: { score: { enabled: enabled(['NodeAffinity', 7]) } },
      scores: { ...SCORES, NodeAffinity: 7 },
    },
    {
      title: 'another weight by multiPoint',
      plugins: { multiPoint: { enabled: enabled(['NodeAffinity', 7]) } },
      scores: { ...SCORES, NodeAffinity: 7 },
    },
    {
      title: 'the extension point goes before multiPoint',
      plugins: {
        multiPoint: { enabled: enabled(['NodeAffinity', 7]) },
        score: { enabled: enabled(['NodeAffinity', 9]) },
      },
      scores: { ...SCORES, NodeAffinity: 9 },
    },
    {
      title: 'what an extension point names goes first there',
      plugins: { filter: { enabled: enabled('NodeResourcesFit', 'Custom2') } },
      filters: ['NodeResourcesFit', 'Custom2', ...without('NodeResourcesFit')],
    },
    {
      title: 'a plugin that is not built in',
      plugins: { multiPoint: { enabled: enabled(['Custom1', 3]) } },
      filters: [...FILTERS, 'Custom1'],
      scores: { ...SCORES, Custom1: 3 },
    },
    {
      title: 'it weighs 1',
      plugins: { multiPoint: { enabled: enabled('Custom1') }, filter: { disabled: disabled('Custom1') } },
      scores: { ...SCORES, Custom1: 1 },
    },
    {
      title: 'the example of multiPoint',
      filters: [...without('NodePorts'), 'Custom1', 'Custom2'],
      scores: { ...SCORES, ImageLocality: 1, Custom1: 3, Custom2: 1 },
      plugins: {
        multiPoint: { enabled: enabled('OldestFirst', ['Custom1', 3], 'Custom2'), disabled: disabled('PrioritySort') },
        filter: { disabled: disabled('NodePorts') },
        score: { enabled: enabled('ImageLocality') },
      },
    },
    {
      title: 'weight 0 turns a score off',
      plugins: { score: { enabled: enabled(['ImageLocality', 0]) } },
      scores: { ...SCORES, ImageLocality: 0 },
    },
    {
      title: 'names that nobody knows',
      plugins: {
        multiPoint: { enabled: enabled('NoSuch') },
        filter: { enabled: enabled('NodeName', 'NoFilter') },
        score: { enabled: enabled('NoScore'), disabled: disabled('NoMatter') },
        postFilter: { enabled: enabled('NoPost') },
      },
      problems: [
        'profiles[0].plugins.postFilter.enabled[0].name: there is no plugin NoPost',
        'profiles[0].plugins.filter.enabled[1].name: there is no plugin NoFilter',
        'profiles[0].plugins.multiPoint.enabled[0].name: there is no plugin NoSuch',
        'profiles[0].plugins.score.enabled[0].name: there is no plugin NoScore',
      ],
    },
    {
      title: 'a queue sorted by two',
      plugins: { queueSort: { enabled: enabled('OldestFirst') } },
      problems: ['profiles[0].plugins.queueSort: only one plugin may sort the queue, not OldestFirst, PrioritySort'],
    },
    {
      title: 'a queue sorted by nobody',
      plugins: { queueSort: { disabled: disabled('*') } },
      problems: ['profiles[0].plugins.queueSort: a profile needs a plugin that sorts the queue; PrioritySort is used'],
    },
    {
      title: 'a queue sorted by another',
      plugins: { queueSort: { disabled: disabled('*'), enabled: enabled('OldestFirst') } },
    },
    {
      title: 'bound by nobody',
      plugins: { bind: { disabled: disabled('DefaultBinder') } },
      problems: ['profiles[0].plugins.bind: a profile needs a plugin that binds; DefaultBinder is used'],
    },
    {
      title: 'bound by another',
      plugins: { bind: { disabled: disabled('DefaultBinder'), enabled: enabled('Binder') } },
    },
  ];
  for (const { title, plugins, filters = FILTERS, scores = SCORES, problems = [] } of rows) {
    it(title, () => {
      const { profile, problems: told } = built(plugins);
      assert.deepEqual([...told].sort(), [...problems].sort());
      assert.deepEqual(filtersOf(profile), filters);
      assert.deepEqual(
        scoresOf(profile),
        Object.fromEntries(Object.entries(scores).filter(([, weight]) => weight > 0)),
      );
    });
  }

  it('a plugin that binds goes before the default one where it is named', () => {
    assert.deepEqual(
      built({ bind: { enabled: enabled('Binder') } }).profile.bind.map(({ name }) => name),
      ['Binder', 'DefaultBinder'],
    );
  });
  it('a turned off filter refuses nobody', () => {
    const { profiles } = profilesOf([{ plugins: { filter: { disabled: disabled('NodeResourcesFit') } } }]);
    const scheduler = new Scheduler(clusterOf({ nodes: [node('n')] }), { profiles, seed: 's' });
    assert.equal(scheduler.place(stored(pod('p', asking({ cpu: '99' })))).is, 'placed');
  });
});

describe('pluginConfig', () => {
  const rows: readonly { title: string; pluginConfig: readonly object[]; problems: readonly string[] }[] = [
    {
      title: "arguments as Kubernetes' files have them",
      pluginConfig: [
        {
          name: 'NodeResourcesFit',
          args: {
            apiVersion: 'kubescheduler.config.k8s.io/v1',
            kind: 'NodeResourcesFitArgs',
            scoringStrategy: { type: 'MostAllocated' },
          },
        },
      ],
      problems: [],
    },
    { title: 'no arguments', pluginConfig: [{ name: 'NodeResourcesFit' }], problems: [] },
    {
      title: 'a plugin that is not there',
      pluginConfig: [{ name: 'NoSuch', args: {} }],
      problems: ['pluginConfig[0].name: there is no plugin NoSuch that takes arguments'],
    },
    {
      title: 'one that is not built in',
      pluginConfig: [{ name: 'Custom1', args: {} }],
      problems: ['pluginConfig[0].name: there is no plugin Custom1 that takes arguments'],
    },
    {
      title: 'a plugin that takes none',
      pluginConfig: [{ name: 'NodePorts', args: { strict: true } }],
      problems: ['pluginConfig[0].args: Unrecognized key: "strict"'],
    },
    {
      title: 'a wrong value, deep down',
      pluginConfig: [
        { name: 'NodePorts' },
        { name: 'NodeResourcesFit', args: { scoringStrategy: { resources: [{ name: 'cpu', weight: 101 }] } } },
      ],
      problems: ['pluginConfig[1].args.scoringStrategy.resources.0.weight: Too big: expected number to be <=100'],
    },
    {
      title: 'a strategy without its shape',
      pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'RequestedToCapacityRatio' } } }],
      problems: ['pluginConfig[0].args.scoringStrategy: requestedToCapacityRatio is required with this type'],
    },
    {
      title: 'points out of order',
      pluginConfig: [
        {
          name: 'NodeResourcesFit',
          args: {
            scoringStrategy: {
              type: 'RequestedToCapacityRatio',
              requestedToCapacityRatio: {
                shape: [
                  { utilization: 50, score: 1 },
                  { utilization: 50, score: 2 },
                ],
              },
            },
          },
        },
      ],
      problems: [
        'pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio.shape: must be in the order of utilization',
      ],
    },
    {
      title: 'one plugin twice',
      pluginConfig: [{ name: 'NodePorts' }, { name: 'NodePorts' }],
      problems: ['pluginConfig[1].name: NodePorts has arguments already'],
    },
  ];
  for (const { title, pluginConfig, problems } of rows) {
    it(title, () =>
      assert.deepEqual(
        profilesOf([{ pluginConfig }], {}, custom).problems.map(({ path, message }) => `${path}: ${message}`),
        problems.map((problem) => `profiles[0].${problem}`),
      ),
    );
  }
  it('with problems leaves the plugin at its defaults', () => {
    const { profiles } = profilesOf([
      { pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'Best' } } }] },
    ]);
    const scheduler = new Scheduler(
      clusterOf({ nodes: [node('a'), node('b')], pods: [placedOn('a', {}, asking({ cpu: '1' }))] }),
      { profiles, seed: 's' },
    );
    assert.equal(scheduler.ranking(stored(pod('p', asking({ cpu: '1', memory: '1Gi' }))), 1)[0]?.node, 'b');
  });
});

describe('several profiles', () => {
  it('place by their own plugins, on one cluster', () => {
    const { profiles, problems } = profilesOf([
      {},
      {
        schedulerName: 'packing',
        pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }],
        plugins: { score: { disabled: disabled('NodeResourcesBalancedAllocation') } },
      },
    ]);
    assert.deepEqual([problems, [...profiles.keys()]], [[], ['default-scheduler', 'packing']]);
    const scheduler = new Scheduler(
      clusterOf({ nodes: [node('a'), node('b')], pods: [placedOn('a', {}, asking({ cpu: '1', memory: '1Gi' }))] }),
      { profiles, seed: 's' },
    );
    const wanted = (name: string, schedulerName: string): object =>
      scheduler.place(stored(pod(name, { ...asking({ cpu: '100m', memory: '100Mi' }), schedulerName })));
    assert.deepEqual(
      [wanted('p', 'packing'), wanted('q', 'default-scheduler'), wanted('r', 'packing')].map(
        (outcome) => 'node' in outcome && outcome.node,
      ),
      ['a', 'b', 'a'],
    );
    assert.equal(scheduler.profileOf(stored(pod('x', { schedulerName: 'somebody-else' }))), undefined);
  });
  it('have different names', () => {
    assert.deepEqual(profilesOf([{}, {}]).problems, [
      { path: 'profiles[1].schedulerName', message: 'another profile has the name default-scheduler' },
    ]);
  });
  it('sort the one queue in one way', () => {
    const { profiles, problems } = profilesOf(
      [
        {},
        {
          schedulerName: 'other',
          plugins: { queueSort: { disabled: disabled('*'), enabled: enabled('OldestFirst') } },
        },
      ],
      {},
      custom,
    );
    assert.deepEqual(problems, [
      {
        path: 'profiles[1].plugins.queueSort',
        message: 'all profiles must sort the queue with the same plugin; that of the first is used',
      },
    ]);
    assert.equal(profiles.get('other')?.queueSort, profiles.get('default-scheduler')?.queueSort);
  });
  it('have their own share of nodes, or that of all', () => {
    const { profiles } = profilesOf(
      [
        {},
        { schedulerName: 'fast', percentageOfNodesToScore: 10 },
        { schedulerName: 'auto', percentageOfNodesToScore: 0 },
      ],
      { percentageOfNodesToScore: 50 },
    );
    assert.deepEqual(
      [...profiles.values()].map((profile) => profile.percentageOfNodesToScore),
      [50, 10, 0],
    );
  });
  it('without a configuration there is the default one', () => {
    const { profiles, problems } = buildProfiles(undefined);
    assert.deepEqual(
      [[...profiles.keys()], problems, profiles.get('default-scheduler')?.percentageOfNodesToScore],
      [['default-scheduler'], [], 100],
    );
  });
});
