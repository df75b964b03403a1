/** Whose place the pods of a plan would take, and that they do take it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, objectKey, type KubeObject, type Pod } from '../../../contracts/objects/index.ts';
import { forecastLines, forecastSummary } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import type { Plugin } from '../../../reconciler/core/scheduling/framework.ts';
import { forecastOf } from '../../../reconciler/controllers/forecast/plan-forecast.ts';
import { ControllersPlayed } from '../../../reconciler/controllers/forecast/played-cluster.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { Scheduler } from '../../../reconciler/core/scheduling/scheduler.ts';
import { simulate } from '../../../reconciler/core/scheduling/simulate.ts';
import { node, pod, TIME } from '../controllers/objects.ts';
import { World } from '../controllers/world.ts';
import { app, barePod, CLASSES, rolling } from './apps.ts';
import { Fleet, placesOf, outcomeOf } from './fleet.ts';
import { asking, clusterOf, profilesOf, stored } from './situation.ts';

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
    assert.deepEqual(fleet.places()['deployments.apps/default/batch'], 'n1 x2, n2 x2');
    const forecast =
      fleet.forecast(...before, app('web', { replicas: 1, requests: { cpu: '1' }, pod: high })) ?? assert.fail();
    assert.deepEqual(outcomeOf(forecast), {
      places: { 'deployments.apps/default/web': 'n1 x1' },
      unplaced: {
        'deployments.apps/default/batch':
          '1 of 1: 0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.',
      },
    });
    assert.deepEqual(
      forecast.preempted.map(({ victim, ...rest }) => ({ ...rest, victim: victim.replace(/-.*/, '') })),
      [{ victim: 'pods/default/batch', node: 'n1', by: 'deployments.apps/default/web' }],
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
      [forecast?.preempted.map(({ victim }) => victim), outcomeOf(forecast)],
      [['pods/default/lone'], { places: { 'deployments.apps/default/web': 'n1 x1' }, unplaced: {} }],
    );
  });

  for (const [workload, document] of [
    ['deployments.apps/default/late', app('late', { pod: low })],
    ['pods/default/late', barePod('late', low)],
  ] as const) {
    it(`takes back the place that a ${workload.replace(/\/.*/, '')} had in between`, () => {
      const web = (image: string, amount: string): string =>
        app('web', { replicas: 2, image, requests: { cpu: amount }, spec: rolling(1, 1), pod: high });
      const fleet = new Fleet(node('n1', { allocatable: { cpu: '4200m', memory: '4Gi', pods: '9' } })).apply(
        ...CLASSES,
        web('app:1', '1'),
      );
      const forecast = fleet.forecast(...CLASSES, web('app:2', '2'), document);
      assert.deepEqual(outcomeOf(forecast), {
        places: { 'deployments.apps/default/web': 'n1 x2' },
        unplaced: { [workload]: '1 of 1: 0/1 nodes are available: 1 Insufficient cpu.' },
      });
      assert.deepEqual(forecast?.preempted, [], 'nobody who runs');
    });
  }

  for (const [first, second] of [
    ['n1', 'n2'],
    ['n2', 'n1'],
  ] as const) {
    it(`takes the place of who started last, on ${second}`, () => {
      const whole = (name: string, priorityClassName: string, nodeSelector = {}): Pod =>
        pod(name, { ...asking({ cpu: '2' }), priorityClassName, nodeSelector }, { namespace: 'default' });
      const pods = [
        whole('first', 'low', { 'kubernetes.io/hostname': first }),
        whole('second', 'low', { 'kubernetes.io/hostname': second }),
        whole('urgent', 'high'),
      ];
      const everyMinute: Controller = {
        name: 'every-minute',
        kind: 'ConfigMap',
        watches: { Pod: () => [objectKey('ConfigMap', 'default', 'pods')] },
        decide(_key, { view, now }) {
          const there = pods.map((one) => view.get(keyOf(one)));
          const last = there.findLastIndex((one) => one !== undefined);
          const [newest, next] = [there[last], pods[last + 1]];
          if (!next) return { steps: [] };
          const waitMs = newest ? Date.parse(newest.metadata.creationTimestamp) + 60_000 - now.getTime() : 0;
          return waitMs > 0 ? { steps: [], requeueAfterMs: waitMs } : { steps: [{ do: 'create', object: next }] };
        },
      };
      const fleet = new Fleet(node('n1'), node('n2')).apply(...CLASSES);
      const plan = fleet.plan(
        ...CLASSES,
        JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'pods' } }),
      );
      const forecast = finish(forecastOf(plan, fleet.world, fleet.world.now, { controllers: () => [everyMinute] }));
      assert.deepEqual(placesOf(forecast), {
        'pods/default/first': `${first} x1`,
        'pods/default/urgent': `${second} x1`,
      });
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
    const waiting = [{ workload: 'pods/default/x' as const, pod: stored(pod('x', asking({ cpu: '4' }))) }];
    const now = new Date(TIME);
    finish(
      simulate({
        scheduler,
        played: new ControllersPlayed({ view: new World(), now, controllers: () => [] }),
        waiting,
        leaving: [],
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
      [[], [], ['deployments.apps/default/web']],
    );
    assert.equal(
      placesOf(forecast)['deployments.apps/default/batch'],
      'n2 x1',
      'it has a place again when the last old pod is gone',
    );
  });
});
