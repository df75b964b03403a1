/**
 * Sources: Kubernetes documentation, "Resource Management for Pods and Containers", "Pod Overhead" and "Resource Bin
 * Packing".
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, Pod } from '../../../contracts/objects/index.ts';
import { requestsOf } from '../../../contracts/objects/pod-requests.ts';
import { weightOf } from '../../../reconciler/core/scheduling/resources.ts';
import { node, pod } from '../controllers/objects.ts';
import { asking, placedOn, schedulerFor, scores, stored, verdicts } from './situation.ts';

const P = 'passes';
const MI = 2 ** 20;
const container = (name: string, requests: Record<string, string>): object => ({
  name,
  image: 'i',
  resources: { requests },
});

describe('what a pod that is resized takes', () => {
  const allocated = (requests: Record<string, string>, asked: Record<string, string>, reason?: string): Pod => ({
    ...pod('p', { containers: [container('a', asked), container('b', { cpu: '1' })] }),
    status: {
      phase: 'Running',
      ...(reason !== undefined && { conditions: [{ type: 'PodResizePending', status: 'True', reason }] }),
      containerStatuses: [
        {
          name: 'a',
          state: {},
          lastState: {},
          ready: true,
          restartCount: 0,
          image: '',
          imageID: '',
          allocatedResources: requests,
        },
      ],
    },
  });
  const takes = (of: Pod): unknown => Object.fromEntries(requestsOf(of));

  it('is the larger of what it asks for and what its node has allocated, of each resource', () => {
    const both = allocated({ cpu: '2', memory: '1Mi' }, { cpu: '500m', memory: '2Mi' });
    assert.deepEqual(takes(both), { pods: 1, cpu: 3000, memory: 2 * MI });
    assert.deepEqual(takes(allocated({ cpu: '500m' }, { cpu: '500m' })), { pods: 1, cpu: 1500 });
  });

  it('is what is allocated where its node can never give it more', () => {
    assert.deepEqual(takes(allocated({ cpu: '500m' }, { cpu: '64' }, 'Infeasible')), { pods: 1, cpu: 1500 });
    assert.deepEqual(takes(allocated({ cpu: '500m' }, { cpu: '64' }, 'Deferred')), { pods: 1, cpu: 65_000 });
  });
});

describe('what a pod asks for', () => {
  const rows: readonly {
    title: string;
    spec: object;
    requests: Record<string, number>;
    weight: { cpu: number; memory: number };
  }[] = [
    { title: 'nothing', spec: {}, requests: { pods: 1 }, weight: { cpu: 100, memory: 200 * MI } },
    {
      title: 'the sum of its containers',
      spec: {
        containers: [
          container('a', { cpu: '100m', memory: '1Gi' }),
          container('b', { cpu: '0.2', memory: '1Mi', 'example.com/gpu': '2' }),
        ],
      },
      requests: { pods: 1, cpu: 300, memory: 1025 * MI, 'example.com/gpu': 2 },
      weight: { cpu: 300, memory: 1025 * MI },
    },
    {
      title: 'the example of kube-scheduler: the largest init container, resource by resource',
      spec: {
        containers: [container('c1', { cpu: '2', memory: '1Gi' }), container('c2', { cpu: '1', memory: '1Gi' })],
        initContainers: [container('ic1', { cpu: '2', memory: '1Gi' }), container('ic2', { cpu: '2', memory: '3Gi' })],
      },
      requests: { pods: 1, cpu: 3000, memory: 3072 * MI },
      weight: { cpu: 3000, memory: 3072 * MI },
    },
    {
      title: 'sidecars beside the containers',
      spec: {
        containers: [container('a', { cpu: '1' })],
        initContainers: [{ ...container('s', { cpu: '500m' }), restartPolicy: 'Always' }],
      },
      requests: { pods: 1, cpu: 1500 },
      weight: { cpu: 1500, memory: 400 * MI },
    },
    {
      title: 'an init container beside the sidecars before it, not those after it',
      spec: {
        containers: [container('a', { cpu: '1' })],
        initContainers: [
          { ...container('s1', { cpu: '500m' }), restartPolicy: 'Always' },
          container('ic', { cpu: '2' }),
          { ...container('s2', { cpu: '100m' }), restartPolicy: 'Always' },
        ],
      },
      requests: { pods: 1, cpu: 2500 },
      weight: { cpu: 2500, memory: 600 * MI },
    },
    {
      title: 'limits stand for requests',
      spec: { containers: [{ name: 'a', image: 'i', resources: { limits: { cpu: '1' } } }] },
      requests: { pods: 1, cpu: 1000 },
      weight: { cpu: 1000, memory: 200 * MI },
    },
    {
      title: 'overhead comes on top',
      spec: { ...asking({ cpu: '500m' }), overhead: { cpu: '250m', memory: '120Mi' } },
      requests: { pods: 1, cpu: 750, memory: 120 * MI },
      weight: { cpu: 750, memory: 320 * MI },
    },
    {
      title: 'overhead on top of the largest init container',
      spec: { ...asking({ cpu: '500m' }), initContainers: [container('i', { cpu: '2' })], overhead: { cpu: '250m' } },
      requests: { pods: 1, cpu: 2250 },
      weight: { cpu: 2250, memory: 200 * MI },
    },
    {
      title: 'a container that asks for nothing weighs beside one that does',
      spec: { containers: [container('a', { cpu: '500m' }), container('b', {})] },
      requests: { pods: 1, cpu: 500 },
      weight: { cpu: 600, memory: 400 * MI },
    },
    {
      title: 'one that asks for 0 weighs nothing',
      spec: asking({ cpu: '0', memory: '0' }),
      requests: { pods: 1, cpu: 0, memory: 0 },
      weight: { cpu: 0, memory: 0 },
    },
    {
      title: 'parts are rounded up',
      spec: asking({ cpu: '0.1m', memory: '1.5' }),
      requests: { pods: 1, cpu: 1, memory: 2 },
      weight: { cpu: 1, memory: 2 },
    },
  ];
  for (const { title, spec, requests, weight } of rows) {
    it(title, () => {
      assert.deepEqual(Object.fromEntries(requestsOf(pod('p', spec))), requests);
      assert.deepEqual(weightOf(pod('p', spec)), weight);
    });
  }
});

describe('NodeResourcesFit', () => {
  const big = (extra: Record<string, string> = {}): Node =>
    node('n', { allocatable: { cpu: '4', memory: '8Gi', pods: '3', ...extra } });
  const fit = (...reasons: string[]): string => `NodeResourcesFit: ${reasons.join('; ')}`;
  const rows: readonly {
    title: string;
    node?: Node;
    placed?: readonly Pod[];
    spec: object;
    profile?: object;
    says: string;
  }[] = [
    {
      title: 'room to the last',
      placed: [placedOn('n', {}, asking({ cpu: '3', memory: '7Gi' }))],
      spec: asking({ cpu: '1', memory: '1Gi' }),
      says: P,
    },
    {
      title: 'cpu',
      placed: [placedOn('n', {}, asking({ cpu: '3' }))],
      spec: asking({ cpu: '1001m' }),
      says: fit('Insufficient cpu'),
    },
    { title: 'memory', spec: asking({ memory: '8193Mi' }), says: fit('Insufficient memory') },
    {
      title: 'several at once',
      spec: asking({ cpu: '5', memory: '9Gi', 'example.com/gpu': '1' }),
      says: fit('Insufficient cpu', 'Insufficient memory', 'Insufficient example.com/gpu'),
    },
    { title: 'pods', placed: [placedOn('n'), placedOn('n'), placedOn('n')], spec: {}, says: fit('Too many pods') },
    {
      title: 'an extended resource',
      node: big({ 'example.com/gpu': '2' }),
      placed: [placedOn('n', {}, asking({ 'example.com/gpu': '1' }))],
      spec: asking({ 'example.com/gpu': '1' }),
      says: P,
    },
    {
      title: 'an extended resource that is used up',
      node: big({ 'example.com/gpu': '2' }),
      placed: [placedOn('n', {}, asking({ 'example.com/gpu': '1' }))],
      spec: asking({ 'example.com/gpu': '2' }),
      says: fit('Insufficient example.com/gpu'),
    },
    {
      title: 'an extended resource that is not there',
      spec: asking({ 'example.com/gpu': '1' }),
      says: fit('Insufficient example.com/gpu'),
    },
    { title: '0 of a resource that is not there', spec: asking({ 'example.com/gpu': '0' }), says: P },
    {
      title: 'ephemeral storage',
      node: big({ 'ephemeral-storage': '1Gi' }),
      spec: asking({ 'ephemeral-storage': '2Gi' }),
      says: fit('Insufficient ephemeral-storage'),
    },
    {
      title: 'a pod that asks for nothing goes to a node that is full',
      placed: [placedOn('n', {}, asking({ cpu: '4', memory: '8Gi' }))],
      spec: {},
      says: P,
    },
    {
      title: 'an init container counts alone',
      spec: { ...asking({ cpu: '1' }), initContainers: [container('i', { cpu: '5' })] },
      says: fit('Insufficient cpu'),
    },
    { title: 'overhead', spec: { ...asking({ cpu: '4' }), overhead: { cpu: '1m' } }, says: fit('Insufficient cpu') },
    {
      title: 'overhead of pods that are there',
      placed: [placedOn('n', {}, { ...asking({ cpu: '1' }), overhead: { cpu: '1' } })],
      spec: asking({ cpu: '2001m' }),
      says: fit('Insufficient cpu'),
    },
    {
      title: 'a pod that ended holds nothing',
      placed: [{ ...placedOn('n', {}, asking({ cpu: '4' })), status: { phase: 'Succeeded' } }],
      spec: asking({ cpu: '4' }),
      says: P,
    },
    {
      title: 'a pod that terminates still holds its room',
      placed: [placedOn('n', {}, asking({ cpu: '4' }), { deletionTimestamp: '2026-01-01T00:00:00Z' })],
      spec: asking({ cpu: '1' }),
      says: fit('Insufficient cpu'),
    },
    {
      title: 'ignoredResources',
      spec: asking({ 'example.com/gpu': '1', 'example.com/fpga': '1' }),
      profile: fitArgs({ ignoredResources: ['example.com/gpu'] }),
      says: fit('Insufficient example.com/fpga'),
    },
    {
      title: 'ignoredResourceGroups',
      spec: asking({ 'example.com/gpu': '1', 'example.org/fpga': '1' }),
      profile: fitArgs({ ignoredResourceGroups: ['example.com'] }),
      says: fit('Insufficient example.org/fpga'),
    },
    {
      title: 'cpu, memory and pods are not ignored',
      placed: [placedOn('n'), placedOn('n'), placedOn('n')],
      spec: asking({ cpu: '5' }),
      profile: fitArgs({ ignoredResources: ['cpu', 'pods'] }),
      says: fit('Too many pods', 'Insufficient cpu'),
    },
  ];
  for (const { title, node: given = big(), placed = [], spec, profile, says } of rows)
    it(title, () =>
      assert.deepEqual(verdicts({ nodes: [given], pods: placed, ...(profile && { profile }) }, pod('p', spec)), {
        n: says,
      }),
    );

  it('taking pods away helps where the node is large enough', () => {
    const scheduler = schedulerFor({
      nodes: [node('small', { allocatable: { cpu: '1', memory: '4Gi', pods: '9' } }), node('full'), node('free')],
      pods: [placedOn('full', {}, asking({ cpu: '2' }))],
    });
    const wanted = stored(pod('p', asking({ cpu: '2' })));
    const profile = scheduler.profileOf(wanted);
    assert.ok(profile);
    const { cluster } = scheduler;
    assert.deepEqual(
      scheduler
        .candidates(cluster.shape(wanted), profile)
        .preemptable()
        .map((number) => cluster.nodeName(number)),
      ['full'],
    );
  });
  it('tells the numbers of the node', () => {
    const scheduler = schedulerFor({
      nodes: [big()],
      pods: [placedOn('n', {}, asking({ cpu: '3', memory: '1536Mi' }))],
    });
    const [verdict] = scheduler.refusal(stored(pod('p', asking({ cpu: '2', memory: '7Gi' })))).verdicts;
    assert.deepEqual(
      verdict?.reasons.map(({ detail }) => detail),
      ['cpu: asks for 2000m, 1000m of 4000m is free', 'memory: asks for 7168Mi, 6656Mi of 8192Mi is free'],
    );
  });
});

function fitArgs(args: object): object {
  return { pluginConfig: [{ name: 'NodeResourcesFit', args }] };
}

describe('scores of NodeResourcesFit', () => {
  const nodes = [
    node('empty', { allocatable: { cpu: '4', memory: '8Gi', pods: '9' } }),
    node('used', { allocatable: { cpu: '4', memory: '8Gi', pods: '9' } }),
  ];
  const placed = [placedOn('used', {}, asking({ cpu: '2', memory: '2Gi' }))];
  const wanted = asking({ cpu: '1', memory: '2Gi' });
  const strategy = (type: string, more: object = {}): object => fitArgs({ scoringStrategy: { type, ...more } });
  const packing = {
    requestedToCapacityRatio: {
      shape: [
        { utilization: 0, score: 0 },
        { utilization: 100, score: 10 },
      ],
    },
  };
  const rows: readonly {
    title: string;
    nodes?: readonly Node[];
    placed?: readonly Pod[];
    spec?: object;
    profile?: object;
    scores: Record<string, number>;
  }[] = [
    {
      title: 'LeastAllocated by default: the mean of what is left',
      scores: { empty: (75 + 75) / 2, used: (25 + 50) / 2 },
    },
    {
      title: 'MostAllocated',
      profile: strategy('MostAllocated'),
      scores: { empty: (25 + 25) / 2, used: (75 + 50) / 2 },
    },
    {
      title: 'weights',
      profile: strategy('MostAllocated', {
        resources: [
          { name: 'cpu', weight: 3 },
          { name: 'memory', weight: 1 },
        ],
      }),
      scores: { empty: 25, used: (3 * 75 + 50) / 4 },
    },
    {
      title: 'one resource',
      profile: strategy('LeastAllocated', { resources: [{ name: 'cpu', weight: 1 }] }),
      scores: { empty: 75, used: 25 },
    },
    {
      title: 'RequestedToCapacityRatio',
      profile: strategy('RequestedToCapacityRatio', packing),
      scores: { empty: 25, used: 62.5 },
    },
    {
      title: 'RequestedToCapacityRatio, least requested',
      profile: strategy('RequestedToCapacityRatio', {
        requestedToCapacityRatio: {
          shape: [
            { utilization: 0, score: 10 },
            { utilization: 100, score: 0 },
          ],
        },
      }),
      scores: { empty: 75, used: 37.5 },
    },
    {
      title: 'RequestedToCapacityRatio, level outside its points and broken between them',
      profile: strategy('RequestedToCapacityRatio', {
        resources: [{ name: 'cpu' }],
        requestedToCapacityRatio: {
          shape: [
            { utilization: 30, score: 2 },
            { utilization: 50, score: 10 },
            { utilization: 100, score: 0 },
          ],
        },
      }),
      scores: { empty: 20, used: 50 },
    },
    {
      title: 'RequestedToCapacityRatio leaves out resources that score 0',
      spec: asking({ cpu: '1', memory: '0' }),
      profile: strategy('RequestedToCapacityRatio', packing),
      scores: { empty: 25, used: (75 + 25) / 2 },
    },
    {
      title: 'a pod that asks for nothing weighs 100m and 200Mi',
      nodes: [node('n', { allocatable: { cpu: '1', memory: '2000Mi', pods: '9' } })],
      placed: [],
      spec: {},
      scores: { n: 90 },
    },
    {
      title: 'so do those that are there',
      nodes: [node('n', { allocatable: { cpu: '1', memory: '2000Mi', pods: '9' } })],
      placed: [placedOn('n'), placedOn('n')],
      spec: {},
      scores: { n: 70 },
    },
    {
      title: 'LeastAllocated: more than all is 0',
      nodes: [node('n', { allocatable: { cpu: '50m', memory: '2000Mi', pods: '9' } })],
      placed: [],
      spec: {},
      scores: { n: 45 },
    },
    {
      title: 'MostAllocated: more than all is 100',
      nodes: [node('n', { allocatable: { cpu: '50m', memory: '2000Mi', pods: '9' } })],
      placed: [],
      spec: {},
      profile: strategy('MostAllocated'),
      scores: { n: 55 },
    },
    {
      title: 'an extended resource counts where the pod asks for it',
      nodes: [node('n', { allocatable: { cpu: '4', 'example.com/gpu': '4', pods: '9' } })],
      placed: [placedOn('n', {}, asking({ 'example.com/gpu': '2' }))],
      spec: asking({ cpu: '1', 'example.com/gpu': '1' }),
      profile: strategy('MostAllocated', { resources: [{ name: 'example.com/gpu', weight: 3 }] }),
      scores: { n: 75 },
    },
    {
      title: 'and does not where the pod does not',
      nodes: [node('n', { allocatable: { cpu: '4', 'example.com/gpu': '4', pods: '9' } })],
      placed: [],
      spec: asking({ cpu: '1' }),
      profile: strategy('MostAllocated', {
        resources: [
          { name: 'example.com/gpu', weight: 3 },
          { name: 'cpu', weight: 1 },
        ],
      }),
      scores: { n: 25 },
    },
    {
      title: 'ephemeral storage counts though the pod asks for none',
      nodes: [node('n', { allocatable: { 'ephemeral-storage': '10Gi', pods: '9' } })],
      placed: [placedOn('n', {}, asking({ 'ephemeral-storage': '4Gi' }))],
      spec: {},
      profile: strategy('MostAllocated', { resources: [{ name: 'ephemeral-storage', weight: 1 }] }),
      scores: { n: 40 },
    },
    {
      title: 'a node without the resource is rated by the others',
      nodes: [node('n', { allocatable: { cpu: '4', pods: '9' } })],
      placed: [],
      spec: asking({ cpu: '1' }),
      scores: { n: 75 },
    },
  ];
  for (const row of rows) {
    it(row.title, () =>
      assert.deepEqual(
        scores(
          { nodes: row.nodes ?? nodes, pods: row.placed ?? placed, ...(row.profile && { profile: row.profile }) },
          pod('p', row.spec ?? wanted),
          'NodeResourcesFit',
        ),
        row.scores,
      ),
    );
  }

  /** The page counts in tenths and cuts off at every step, which gives 5 and 7; here is what it comes to without. */
  it('the worked example of "Resource Bin Packing"', () => {
    const has = (foo: string): Record<string, string> => ({ 'intel.com/foo': foo, memory: '1Gi', cpu: '8', pods: '9' });
    const profile = strategy('RequestedToCapacityRatio', {
      resources: [
        { name: 'intel.com/foo', weight: 5 },
        { name: 'memory', weight: 1 },
        { name: 'cpu', weight: 3 },
      ],
      ...packing,
    });
    assert.deepEqual(
      scores(
        {
          nodes: [node('node1', { allocatable: has('4') }), node('node2', { allocatable: has('8') })],
          pods: [
            placedOn('node1', {}, asking({ 'intel.com/foo': '1', memory: '256Mi', cpu: '1' })),
            placedOn('node2', {}, asking({ 'intel.com/foo': '2', memory: '512Mi', cpu: '6' })),
          ],
          profile,
        },
        pod('p', asking({ 'intel.com/foo': '2', memory: '256Mi', cpu: '2' })),
        'NodeResourcesFit',
      ),
      {
        node1: Math.round(((75 * 5 + 50 * 1 + 37.5 * 3) / 9) * 100) / 100,
        node2: Math.round(((50 * 5 + 75 * 1 + 100 * 3) / 9) * 100) / 100,
      },
    );
  });
});

describe('NodeResourcesBalancedAllocation', () => {
  const has = (name: string, cpu: string, memory: string, more: Record<string, string> = {}): Node =>
    node(name, { allocatable: { cpu, memory, pods: '9', ...more } });
  const rows: readonly {
    title: string;
    nodes: readonly Node[];
    placed?: readonly Pod[];
    spec: object;
    resources?: readonly object[];
    scores: Record<string, number>;
  }[] = [
    {
      title: '75 where shares stay as even as they were, less half of what they spread',
      nodes: [has('even', '4', '4Gi'), has('uneven', '4', '2Gi')],
      spec: asking({ cpu: '1', memory: '1Gi' }),
      scores: { even: 75, uneven: 75 - 6.25 },
    },
    {
      title: 'with the pods that are there',
      nodes: [has('n', '4', '4Gi')],
      placed: [placedOn('n', {}, asking({ cpu: '2' }))],
      spec: asking({ cpu: '1', memory: '1Gi' }),
      scores: { n: 75 },
    },
    {
      title: 'more where the pod evens out what is there',
      nodes: [has('n', '4', '4Gi')],
      placed: [placedOn('n', {}, asking({ cpu: '4' }))],
      spec: asking({ memory: '4Gi' }),
      scores: { n: 100 },
    },
    {
      title: 'pods that ask for nothing do not count',
      nodes: [has('n', '4', '4Gi')],
      placed: [placedOn('n'), placedOn('n')],
      spec: asking({ cpu: '1', memory: '1Gi' }),
      scores: { n: 75 },
    },
    {
      title: 'a pod that asks for nothing is not rated, so that not all of them go to one node',
      nodes: [has('n', '4', '4Gi')],
      spec: {},
      scores: {},
    },
    {
      title: 'a pod that asks for cpu alone',
      nodes: [has('n', '4', '4Gi')],
      spec: asking({ cpu: '2' }),
      scores: { n: 75 - 12.5 },
    },
    {
      title: 'three resources',
      nodes: [has('n', '4', '4Gi', { 'example.com/gpu': '4' })],
      spec: asking({ cpu: '1', memory: '2Gi', 'example.com/gpu': '3' }),
      resources: [{ name: 'cpu' }, { name: 'memory' }, { name: 'example.com/gpu' }],
      scores: { n: Math.round((75 - 50 * Math.sqrt((2 * 0.25 ** 2) / 3)) * 100) / 100 },
    },
    {
      title: 'a resource that the node lacks does not count',
      nodes: [node('n', { allocatable: { cpu: '4', pods: '9' } })],
      spec: asking({ cpu: '1' }),
      scores: { n: 75 },
    },
  ];
  for (const { title, nodes, placed = [], spec, resources, scores: expected } of rows) {
    const profile = resources
      ? { pluginConfig: [{ name: 'NodeResourcesBalancedAllocation', args: { resources } }] }
      : {};
    it(title, () =>
      assert.deepEqual(
        scores({ nodes, pods: placed, profile }, pod('p', spec), 'NodeResourcesBalancedAllocation'),
        expected,
      ),
    );
  }
});
