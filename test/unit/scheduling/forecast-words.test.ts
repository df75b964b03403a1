/** What people and programs are told of a forecast. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPlan } from '../../../reconciler/core/diff/index.ts';
import { forecastLines, forecastSummary } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { forecastOf } from '../../../reconciler/controllers/forecast/plan-forecast.ts';
import { node } from '../controllers/objects.ts';
import { app, rolling } from './apps.ts';
import { Fleet } from './fleet.ts';

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
    // The keys alone are told in the form that scripts know.
    const told = JSON.stringify(forecast).replaceAll('deployments.apps/', 'Deployment/');
    assert.deepEqual(json.placement, JSON.parse(told));
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
