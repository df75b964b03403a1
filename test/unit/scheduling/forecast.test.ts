/** Where the pods of a plan would go, and that they do go there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../../contracts/objects/index.ts';
import { forecastLines } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { machine, node } from '../controllers/objects.ts';
import { app, barePod, GANG, podGroup, RECREATE, rolling } from './apps.ts';
import { Fleet, placesOf, outcomeOf } from './fleet.ts';

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
      places: { 'deployments.apps/default/web': 'n1 x1, n2 x2' },
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
      places: { 'deployments.apps/default/web': 'n1 x1, n2 x1' },
    },
    {
      name: 'counts on the room of pods that go',
      live: [app('old', { replicas: 2, requests: { cpu: '2' } })],
      plan: [app('new', { replicas: 2, requests: { cpu: '2' } })],
      places: { 'deployments.apps/default/new': 'n1 x1, n2 x1' },
    },
    {
      name: 'counts on the room of old pods of a template that changed',
      live: [app('web', { replicas: 2, requests: { cpu: '2' }, spec: RECREATE })],
      plan: [app('web', { replicas: 2, image: 'app:2', requests: { cpu: '2' }, spec: RECREATE })],
      places: { 'deployments.apps/default/web': 'n1 x1, n2 x1' },
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
      places: { 'deployments.apps/default/web': 'n1 x1' },
    },
    {
      name: 'knows pods on their own, those with a node too',
      plan: [barePod('free', { tolerations: [] }), barePod('bound', { nodeName: 'n2' })],
      places: { 'pods/default/bound': 'n2 x1', 'pods/default/free': 'n1 x1' },
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
      places: { 'deployments.apps/default/train': 'n2 x1', 'deployments.apps/default/web': 'n1 x4' },
      unplaced: {
        'deployments.apps/default/web':
          '1 of 5: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {gpu: true}.',
      },
    },
    {
      name: 'knows devices',
      nodes: [node('n1'), node('n2', { allocatable: { cpu: '4', memory: '8Gi', pods: '10', 'nvidia.com/gpu': '1' } })],
      plan: [app('train', { replicas: 2, requests: { 'nvidia.com/gpu': '1' } })],
      places: { 'deployments.apps/default/train': 'n2 x1' },
      unplaced: { 'deployments.apps/default/train': '1 of 2: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.' },
    },
    {
      name: 'knows spread',
      nodes: zoned.slice(0, 2),
      places: { 'deployments.apps/default/web': 'n-a x2, n-b x2' },
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
      places: { 'deployments.apps/default/web': 'n-a x1, n-b x1' },
      unplaced: {
        'deployments.apps/default/web':
          "1 of 3: 0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match pod topology spread constraints.",
      },
    },
    {
      name: 'knows gangs: all',
      plan: [podGroup(2), app('gang', { replicas: 2, labels: GANG, requests: { cpu: '1500m' } })],
      places: { 'deployments.apps/default/gang': 'n1 x1, n2 x1' },
    },
    {
      name: 'knows gangs: or none',
      plan: [
        podGroup(3),
        app('gang', { replicas: 3, labels: GANG, requests: { cpu: '1500m' } }),
        app('web', { requests: { cpu: '1' } }),
      ],
      places: { 'deployments.apps/default/web': 'n2 x1' },
      unplaced: {
        'deployments.apps/default/gang':
          '3 of 3: pod group default/gang needs 3 pods placed together, 1 can be: gang-00002: 0/2 nodes are available: 2 Insufficient cpu.',
      },
    },
    {
      name: 'knows gates',
      plan: [barePod('x', { schedulingGates: [{ name: 'a.b/c' }] })],
      unplaced: { 'pods/default/x': '1 of 1: Scheduling is blocked due to non-empty scheduling gates: a.b/c' },
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
      places: { 'deployments.apps/default/web': 'n2 x3' },
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
      places: { 'deployments.apps/default/web': 'n2 x4' },
      unplaced: {
        'deployments.apps/default/web': '1 of 5: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were not n2.',
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
      places: { 'deployments.apps/default/b': 'n1 x1, n2 x1' },
      unplaced: { 'deployments.apps/default/a': '2 of 2: 0/2 nodes are available: 2 Insufficient cpu.' },
    },
    {
      name: 'updates a gang of which enough stay',
      live: [podGroup(2), app('gang', { replicas: 2, labels: GANG, requests: { cpu: '2' }, spec: rolling(0, 1) })],
      plan: [
        podGroup(2),
        app('gang', { replicas: 2, labels: GANG, image: 'app:2', requests: { cpu: '2' }, spec: rolling(0, 1) }),
      ],
      places: { 'deployments.apps/default/gang': 'n1 x1, n2 x1' },
    },
    {
      name: 'says of every pod that there is no node',
      nodes: [],
      plan: [app('web', { replicas: 2 })],
      unplaced: { 'deployments.apps/default/web': '2 of 2: no nodes available to schedule pods' },
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
      places: { 'deployments.apps/default/web': 'n1 x1, n2 x1' },
    },
    {
      name: 'tells of pods that waited and get their place',
      live: [app('a', { replicas: 2, requests: { cpu: '2' } }), app('b', { requests: { cpu: '2' } })],
      plan: [app('b', { requests: { cpu: '2' } })],
      places: { 'deployments.apps/default/b': 'n2 x1' },
    },
    {
      name: 'tells nothing of pods that wait as before',
      live: [app('a', { replicas: 3, requests: { cpu: '2' } })],
      plan: [app('a', { replicas: 3, requests: { cpu: '2' } }), app('b', { requests: { cpu: '0' } })],
      places: { 'deployments.apps/default/b': 'n2 x1' },
    },
  ];
  for (const { name, nodes = two, live = [], plan, places = {}, unplaced = {}, nothing } of rows) {
    it(name, () => {
      const fleet = new Fleet(...nodes).apply(...live);
      const untouched = JSON.stringify([...fleet.world.objects]);
      const forecast = fleet.forecast(...plan);
      assert.deepEqual(outcomeOf(forecast), nothing ? undefined : { places, unplaced });
      assert.equal(JSON.stringify([...fleet.world.objects]), untouched);
      assert.deepEqual(fleet.forecast(...plan), forecast, 'the same again');
    });
  }

  it('counts on the room of pods that are on their way out', () => {
    const web = (image: string): string => app('web', { image, requests: { cpu: '2' }, spec: RECREATE });
    const fleet = new Fleet(node('n1')).apply(web('app:1'));
    for (const leaving of fleet.pods())
      fleet.world.put({ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    assert.deepEqual(outcomeOf(fleet.forecast(web('app:2'))), {
      places: { 'deployments.apps/default/web': 'n1 x1' },
      unplaced: {},
    });
  });

  describe('counts on the room of a pod that a finalizer holds, as its node will have stopped it', () => {
    const held = (image: string): string => {
      const { spec, ...rest } = JSON.parse(app('web', { image, requests: { cpu: '2' }, spec: RECREATE })) as {
        readonly spec: { readonly template: { readonly metadata: object } };
      };
      const metadata = { ...spec.template.metadata, finalizers: ['example.com/x'] };
      return JSON.stringify({ ...rest, spec: { ...spec, template: { ...spec.template, metadata } } });
    };
    const outcome = { places: { 'deployments.apps/default/web': 'n1 x1' }, unplaced: {} };

    it('that the plan ends', () => {
      assert.deepEqual(outcomeOf(new Fleet(node('n1')).apply(held('app:1')).forecast(held('app:2'))), outcome);
    });

    it('that is on its way out', () => {
      const fleet = new Fleet(node('n1')).apply(held('app:1'));
      for (const leaving of fleet.pods())
        fleet.world.put({ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
      assert.deepEqual(outcomeOf(fleet.forecast(held('app:2'))), outcome);
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
        [outcomeOf(forecast), forecast?.joining],
        [{ places: { 'deployments.apps/default/web': 'n1 x1' }, unplaced: {} }, ['n3']],
      );
      assert.deepEqual(shares(forecast), [
        ['n1', 2000, 500, 1000],
        ['n2', 2000, 1000, 0],
      ]);
    });

    it('lets the pods of a removed one come anew where there is room', () => {
      const web = app('web', { replicas: 4, requests: { cpu: '1' } });
      const forecast = fleetOf(web).forecast(hosted('n1'), web);
      assert.deepEqual(outcomeOf(forecast), {
        places: {},
        unplaced: { 'deployments.apps/default/web': '2 of 2: 0/1 nodes are available: 1 Insufficient cpu.' },
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
      assert.deepEqual(outcomeOf(fleetOf(web('app:1', 4)).forecast(hosted('n1'), web('app:2', 2))), {
        places: { 'deployments.apps/default/web': 'n1 x2' },
        unplaced: {},
      });
    });

    it('leaves no place, not even to a pod whose manifest names it: whoever collects lost pods collects it', () => {
      const forecast = fleetOf().forecast(hosted('n1'), alone, app('web'));
      assert.deepEqual(placesOf(forecast), { 'deployments.apps/default/web': 'n1 x1' });
    });
  });
});
