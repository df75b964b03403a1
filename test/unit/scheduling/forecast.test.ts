/** Where the pods of a plan would go, and that they do go there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { formatPlan } from '../../../reconciler/core/diff/index.ts';
import { forecastLines, forecastSummary } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import type { Plugin } from '../../../reconciler/core/scheduling/framework.ts';
import { PlannedWorkloads } from '../../../reconciler/core/scheduling/planned-workloads.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { simulate, type Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { forecastOf } from '../../../reconciler/controllers/scheduling/plan-forecast.ts';
import { machine, node, pod, TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { app, barePod, CLASSES, GANG, podGroup, RECREATE, rolling, type App } from './apps.ts';
import { Fleet, placesOf } from './fleet.ts';
import { asking, clusterOf, profilesOf, stored } from './situation.ts';

const unplacedOf = (forecast: Forecast | undefined): Record<string, string> =>
  Object.fromEntries(
    (forecast?.unplaced ?? []).map(({ workload, pods, of, message }) => [
      workload,
      `${pods} of ${of}: ${message.replace(/gang-\w{10}-/, 'gang-')}`,
    ]),
  );
const told = (forecast: Forecast | undefined): unknown =>
  forecast && { places: placesOf(forecast), unplaced: unplacedOf(forecast) };

describe('the forecast of a plan', () => {
  const two = [node('n1'), node('n2')];
  const GPU = { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' as const }] };
  const zoned = ['a', 'b', 'c'].map((zone) => node(`n-${zone}`, { labels: { 'topology.kubernetes.io/zone': zone } }));
  const rows: readonly {
    name: string;
    nodes?: readonly KubeObject[];
    live?: readonly string[];
    plan: readonly string[];
    places?: Record<string, string>;
    unplaced?: Record<string, string>;
    nothing?: true;
  }[] = [
    {
      name: 'spreads a new Deployment',
      plan: [app('web', { replicas: 3 })],
      places: { 'Deployment/default/web': 'n1 x1, n2 x2' },
    },
    {
      name: 'says nothing of a plan that changes no pods',
      live: [app('web')],
      plan: [app('web', { spec: { revisionHistoryLimit: 3 } })],
      nothing: true,
    },
    {
      name: 'says nothing of pods that only go',
      live: [app('web', { replicas: 3 }), app('old')],
      plan: [app('web')],
      nothing: true,
    },
    {
      name: 'places only what is added',
      live: [app('web', { replicas: 2 })],
      plan: [app('web', { replicas: 4 })],
      places: { 'Deployment/default/web': 'n1 x1, n2 x1' },
    },
    {
      name: 'counts on the room of pods that go',
      live: [app('old', { replicas: 2, requests: { cpu: '2' } })],
      plan: [app('new', { replicas: 2, requests: { cpu: '2' } })],
      places: { 'Deployment/default/new': 'n1 x1, n2 x1' },
    },
    {
      name: 'counts on the room of old pods of a template that changed',
      live: [app('web', { replicas: 2, requests: { cpu: '2' }, spec: RECREATE })],
      plan: [app('web', { replicas: 2, image: 'app:2', requests: { cpu: '2' }, spec: RECREATE })],
      places: { 'Deployment/default/web': 'n1 x1, n2 x1' },
    },
    {
      name: 'leaves a paused Deployment as it is',
      live: [app('web')],
      plan: [app('web', { image: 'app:2', spec: { paused: true } })],
      nothing: true,
    },
    {
      name: 'scales a paused Deployment',
      live: [app('web')],
      plan: [app('web', { image: 'app:2', replicas: 2, spec: { paused: true } })],
      places: { 'Deployment/default/web': 'n1 x1' },
    },
    {
      name: 'knows pods on their own, those with a node too',
      plan: [barePod('free', { tolerations: [] }), barePod('bound', { nodeName: 'n2' })],
      places: { 'Pod/default/bound': 'n2 x1', 'Pod/default/free': 'n1 x1' },
    },
    {
      name: 'knows taints',
      nodes: [node('n1'), node('n2', { spec: GPU })],
      plan: [
        app('web', { replicas: 5 }),
        app('train', {
          pod: { tolerations: [{ key: 'gpu', operator: 'Exists' }], nodeSelector: { 'kubernetes.io/hostname': 'n2' } },
        }),
      ],
      places: { 'Deployment/default/train': 'n2 x1', 'Deployment/default/web': 'n1 x4' },
      unplaced: {
        'Deployment/default/web':
          '1 of 5: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}.',
      },
    },
    {
      name: 'knows devices',
      nodes: [node('n1'), node('n2', { allocatable: { cpu: '4', memory: '8Gi', pods: '10', 'nvidia.com/gpu': '1' } })],
      plan: [app('train', { replicas: 2, requests: { 'nvidia.com/gpu': '1' } })],
      places: { 'Deployment/default/train': 'n2 x1' },
      unplaced: { 'Deployment/default/train': '1 of 2: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.' },
    },
    {
      name: 'knows spread',
      nodes: zoned.slice(0, 2),
      places: { 'Deployment/default/web': 'n-a x2, n-b x2' },
      plan: [
        app('web', {
          replicas: 4,
          pod: {
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'topology.kubernetes.io/zone',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: { app: 'web' } },
              },
            ],
          },
        }),
      ],
    },
    {
      name: 'knows the spread over all zones that there are',
      nodes: [
        ...zoned.slice(0, 2),
        node('n-c', {
          labels: { 'topology.kubernetes.io/zone': 'c' },
          allocatable: { cpu: '100m', memory: '1Gi', pods: '10' },
        }),
      ],
      plan: [
        app('web', {
          replicas: 3,
          pod: {
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: 'topology.kubernetes.io/zone',
                whenUnsatisfiable: 'DoNotSchedule',
                labelSelector: { matchLabels: { app: 'web' } },
              },
            ],
          },
        }),
      ],
      places: { 'Deployment/default/web': 'n-a x1, n-b x1' },
      unplaced: {
        'Deployment/default/web':
          "1 of 3: 0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints.",
      },
    },
    {
      name: 'knows gangs: all',
      plan: [podGroup(2), app('gang', { replicas: 2, labels: GANG, requests: { cpu: '1500m' } })],
      places: { 'Deployment/default/gang': 'n1 x1, n2 x1' },
    },
    {
      name: 'knows gangs: or none',
      plan: [
        podGroup(3),
        app('gang', { replicas: 3, labels: GANG, requests: { cpu: '1500m' } }),
        app('web', { requests: { cpu: '1' } }),
      ],
      places: { 'Deployment/default/web': 'n2 x1' },
      unplaced: {
        'Deployment/default/gang':
          '3 of 3: pod group default/gang needs 3 pods placed together, 1 can be: gang-00002: 0/2 nodes are available: 2 Insufficient cpu.',
      },
    },
    {
      name: 'knows gates',
      plan: [barePod('x', { schedulingGates: [{ name: 'a.b/c' }] })],
      unplaced: { 'Pod/default/x': '1 of 1: Scheduling is blocked due to non-empty scheduling gates: a.b/c' },
    },
    {
      name: 'knows the settings that come with the plan',
      plan: [
        JSON.stringify({
          apiVersion: 'kubescheduler.config.k8s.io/v1',
          kind: 'KubeSchedulerConfiguration',
          profiles: [
            {
              plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: 'NodeResourcesFit' }] } },
              pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }],
            },
          ],
        }),
        app('web', { replicas: 3 }),
      ],
      places: { 'Deployment/default/web': 'n2 x3' },
    },
    {
      name: 'knows the plugins that come with the plan',
      plan: [
        JSON.stringify({
          apiVersion: 'plumbline.dev/v1alpha1',
          kind: 'SchedulerPlugin',
          metadata: { name: 'only-n2' },
          spec: { filter: { expression: "node.name == 'n2'", reason: 'node(s) were not n2' } },
        }),
        JSON.stringify({
          apiVersion: 'kubescheduler.config.k8s.io/v1',
          kind: 'KubeSchedulerConfiguration',
          profiles: [{ plugins: { filter: { enabled: [{ name: 'only-n2' }] } } }],
        }),
        app('web', { replicas: 5 }),
      ],
      places: { 'Deployment/default/web': 'n2 x4' },
      unplaced: {
        'Deployment/default/web': '1 of 5: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were not n2.',
      },
    },
    {
      name: 'places the important first',
      plan: [
        JSON.stringify({
          apiVersion: 'scheduling.k8s.io/v1',
          kind: 'PriorityClass',
          metadata: { name: 'high' },
          value: 10,
        }),
        app('a', { replicas: 2, requests: { cpu: '2' } }),
        app('b', { replicas: 2, requests: { cpu: '2' }, pod: { priorityClassName: 'high' } }),
      ],
      places: { 'Deployment/default/b': 'n1 x1, n2 x1' },
      unplaced: { 'Deployment/default/a': '2 of 2: 0/2 nodes are available: 2 Insufficient cpu.' },
    },
    {
      name: 'updates a gang of which enough stay',
      live: [podGroup(2), app('gang', { replicas: 2, labels: GANG, requests: { cpu: '2' }, spec: rolling(0, 1) })],
      plan: [
        podGroup(2),
        app('gang', { replicas: 2, labels: GANG, image: 'app:2', requests: { cpu: '2' }, spec: rolling(0, 1) }),
      ],
      places: { 'Deployment/default/gang': 'n1 x1, n2 x1' },
    },
    {
      name: 'says of every pod that there is no node',
      nodes: [],
      plan: [app('web', { replicas: 2 })],
      unplaced: { 'Deployment/default/web': '2 of 2: no nodes available to schedule pods' },
    },
    {
      name: 'lets a finished update take the minReadySeconds that it needs',
      live: [app('web', { replicas: 2, requests: { cpu: '1' }, spec: { ...rolling(1, 0), minReadySeconds: 30 } })],
      plan: [
        app('web', {
          replicas: 2,
          image: 'app:2',
          requests: { cpu: '1' },
          spec: { ...rolling(1, 0), minReadySeconds: 30 },
        }),
      ],
      places: { 'Deployment/default/web': 'n1 x1, n2 x1' },
    },
    {
      name: 'tells of pods that waited and get their place',
      live: [app('a', { replicas: 2, requests: { cpu: '2' } }), app('b', { requests: { cpu: '2' } })],
      plan: [app('b', { requests: { cpu: '2' } })],
      places: { 'Deployment/default/b': 'n2 x1' },
    },
    {
      name: 'tells nothing of pods that wait as before',
      live: [app('a', { replicas: 3, requests: { cpu: '2' } })],
      plan: [app('a', { replicas: 3, requests: { cpu: '2' } }), app('b', { requests: { cpu: '0' } })],
      places: { 'Deployment/default/b': 'n2 x1' },
    },
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

  it('counts on the room of pods that are on their way out', () => {
    const web = (image: string): string => app('web', { image, requests: { cpu: '2' }, spec: RECREATE });
    const fleet = new Fleet(node('n1')).apply(web('app:1'));
    for (const leaving of fleet.pods())
      fleet.world.put({ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    assert.deepEqual(told(fleet.forecast(web('app:2'))), {
      places: { 'Deployment/default/web': 'n1 x1' },
      unplaced: {},
    });
  });

  it('tells what becomes of each node', () => {
    const fleet = new Fleet(...two).apply(app('web', { replicas: 2, requests: { cpu: '500m', memory: '1Gi' } }));
    assert.deepEqual(fleet.forecast(app('web', { replicas: 3, requests: { cpu: '500m', memory: '1Gi' } }))?.capacity, [
      {
        node: 'n1',
        cpu: { allocatable: 2000, before: 500, after: 500 },
        memory: { allocatable: 4 * 2 ** 30, before: 2 ** 30, after: 2 ** 30 },
      },
      {
        node: 'n2',
        cpu: { allocatable: 2000, before: 500, after: 1000 },
        memory: { allocatable: 4 * 2 ** 30, before: 2 ** 30, after: 2 ** 31 },
      },
    ]);
  });

  describe('of machines', () => {
    const hosted = (name: string, spec: object = {}): string =>
      JSON.stringify({
        apiVersion: 'plumbline.dev/v1alpha1',
        kind: 'Machine',
        metadata: { name },
        spec: { address: `198.18.0.${name.slice(1)}`, hostKey: 'ssh-ed25519 AAAA', ...spec },
      });
    const alone = barePod('alone', { nodeName: 'n2' });
    const shares = (forecast: Forecast | undefined): unknown =>
      forecast?.capacity.map(({ node: name, cpu }) => [name, cpu.allocatable, cpu.before, cpu.after]);
    const fleetOf = (...documents: readonly string[]): Fleet =>
      new Fleet(machine('n1'), machine('n2'), node('n1'), node('n2')).apply(hosted('n1'), hosted('n2'), ...documents);

    it('lets the pods of a drained one go elsewhere, those that nothing owns nowhere', () => {
      const drained = hosted('n2', {
        taints: [{ key: 'plumbline.dev/drain', effect: 'NoExecute' }],
        unschedulable: true,
      });
      const forecast = fleetOf(app('web', { replicas: 2 }), alone).forecast(
        hosted('n1'),
        drained,
        hosted('n3'),
        app('web', { replicas: 2 }),
        alone,
      );
      assert.deepEqual(
        [told(forecast), forecast?.joining],
        [{ places: { 'Deployment/default/web': 'n1 x1' }, unplaced: {} }, ['n3']],
      );
      assert.deepEqual(shares(forecast), [
        ['n1', 2000, 500, 1000],
        ['n2', 2000, 1000, 0],
      ]);
    });

    it('lets the pods of a removed one come anew where there is room', () => {
      const web = app('web', { replicas: 4, requests: { cpu: '1' } });
      const forecast = fleetOf(web).forecast(hosted('n1'), web);
      assert.deepEqual(told(forecast), {
        places: {},
        unplaced: { 'Deployment/default/web': '2 of 2: 0/1 nodes are available: 1 Insufficient cpu.' },
      });
      assert.deepEqual(shares(forecast), [
        ['n1', 2000, 2000, 2000],
        ['n2', 0, 2000, 0],
      ]);
      assert.equal(forecast && forecastLines(forecast).at(-1), 'n2: is removed');
    });

    it('updates what loses its machine with the same plan', () => {
      const web = (image: string, replicas: number): string =>
        app('web', { replicas, image, requests: { cpu: '1' }, spec: rolling(1, 1) });
      assert.deepEqual(told(fleetOf(web('app:1', 4)).forecast(hosted('n1'), web('app:2', 2))), {
        places: { 'Deployment/default/web': 'n1 x2' },
        unplaced: {},
      });
    });

    it('leaves no place but the one that the manifest names, even there', () => {
      const forecast = fleetOf().forecast(hosted('n1'), alone, app('web'));
      assert.deepEqual(placesOf(forecast), { 'Deployment/default/web': 'n1 x1', 'Pod/default/alone': 'n2 x1' });
    });
  });
});

describe('a forecast with preemption', () => {
  const high = { priorityClassName: 'high' };
  const low = { priorityClassName: 'low' };

  it('tells who has to go for whom, and where those who come for them go', () => {
    const before = [
      ...CLASSES,
      app('batch', { replicas: 4, requests: { cpu: '1' }, pod: low }),
      app('free', { replicas: 1, requests: { cpu: '0' } }),
    ];
    const fleet = new Fleet(
      node('n1'),
      node('n2'),
      node('n3', { allocatable: { cpu: '1', memory: '4Gi', pods: '9' }, spec: { unschedulable: true } }),
    ).apply(...before);
    assert.deepEqual(fleet.places()['Deployment/default/batch'], 'n1 x2, n2 x2');
    const forecast =
      fleet.forecast(...before, app('web', { replicas: 1, requests: { cpu: '1' }, pod: high })) ?? assert.fail();
    assert.deepEqual(told(forecast), {
      places: { 'Deployment/default/web': 'n1 x1' },
      unplaced: {
        'Deployment/default/batch':
          '1 of 1: 0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.',
      },
    });
    assert.deepEqual(
      forecast.preempted.map(({ victim, ...rest }) => ({ ...rest, victim: victim.replace(/-.*/, '') })),
      [{ victim: 'Pod/default/batch', node: 'n1', by: 'Deployment/default/web' }],
    );
    assert.equal(
      forecastSummary(forecast),
      '1 pod gets a place, 1 pod would be preempted, 1 would not fit (on the present state of 3 nodes)',
    );
    assert.match(
      forecastLines(forecast)[1] ?? '',
      /^preempted: Pod\/default\/batch-\w{10}-\w+ on n1, by Deployment\/default\/web$/,
    );
  });

  const budget = (name: string, disruptionsAllowed: number): KubeObject => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace: 'default' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: name } } },
    status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  });
  const victims: readonly {
    name: string;
    budgets: readonly KubeObject[];
    highs: number;
    victims: readonly string[];
  }[] = [
    {
      name: 'of two that are alike the one without a budget',
      budgets: [budget('batch-1', 0)],
      highs: 1,
      victims: ['batch-2'],
    },
    {
      name: 'of two that are alike the one without a budget, the other way round',
      budgets: [budget('batch-2', 0)],
      highs: 1,
      victims: ['batch-1'],
    },
    {
      name: 'one whose budget allows it',
      budgets: [budget('batch-1', 0), budget('batch-2', 1)],
      highs: 1,
      victims: ['batch-2'],
    },
    {
      name: 'in the end those whose budgets are violated',
      budgets: [budget('batch-1', 0), budget('batch-2', 0)],
      highs: 2,
      victims: ['batch-1', 'batch-2'],
    },
  ];
  for (const { name, budgets, highs, victims: expected } of victims) {
    it(`takes ${name}`, () => {
      const before = [
        ...CLASSES,
        ...['1', '2'].map((at) =>
          app(`batch-${at}`, {
            requests: { cpu: '2' },
            pod: { ...low, nodeSelector: { 'kubernetes.io/hostname': `n${at}` } },
          }),
        ),
      ];
      const fleet = new Fleet(node('n1'), node('n2'), ...budgets).apply(...before);
      const forecast = fleet.forecast(...before, app('web', { replicas: highs, requests: { cpu: '2' }, pod: high }));
      assert.deepEqual(
        forecast?.preempted.map(({ victim }) => /batch-\d/.exec(victim)?.[0]),
        expected,
      );
    });
  }

  it('lets a pod that nothing owns go for good', () => {
    const lone = barePod('lone', low);
    const forecast = new Fleet(node('n1'))
      .apply(...CLASSES, lone)
      .forecast(...CLASSES, app('web', { requests: { cpu: '2' }, pod: high }), lone);
    assert.deepEqual(
      [forecast?.preempted.map(({ victim }) => victim), told(forecast)],
      [['Pod/default/lone'], { places: { 'Deployment/default/web': 'n1 x1' }, unplaced: {} }],
    );
  });

  for (const [workload, document] of [
    ['Deployment/default/late', app('late', { pod: low })],
    ['Pod/default/late', barePod('late', low)],
  ] as const) {
    it(`takes back the place that a ${workload.replace(/\/.*/, '')} had in between`, () => {
      const web = (image: string, amount: string): string =>
        app('web', { replicas: 2, image, requests: { cpu: amount }, spec: rolling(1, 1), pod: high });
      const fleet = new Fleet(node('n1', { allocatable: { cpu: '4200m', memory: '4Gi', pods: '9' } })).apply(
        ...CLASSES,
        web('app:1', '1'),
      );
      const forecast = fleet.forecast(...CLASSES, web('app:2', '2'), document);
      assert.deepEqual(told(forecast), {
        places: { 'Deployment/default/web': 'n1 x2' },
        unplaced: { [workload]: '1 of 1: 0/1 nodes are available: 1 Insufficient cpu.' },
      });
      assert.deepEqual(forecast?.preempted, [], 'nobody who runs');
    });
  }

  it('ends where room is made again and again for nothing', () => {
    const [name, profile] = [...profilesOf([{}]).profiles][0] ?? assert.fail();
    let asked = 0;
    const inVain: Plugin = {
      name: 'InVain',
      postFilter: () => (++asked < 1000 ? { node: 'n1', victims: [], displaced: [] } : undefined),
    };
    const scheduler = new Scheduler(clusterOf({ nodes: [node('n1')] }), {
      profiles: new Map([[name, { ...profile, postFilters: [inVain] }]]),
      seed: 'x',
    });
    const waiting = [{ workload: 'Pod/default/x' as const, pod: stored(pod('x', asking({ cpu: '4' }))) }];
    const now = new Date(TIME);
    finish(
      simulate({
        scheduler,
        workloads: new PlannedWorkloads(new World(), now),
        waiting,
        leaving: [],
        nodes: { changed: [], removed: [], joining: [] },
        now,
      }),
    );
    assert.equal(asked < 10, true, `it was asked ${asked} times`);
  });

  it('preempts nobody where the class of the plan does not allow it', () => {
    const fleet = new Fleet(node('n1')).apply(app('batch', { replicas: 2, requests: { cpu: '1' } }));
    const polite = JSON.stringify({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'polite' },
      value: 100,
      preemptionPolicy: 'Never',
    });
    const forecast = fleet.forecast(
      polite,
      app('batch', { replicas: 2, requests: { cpu: '1' } }),
      app('web', { pod: { priorityClassName: 'polite' } }),
    );
    assert.deepEqual([forecast?.preempted, forecast?.unplaced.length], [[], 1]);
  });

  it('lets pods that a rolling update needs at its start take the place of others', () => {
    const tight = { replicas: 2, requests: { cpu: '1' }, spec: rolling(1, 0), pod: high };
    const before = [...CLASSES, app('batch', { replicas: 2, requests: { cpu: '1' }, pod: low }), app('web', tight)];
    const fleet = new Fleet(node('n1'), node('n2')).apply(...before);
    const forecast = fleet.forecast(...before.slice(0, 3), app('web', { ...tight, image: 'app:2' }));
    assert.deepEqual(
      [forecast?.rollouts, forecast?.unplaced, forecast?.preempted.map(({ by }) => by)],
      [[], [], ['Deployment/default/web']],
    );
    assert.equal(
      placesOf(forecast)['Deployment/default/batch'],
      'n2 x1',
      'it has a place again when the last old pod is gone',
    );
  });
});

describe('a rolling update', () => {
  const full: App = { replicas: 2, requests: { cpu: '2' } };
  const wide: App = { replicas: 3, requests: { cpu: '2100m' } };
  const rows: readonly {
    name: string;
    spec: object;
    first?: App;
    then?: App;
    tight: readonly [pods: number, of: number, oldLeft: number][];
  }[] = [
    { name: 'stands still when nothing may go before', spec: rolling(1, 0), tight: [[1, 1, 2]] },
    { name: 'is short of room at its start when an old pod may go', spec: rolling(1, 1), tight: [[1, 2, 0]] },
    { name: 'needs no room beside the old pods without surge', spec: rolling(0, 1), tight: [] },
    { name: 'needs no room beside the old pods when those go first', spec: RECREATE, tight: [] },
    {
      name: 'stands still even if the new pods are smaller, where nothing is left',
      spec: rolling(2, 0),
      then: { replicas: 2, requests: { cpu: '1' } },
      tight: [[2, 2, 2]],
    },
    {
      name: 'goes on when the new pods need nothing',
      spec: rolling(2, 0),
      then: { replicas: 2, requests: {} },
      tight: [],
    },
    {
      name: 'counts the old pods that go since there are to be fewer',
      spec: rolling(1, 0),
      then: { replicas: 1, requests: { cpu: '2' } },
      tight: [],
    },
    {
      name: 'counts the old pods that come since there are to be more',
      spec: rolling(1, 0),
      then: { replicas: 3, requests: { cpu: '1' } },
      tight: [[1, 1, 3]],
    },
    {
      name: 'stands still on its way when the rest of the new pods has no room',
      spec: rolling(0, 1),
      then: { replicas: 2, requests: { cpu: '2100m' } },
      tight: [[1, 1, 1]],
    },
    {
      name: 'may end a share of its old pods before, rounded down',
      spec: rolling(0, '67%'),
      first: { replicas: 3, requests: { cpu: '1' } },
      then: wide,
      tight: [[2, 2, 1]],
    },
    {
      name: 'may end one old pod before where shares come to nothing',
      spec: rolling('0%', '33%'),
      first: { replicas: 3, requests: { cpu: '1' } },
      then: wide,
      tight: [[1, 1, 2]],
    },
    {
      name: 'may make a share of its new pods before, rounded up',
      spec: rolling('34%', 0),
      first: { replicas: 3, requests: { cpu: '1' } },
      then: wide,
      tight: [[2, 2, 3]],
    },
  ];
  for (const { name, spec, first = full, then = full, tight } of rows) {
    it(name, () => {
      const fleet = new Fleet(node('n1'), node('n2')).apply(app('web', { ...first, spec }));
      const forecast = fleet.forecast(app('web', { ...then, image: 'app:2', spec }));
      assert.deepEqual(
        forecast?.rollouts.map(({ pods, of, oldLeft }) => [pods, of, oldLeft]),
        tight,
      );
    });
  }

  it('stands still where too few of a gang stay for another to join', () => {
    const gang = { replicas: 2, labels: GANG, spec: rolling(0, 1) };
    const fleet = new Fleet(node('n1'), node('n2')).apply(podGroup(2), app('gang', gang));
    const forecast = fleet.forecast(podGroup(3), app('gang', { ...gang, image: 'app:2' }));
    assert.deepEqual(
      forecast?.rollouts.map(({ oldLeft, message }) => [oldLeft, message]),
      [[1, 'pod group default/gang needs 3 pods placed together, 2 can be: it has 2 pods']],
    );
  });

  describe('that is under way', () => {
    const web = (image: string, more: App = {}): string =>
      app('web', { replicas: 2, requests: { cpu: '1' }, image, spec: rolling(1, 0), ...more });
    const underWay = (passes: number): Fleet => {
      const fleet = new Fleet(node('n1', { allocatable: { cpu: '3', memory: '4Gi', pods: '9' } })).apply(web('app:1'));
      fleet.begin(web('app:2'));
      return fleet.advance(passes);
    };

    it('is overtaken by the next one, and all earlier pods go', () => {
      const fleet = underWay(1);
      assert.deepEqual(
        fleet.places(({ spec }) => spec.containers[0]?.image === 'app:1'),
        { 'Deployment/default/web': 'n1 x1' },
      );
      const forecast = fleet.forecast(web('app:3'));
      assert.deepEqual(
        [told(forecast), forecast?.rollouts],
        [{ places: { 'Deployment/default/web': 'n1 x2' }, unplaced: {} }, []],
      );
    });

    it('is turned back without a word when its earlier pods are all there', () => {
      assert.equal(underWay(0).forecast(web('app:1')), undefined);
    });

    it('goes on with pods that have their node and have not started yet', () => {
      const fleet = underWay(0);
      fleet.schedule();
      assert.deepEqual(
        placesOf(fleet.forecast(web('app:2', { spec: { ...rolling(1, 0), revisionHistoryLimit: 3 } }))),
        { 'Deployment/default/web': 'n1 x1' },
      );
    });

    it('is replaced where its pods do not become ready: they go first', () => {
      const fleet = underWay(0);
      fleet.schedule();
      const forecast = fleet.forecast(web('app:3'));
      assert.deepEqual([placesOf(forecast), forecast?.rollouts], [{ 'Deployment/default/web': 'n1 x2' }, []]);
    });

    for (const paused of [false, true]) {
      it(`shares a changed number out over earlier and new pods${paused ? ', and goes no further while it is paused' : ''}`, () => {
        const fleet = underWay(1);
        const next = web('app:2', { replicas: 4, spec: { ...rolling(1, 0), paused } });
        const forecast = fleet.forecast(next);
        const placed = new Set(
          fleet.pods().flatMap(({ metadata, spec }) => (spec.nodeName === undefined ? [] : [metadata.uid])),
        );
        fleet.apply(next);
        assert.deepEqual(
          placesOf(forecast),
          fleet.places(({ metadata, spec }) => spec.nodeName !== undefined && !placed.has(metadata.uid)),
        );
        assert.deepEqual(
          forecast?.rollouts.map(({ oldLeft }) => oldLeft),
          paused ? [] : fleet.world.list('Deployment').map((one) => fleet.byTemplate(one).old.length),
        );
      });
    }
  });

  it('of many pods that go one by one comes to its end, and does not carry one along that stands still', () => {
    const wideNode = node('n1', { allocatable: { cpu: '20', memory: '4Gi', pods: '300' } });
    const documents = (image: string): readonly string[] => [
      app('many', { replicas: 100, requests: { cpu: '10m' }, image, spec: rolling(1, 0) }),
      app('tight', { replicas: 2, requests: { cpu: '9' }, image, spec: rolling(1, 0) }),
    ];
    const forecast = new Fleet(wideNode).apply(...documents('app:1')).forecast(...documents('app:2'));
    assert.deepEqual(placesOf(forecast), { 'Deployment/default/many': 'n1 x100' });
    assert.deepEqual(
      forecast?.rollouts.map(({ workload, oldLeft }) => [workload, oldLeft]),
      [['Deployment/default/tight', 2]],
    );
  });
});

describe('a forecast in words', () => {
  const fleet = new Fleet(
    node('n1'),
    node('n2'),
    node('n3', { spec: { taints: [{ key: 'gpu', value: 'true', effect: 'NoSchedule' }] } }),
  ).apply(app('web', { replicas: 2 }), app('tight', { requests: { cpu: '1200m' } }));
  const documents = [
    app('web', { replicas: 4 }),
    app('tight', { requests: { cpu: '1200m' }, image: 'app:2' }),
    app('train', { replicas: 2, requests: { 'nvidia.com/gpu': '1' } }),
  ];
  const plan = fleet.plan(...documents);
  const forecast = finish(forecastOf(plan, fleet.world, fleet.world.now)) ?? assert.fail('nothing is placed');

  it('tells where pods go, warns of what does not fit, and tells what becomes of the nodes', () => {
    assert.equal(forecastSummary(forecast), '3 pods get a place, 2 would not fit (on the present state of 3 nodes)');
    assert.deepEqual(forecastLines(forecast), [
      'Deployment/default/tight: n1 x1',
      'Deployment/default/web: n2 x2',
      'warning: 2 of 2 pods of Deployment/default/train would not fit: 0/3 nodes are available: 1 node(s) had untolerated taint {gpu: true}, 2 Insufficient nvidia.com/gpu.',
      '  2 Insufficient nvidia.com/gpu',
      '    n1, n2: nvidia.com/gpu: asks for 1, 0 of 0 is free',
      '  1 node(s) had untolerated taint {gpu: true}',
      '    n3: taint gpu=true:NoSchedule',
      'n1: cpu 25% -> 85%, memory 6%',
      'n2: cpu 85% -> 75%, memory 6% -> 19%',
    ]);
  });

  const stuck = '0/2 nodes are available: 2 Insufficient cpu.';
  const updates: readonly {
    name: string;
    replicas: number;
    spec: object;
    summary: string;
    lines: readonly string[];
  }[] = [
    {
      name: 'that stands still',
      replicas: 2,
      spec: rolling(1, 0),
      summary: 'no pod gets a place, 1 would not fit (on the present state of 2 nodes)',
      lines: [
        `warning: the update of Deployment/default/web would stand still with 2 old pods left: 1 of 1 new pod gets no node beside them: ${stuck}`,
        '  2 Insufficient cpu',
        '    n1, n2: cpu: asks for 2000m, 0m of 2000m is free',
      ],
    },
    {
      name: 'whose start is tight',
      replicas: 2,
      spec: rolling(1, 1),
      summary: '2 pods get a place (on the present state of 2 nodes)',
      lines: [
        'Deployment/default/web: n1 x1, n2 x1',
        `at the start of the update of Deployment/default/web 1 of 2 new pods get no node beside the old ones, until some of those are gone: ${stuck}`,
      ],
    },
  ];
  for (const { name, replicas, spec, summary, lines } of updates) {
    it(`tells of an update ${name}`, () => {
      const web = (image: string): string => app('web', { replicas, image, requests: { cpu: '2' }, spec });
      const tight = new Fleet(node('n1'), node('n2')).apply(web('app:1')).forecast(web('app:2')) ?? assert.fail();
      assert.deepEqual([forecastSummary(tight), forecastLines(tight)], [summary, lines]);
    });
  }

  it('stands before the summary of a plan, behind it in markdown, and in JSON as data', () => {
    const text = formatPlan(plan, 'text', forecast).split('\n');
    assert.equal(text.at(-1), 'Plan: 1 to create, 2 to update, 0 to delete.');
    assert.equal(
      text.indexOf('Placement: 3 pods get a place, 2 would not fit (on the present state of 3 nodes)') > 0,
      true,
    );
    const markdown = formatPlan(plan, 'markdown', forecast).split('\n');
    assert.deepEqual(
      [markdown[0], markdown.at(-1)],
      ['**Plumbline plan:** 1 to create, 2 to update, 0 to delete.', '```'],
    );
    assert.equal(
      markdown.includes('**Placement:** 3 pods get a place, 2 would not fit (on the present state of 3 nodes)'),
      true,
    );
    const json = JSON.parse(formatPlan(plan, 'json', forecast)) as { counts: object; placement: Forecast };
    assert.deepEqual(json.placement, JSON.parse(JSON.stringify(forecast)));
    assert.equal('placement' in (JSON.parse(formatPlan(plan, 'json')) as object), false);
  });

  it('of many nodes stays short', () => {
    const large = new Fleet(...Array.from({ length: 1100 }, (_, at) => node(`n${String(at).padStart(4, '0')}`)));
    const lines = forecastLines(large.forecast(app('web', { replicas: 1100 })) ?? assert.fail());
    assert.deepEqual(
      [lines[0], lines.at(-1), lines.length],
      [
        'Deployment/default/web: n0000 x1, n0001 x1, n0002 x1, n0003 x1, n0004 x1 and 1,095 more',
        'and 1,090 more nodes change',
        12,
      ],
    );
  });
});
