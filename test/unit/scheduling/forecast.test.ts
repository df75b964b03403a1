/** Where the pods of a plan would go, and that they do go there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { formatPlan } from '../../../reconciler/core/diff/index.ts';
import { forecastLines, forecastSummary } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { forecastOf } from '../../../reconciler/controllers/scheduling/plan-forecast.ts';
import { machine, node } from '../controllers/objects.ts';
import { Fleet, placesOf } from './fleet.ts';

interface App {
  readonly replicas?: number;
  readonly image?: string;
  readonly requests?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** More fields of the Deployment's spec. */
  readonly spec?: object;
  /** More fields of the pods' spec. */
  readonly pod?: object;
}
function app(name: string, { replicas = 1, image = 'app:1', requests = { cpu: '500m', memory: '256Mi' }, labels = {}, spec = {}, pod: podSpec = {} }: App = {}): string {
  return JSON.stringify({
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name, ...labels } }, spec: { containers: [{ name: 'app', image, resources: { requests, ...(requests['nvidia.com/gpu'] !== undefined && { limits: { 'nvidia.com/gpu': requests['nvidia.com/gpu'] } }) } }], ...podSpec } }, ...spec },
  });
}
const RECREATE = { strategy: { type: 'Recreate' } };
const rolling = (maxSurge: number, maxUnavailable: number): object => ({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });
const podGroup = (minMember: number): string => JSON.stringify({ apiVersion: 'scheduling.x-k8s.io/v1alpha1', kind: 'PodGroup', metadata: { name: 'gang' }, spec: { minMember } });
const GANG = { 'scheduling.x-k8s.io/pod-group': 'gang' };
const barePod = (name: string, spec: object = {}): string => JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '500m' } } }], ...spec } });

const told = (forecast: Forecast | undefined): unknown => forecast && {
  places: placesOf(forecast), unplaced: Object.fromEntries(forecast.unplaced.map(({ workload, pods, of, message }) => [workload, `${pods} of ${of}: ${message.replace(/gang-\w{10}-/, 'gang-')}`])),
};

describe('the forecast of a plan', () => {
  const two = [node('n1'), node('n2')];
  const GPU = { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' as const }] };
  const zoned = ['a', 'b', 'c'].map((zone) => node(`n-${zone}`, { labels: { 'topology.kubernetes.io/zone': zone } }));
  const rows: readonly { name: string; nodes?: readonly KubeObject[]; live?: readonly string[]; plan: readonly string[]; places?: Record<string, string>; unplaced?: Record<string, string>; nothing?: true }[] = [
    { name: 'spreads a new Deployment', plan: [app('web', { replicas: 3 })], places: { 'Deployment/default/web': 'n1 x1, n2 x2' } },
    { name: 'says nothing of a plan that changes no pods', live: [app('web')], plan: [app('web', { spec: { revisionHistoryLimit: 3 } })], nothing: true },
    { name: 'says nothing of pods that only go', live: [app('web', { replicas: 3 }), app('old')], plan: [app('web')], nothing: true },
    { name: 'places only what is added', live: [app('web', { replicas: 2 })], plan: [app('web', { replicas: 4 })], places: { 'Deployment/default/web': 'n1 x1, n2 x1' } },
    { name: 'counts on the room of pods that go', live: [app('old', { replicas: 2, requests: { cpu: '2' } })], plan: [app('new', { replicas: 2, requests: { cpu: '2' } })], places: { 'Deployment/default/new': 'n1 x1, n2 x1' } },
    { name: 'counts on the room of old pods of a template that changed', live: [app('web', { replicas: 2, requests: { cpu: '2' } })], plan: [app('web', { replicas: 2, image: 'app:2', requests: { cpu: '2' } })], places: { 'Deployment/default/web': 'n1 x1, n2 x1' } },
    { name: 'leaves a paused Deployment as it is', live: [app('web')], plan: [app('web', { image: 'app:2', spec: { paused: true } })], nothing: true },
    { name: 'scales a paused Deployment', live: [app('web')], plan: [app('web', { image: 'app:2', replicas: 2, spec: { paused: true } })], places: { 'Deployment/default/web': 'n1 x1' } },
    { name: 'knows pods on their own, those with a node too', plan: [barePod('free', { tolerations: [] }), barePod('bound', { nodeName: 'n2' })], places: { 'Pod/default/bound': 'n2 x1', 'Pod/default/free': 'n1 x1' } },
    {
      name: 'knows taints', nodes: [node('n1'), node('n2', { spec: GPU })], plan: [app('web', { replicas: 5 }), app('train', { pod: { tolerations: [{ key: 'gpu', operator: 'Exists' }], nodeSelector: { 'kubernetes.io/hostname': 'n2' } } })],
      places: { 'Deployment/default/train': 'n2 x1', 'Deployment/default/web': 'n1 x4' },
      unplaced: { 'Deployment/default/web': '1 of 5: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}.' },
    },
    {
      name: 'knows devices', nodes: [node('n1'), node('n2', { allocatable: { cpu: '4', memory: '8Gi', pods: '10', 'nvidia.com/gpu': '1' } })],
      plan: [app('train', { replicas: 2, requests: { 'nvidia.com/gpu': '1' } })], places: { 'Deployment/default/train': 'n2 x1' },
      unplaced: { 'Deployment/default/train': '1 of 2: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.' },
    },
    {
      name: 'knows spread', nodes: zoned.slice(0, 2), places: { 'Deployment/default/web': 'n-a x2, n-b x2' },
      plan: [app('web', { replicas: 4, pod: { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } } }] } })],
    },
    {
      name: 'knows the spread over all zones that there are', nodes: [...zoned.slice(0, 2), node('n-c', { labels: { 'topology.kubernetes.io/zone': 'c' }, allocatable: { cpu: '100m', memory: '1Gi', pods: '10' } })],
      plan: [app('web', { replicas: 3, pod: { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } } }] } })],
      places: { 'Deployment/default/web': 'n-a x1, n-b x1' },
      unplaced: { 'Deployment/default/web': "1 of 3: 0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints." },
    },
    {
      name: 'knows gangs: all', plan: [podGroup(2), app('gang', { replicas: 2, labels: GANG, requests: { cpu: '1500m' } })], places: { 'Deployment/default/gang': 'n1 x1, n2 x1' },
    },
    {
      name: 'knows gangs: or none', plan: [podGroup(3), app('gang', { replicas: 3, labels: GANG, requests: { cpu: '1500m' } }), app('web', { requests: { cpu: '1' } })], places: { 'Deployment/default/web': 'n2 x1' },
      unplaced: { 'Deployment/default/gang': '3 of 3: pod group default/gang needs 3 pods placed together, 1 can be: gang-00002: 0/2 nodes are available: 2 Insufficient cpu.' },
    },
    { name: 'knows gates', plan: [barePod('x', { schedulingGates: [{ name: 'a.b/c' }] })], unplaced: { 'Pod/default/x': '1 of 1: Scheduling is blocked due to non-empty scheduling gates: a.b/c' } },
    {
      name: 'knows the settings that come with the plan',
      plan: [
        JSON.stringify({ apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration', profiles: [{ plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: 'NodeResourcesFit' }] } }, pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }] }] }),
        app('web', { replicas: 3 }),
      ],
      places: { 'Deployment/default/web': 'n2 x3' },
    },
    {
      name: 'places the important first', plan: [
        JSON.stringify({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 10 }),
        app('a', { replicas: 2, requests: { cpu: '2' } }), app('b', { replicas: 2, requests: { cpu: '2' }, pod: { priorityClassName: 'high' } }),
      ],
      places: { 'Deployment/default/b': 'n1 x1, n2 x1' }, unplaced: { 'Deployment/default/a': '2 of 2: 0/2 nodes are available: 2 Insufficient cpu.' },
    },
    { name: 'tells of pods that waited and get their place', live: [app('a', { replicas: 2, requests: { cpu: '2' } }), app('b', { requests: { cpu: '2' } })], plan: [app('b', { requests: { cpu: '2' } })], places: { 'Deployment/default/b': 'n2 x1' } },
    { name: 'tells nothing of pods that wait as before', live: [app('a', { replicas: 3, requests: { cpu: '2' } })], plan: [app('a', { replicas: 3, requests: { cpu: '2' } }), app('b', { requests: { cpu: '0' } })], places: { 'Deployment/default/b': 'n2 x1' } },
  ];
  for (const { name, nodes = two, live = [], plan, places = {}, unplaced = {}, nothing } of rows) {
    it(name, () => {
      const fleet = new Fleet(...nodes).apply(...live);
      const untouched = JSON.stringify([...fleet.world.objects]);
      const forecast = fleet.forecast(...plan);
      assert.deepEqual(told(forecast), nothing ? undefined : { places, unplaced });
      assert.equal(JSON.stringify([...fleet.world.objects]), untouched);
      assert.deepEqual(fleet.forecast(...plan), forecast, 'the same again');
    });
  }

  it('tells what becomes of each node', () => {
    const fleet = new Fleet(...two).apply(app('web', { replicas: 2, requests: { cpu: '500m', memory: '1Gi' } }));
    assert.deepEqual(fleet.forecast(app('web', { replicas: 3, requests: { cpu: '500m', memory: '1Gi' } }))?.capacity, [
      { node: 'n1', cpu: { allocatable: 2000, before: 500, after: 500 }, memory: { allocatable: 4 * 2 ** 30, before: 2 ** 30, after: 2 ** 30 } },
      { node: 'n2', cpu: { allocatable: 2000, before: 500, after: 1000 }, memory: { allocatable: 4 * 2 ** 30, before: 2 ** 30, after: 2 ** 31 } },
    ]);
  });

  it('lets the pods of a drained machine go elsewhere, those that nothing owns nowhere', () => {
    const fleet = new Fleet(machine('n1'), machine('n2'), node('n1'), node('n2')).apply(app('web', { replicas: 2 }), barePod('alone', { nodeName: 'n2' }));
    const machines = (name: string, spec: object): string => JSON.stringify({ apiVersion: 'plumbline.dev/v1alpha1', kind: 'Machine', metadata: { name }, spec: { address: `198.18.0.${name.slice(1)}`, hostKey: 'ssh-ed25519 AAAA', ...spec } });
    const drained = machines('n2', { taints: [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }], unschedulable: true });
    const forecast = fleet.forecast(app('web', { replicas: 2 }), barePod('alone', { nodeName: 'n2' }), machines('n1', {}), drained, machines('n3', {}));
    assert.deepEqual(placesOf(forecast), { 'Deployment/default/web': 'n1 x1' });
    assert.deepEqual(forecast?.joining, ['n3']);
    assert.deepEqual(forecast.capacity.map(({ node: name, cpu }) => [name, cpu.before, cpu.after]), [['n1', 500, 1000], ['n2', 1000, 0]]);
  });
});

describe('the start of a rolling update', () => {
  const full = { replicas: 2, requests: { cpu: '2' } };
  const rows: readonly { name: string; spec: object; then?: App; starts: readonly [number, number, boolean][] }[] = [
    { name: 'stands still when nothing may go before', spec: rolling(1, 0), starts: [[1, 1, true]] },
    { name: 'is short of room when an old pod may go', spec: rolling(1, 1), starts: [[1, 1, false]] },
    { name: 'needs no room beside the old pods without surge', spec: rolling(0, 1), starts: [] },
    { name: 'needs no room beside the old pods when those go first', spec: RECREATE, starts: [] },
    { name: 'stands still even if the new pods are smaller, where nothing is left', spec: rolling(2, 0), then: { replicas: 2, requests: { cpu: '1' } }, starts: [[2, 2, true]] },
    { name: 'goes on when the new pods need nothing', spec: rolling(2, 0), then: { replicas: 2, requests: {} }, starts: [] },
    { name: 'counts the old pods that go since there are to be fewer', spec: rolling(1, 0), then: { replicas: 1, requests: { cpu: '2' } }, starts: [] },
    { name: 'counts the old pods that come since there are to be more', spec: rolling(1, 0), then: { replicas: 3, requests: { cpu: '1' } }, starts: [[1, 1, true]] },
  ];
  for (const { name, spec, then = full, starts } of rows) {
    it(name, () => {
      const fleet = new Fleet(node('n1'), node('n2')).apply(app('web', { ...full, spec }));
      const forecast = fleet.forecast(app('web', { ...then, image: 'app:2', spec }));
      assert.deepEqual(forecast?.crowdedStarts.map(({ pods, of, standsStill }) => [pods, of, standsStill]), starts);
    });
  }

  it('is foretold as it comes: what would stand still does', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), (replicas, surge, unavailable, nodes, cpu) => {
      fc.pre(surge + unavailable > 0);
      const made = { replicas, requests: { cpu: `${cpu * 250}m` }, spec: rolling(surge, unavailable) };
      const fleet = new Fleet(...Array.from({ length: nodes }, (_, at) => node(`n${at}`))).apply(app('web', made));
      fc.pre(fleet.pods().every(({ spec }) => spec.nodeName !== undefined));
      const forecast = fleet.forecast(app('web', { ...made, image: 'app:2' }));
      assert.equal(forecast?.unplaced.length, 0, 'where the old ones were there is room for the new ones');
      fleet.apply(app('web', { ...made, image: 'app:2' }));
      const old = fleet.pods().filter(({ spec }) => spec.containers[0]?.image === 'app:1').length;
      assert.equal(old > 0, forecast.crowdedStarts.some(({ standsStill }) => standsStill));
    }), { numRuns: 30 });
  });
});

describe('what is foretold', () => {
  const workload = fc.record({
    replicas: fc.integer({ min: 0, max: 5 }), cpu: fc.integer({ min: 0, max: 8 }), image: fc.constantFrom('app:1', 'app:2'),
    kind: fc.constantFrom('plain', 'tolerant', 'apart', 'spread', 'zoned', 'gang', 'important'), there: fc.boolean(), stays: fc.boolean(),
  });
  type Workload = typeof workload extends fc.Arbitrary<infer T> ? T : never;
  function document(name: string, { replicas, cpu, image, kind }: Workload): string {
    const meant = { labelSelector: { matchLabels: { app: name } } };
    const extra: Record<Workload['kind'], object> = {
      plain: {}, gang: {}, important: { priorityClassName: 'high' },
      tolerant: { tolerations: [{ key: 'gpu', operator: 'Exists' }] },
      apart: { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ ...meant, topologyKey: 'kubernetes.io/hostname' }] } } },
      spread: { topologySpreadConstraints: [{ ...meant, maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] },
      zoned: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['z0'] }] }] } } } },
    };
    return app(name, { replicas, image, requests: cpu === 0 ? {} : { cpu: `${cpu * 150}m` }, spec: RECREATE, pod: extra[kind], ...(kind === 'gang' && { labels: GANG }) });
  }
  const HIGH = JSON.stringify({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 10, preemptionPolicy: 'Never' });

  it('happens: as many pods on each node, and as many on none', () => {
    fc.assert(fc.property(fc.array(workload, { minLength: 1, maxLength: 5 }), fc.array(workload, { minLength: 5, maxLength: 5 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (before, after, nodes, minMember) => {
      const fleet = new Fleet(...Array.from({ length: nodes }, (_, at) => node(`n${at}`, { labels: { zone: `z${at % 2}` }, ...(at === 2 && { spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' as const }] } }) })));
      fleet.apply(HIGH, podGroup(minMember), ...before.flatMap((one, at) => (one.there ? [document(`w${at}`, one)] : [])));
      const plan = [HIGH, podGroup(minMember), ...before.flatMap((one, at) => {
        if (one.stays) return [document(`w${at}`, one)];
        const next = after[at];
        return next?.there ? [document(`w${at}`, { ...one, replicas: next.replicas, cpu: next.cpu, image: next.image })] : [];
      })];
      const forecast = fleet.forecast(...plan);
      fleet.begin(...plan);
      const kept = fleet.pods().filter(({ spec }) => spec.nodeName !== undefined).map(({ metadata }) => metadata.uid);
      const waited = fleet.pods().length - kept.length;
      for (let round = 0; round < 20 && fleet.schedule(); round++);
      const placed: Record<string, Record<string, number>> = {};
      let unplaced = 0;
      for (const made of fleet.pods().filter(({ metadata }) => !kept.includes(metadata.uid))) {
        const name = `Deployment/default/${made.metadata.labels?.['app'] ?? ''}`;
        if (made.spec.nodeName === undefined) unplaced++;
        else (placed[name] ??= {})[made.spec.nodeName] = (placed[name]?.[made.spec.nodeName] ?? 0) + 1;
      }
      if (!forecast) return assert.equal(waited === 0 || Object.keys(placed).length === 0, true, 'nothing was foretold');
      const foretold = Object.fromEntries(forecast.placements.map(({ workload: name, nodes: on }) => [name, Object.fromEntries(on.map((one) => [one.node, one.pods]))]));
      assert.deepEqual(foretold, placed);
      assert.equal(forecast.unplaced.reduce((sum, { pods }) => sum + pods, 0) + forecast.stillWaiting, unplaced);
    }), { numRuns: 80 });
  });
});

describe('a forecast in words', () => {
  const fleet = new Fleet(node('n1'), node('n2'), node('n3', { spec: { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' }] } }))
    .apply(app('web', { replicas: 2 }), app('tight', { requests: { cpu: '1200m' } }));
  const documents = [app('web', { replicas: 4 }), app('tight', { requests: { cpu: '1200m' }, image: 'app:2' }), app('train', { replicas: 2, requests: { 'nvidia.com/gpu': '1' } })];
  const plan = fleet.plan(...documents);
  const forecast = forecastOf(plan, fleet.world, fleet.world.now) ?? assert.fail('nothing is placed');

  it('tells where pods go, warns of what does not fit, and tells what becomes of the nodes', () => {
    assert.equal(forecastSummary(forecast), '3 pods get a place, 2 would not fit (on the present state of 3 nodes)');
    assert.deepEqual(forecastLines(forecast), [
      'Deployment/default/tight: n2 x1',
      'Deployment/default/web: n1 x2',
      'warning: 2 of 2 pods of Deployment/default/train would not fit: 0/3 nodes are available: 1 node(s) had untolerated taint {gpu: true}, 2 Insufficient nvidia.com/gpu.',
      '  2 Insufficient nvidia.com/gpu',
      '    n1, n2: nvidia.com/gpu: asks for 1, 0 of 0 is free',
      '  1 node(s) had untolerated taint {gpu: true}',
      '    n3: taint gpu=true:NoSchedule',
      'n1: cpu 25% -> 75%, memory 6% -> 19%',
    ]);
  });

  it('stands before the summary of a plan, behind it in markdown, and in JSON as data', () => {
    const text = formatPlan(plan, 'text', forecast).split('\n');
    assert.equal(text.at(-1), 'Plan: 1 to create, 2 to update, 0 to delete.');
    assert.equal(text.indexOf('Placement: 3 pods get a place, 2 would not fit (on the present state of 3 nodes)') > 0, true);
    const markdown = formatPlan(plan, 'markdown', forecast).split('\n');
    assert.deepEqual([markdown[0], markdown.at(-1)], ['**Plumbline plan:** 1 to create, 2 to update, 0 to delete.', '```']);
    assert.equal(markdown.includes('**Placement:** 3 pods get a place, 2 would not fit (on the present state of 3 nodes)'), true);
    const json = JSON.parse(formatPlan(plan, 'json', forecast)) as { counts: object; placement: Forecast };
    assert.deepEqual(json.placement, JSON.parse(JSON.stringify(forecast)));
    assert.equal('placement' in (JSON.parse(formatPlan(plan, 'json')) as object), false);
  });

  it('of many nodes stays short', () => {
    const large = new Fleet(...Array.from({ length: 1100 }, (_, at) => node(`n${String(at).padStart(4, '0')}`)));
    const lines = forecastLines(large.forecast(app('web', { replicas: 1100 })) ?? assert.fail());
    assert.deepEqual([lines[0], lines.at(-1), lines.length], ['Deployment/default/web: n0000 x1, n0001 x1, n0002 x1, n0003 x1, n0004 x1 and 1,095 more', 'and 1,090 more nodes change', 12]);
  });
});
