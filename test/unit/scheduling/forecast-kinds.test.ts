/** A forecast plays whatever controllers there are: a new workload needs nothing in it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ALL_KINDS, KINDS, objectKey, parseKey, type ObjectKey } from '../../../contracts/objects/index.ts';
import { allControllers } from '../../../reconciler/controllers/index.ts';
import { forecastOf, type ForecastOptions } from '../../../reconciler/controllers/forecast/plan-forecast.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { DESCRIPTORS } from '../../../reconciler/core/kinds/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { forecastLines } from '../../../reconciler/core/scheduling/forecast-lines.ts';
import type { Forecast } from '../../../reconciler/core/scheduling/simulate.ts';
import { MOST_AT_ONCE } from '../../../reconciler/core/workloads/owned-pods.ts';
import { controllerOf, controllerRef } from '../../../reconciler/core/workloads/owners.ts';
import { node, pod } from '../controllers/objects.ts';
import { statefulSet } from '../workloads/stateful.ts';
import { app, daemon, rolling } from './apps.ts';
import { Fleet, outcomeOf } from './fleet.ts';

/** Makes one pod after the other, each when the one before is ready, for the `pods` of a ConfigMap. */
const oneByOne: Controller = {
  name: 'toy-controller',
  kind: 'ConfigMap',
  watches: {
    Pod: ({ metadata }): readonly ObjectKey[] => {
      const owner = controllerOf(metadata);
      return owner?.kind === 'ConfigMap' ? [objectKey('ConfigMap', metadata.namespace, owner.name)] : [];
    },
  },
  decide(key, { view }) {
    const { namespace, name } = parseKey(key);
    const map = view.get(objectKey('ConfigMap', namespace, name));
    if (!map) return { steps: [] };
    const pods = view.ownedBy('Pod', map.metadata.uid);
    const isReady = pods.every(({ status }) => status?.phase === 'Running');
    if (!isReady || pods.length >= Number(map.data?.['pods'])) return { steps: [] };
    const made = pod(`${name}-${pods.length}`, {}, { namespace, ownerReferences: [controllerRef(map)] });
    return { steps: [{ do: 'create', object: made }] };
  },
};
const toy = (pods: number): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'toy' }, data: { pods: String(pods) } });

function forecast(fleet: Fleet, documents: readonly string[], options: ForecastOptions): Forecast | undefined {
  return finish(forecastOf(fleet.plan(...documents), fleet.world, fleet.world.now, options));
}

describe('a forecast and kinds', () => {
  const nodes = [node('n1'), node('n2')];
  const withToy = { controllers: (): readonly Controller[] => [...allControllers(), oneByOne] };

  it('places the pods of a controller that it has never heard of', () => {
    assert.deepEqual(outcomeOf(forecast(new Fleet(...nodes), [toy(3)], withToy)), {
      places: { 'configmaps/default/toy': 'n1 x1, n2 x2' },
      unplaced: {},
    });
    assert.equal(forecast(new Fleet(...nodes), [toy(3)], {}), undefined);
  });

  it('places the pods of a StatefulSet, each once the one before is available', () => {
    for (const podManagementPolicy of ['OrderedReady', 'Parallel']) {
      const set = JSON.stringify(statefulSet({ podManagementPolicy, minReadySeconds: 30, serviceName: '' }));
      assert.deepEqual(outcomeOf(forecast(new Fleet(...nodes), [set], {})), {
        places: { 'statefulsets.apps/default/db': 'n1 x1, n2 x2' },
        unplaced: {},
      });
    }
  });

  it('tells which of them fit nowhere', () => {
    const full = new Fleet(node('n1', { allocatable: { cpu: '1', memory: '1Gi', pods: '2' } }));
    assert.deepEqual(outcomeOf(forecast(full, [toy(3)], withToy)), {
      places: { 'configmaps/default/toy': 'n1 x2' },
      unplaced: { 'configmaps/default/toy': '1 of 3: 0/1 nodes are available: 1 Too many pods.' },
    });
  });

  it('places pods with what they are given when they are made, also by objects of the same plan', () => {
    const limits = JSON.stringify({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'limits' },
      spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '800m' } }] },
    });
    const sandbox = JSON.stringify({
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'sandbox' },
      handler: 'runsc',
      overhead: { podFixed: { cpu: '200m' } },
      scheduling: { nodeSelector: { sandbox: 'yes' }, tolerations: [{ key: 'sandbox', operator: 'Exists' }] },
    });
    const web = app('web', { replicas: 3, requests: {}, pod: { runtimeClassName: 'sandbox' } });
    const fleet = new Fleet(
      node('n1'),
      node('n2', { labels: { sandbox: 'yes' }, spec: { taints: [{ key: 'sandbox', effect: 'NoSchedule' }] } }),
    );
    // 1 of the 2 cpus of n2 for each pod: 800m of the namespace's limits, and 200m of the class.
    assert.deepEqual(outcomeOf(forecast(fleet, [limits, sandbox, web], {})), {
      places: { 'deployments.apps/default/web': 'n2 x2' },
      unplaced: {
        'deployments.apps/default/web':
          "1 of 3: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.",
      },
    });
  });

  it('places a daemon on every node, and plays its update node by node', () => {
    const log = (image: string, cpu = '500m'): string => daemon('log', { image, requests: { cpu } });
    const key = 'daemonsets.apps/default/log';
    assert.deepEqual(outcomeOf(new Fleet(...nodes).forecast(log('log:1'))), {
      places: { [key]: 'n1 x1, n2 x1' },
      unplaced: {},
    });
    const runs = new Fleet(...nodes).apply(log('log:1'));

    assert.deepEqual(outcomeOf(runs.forecast(log('log:2'))), { places: { [key]: 'n1 x1, n2 x1' }, unplaced: {} });
    // The first new pod fits nowhere, so that the second node keeps its old one.
    assert.deepEqual(outcomeOf(runs.forecast(log('log:3', '64'))), {
      places: {},
      unplaced: {
        [key]:
          "1 of 1: 0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.",
      },
    });
  });

  it('is told by no kind but those that are placed and where they are placed', () => {
    const core = readdirSync('reconciler/core/scheduling')
      .filter((file) => /^(attempt|forecast-lines|played|simulate)\.ts$/.test(file))
      .map((file) => `reconciler/core/scheduling/${file}`);
    const own = readdirSync('reconciler/controllers/forecast').map((file) => `reconciler/controllers/forecast/${file}`);
    assert.equal(core.length, 4);
    assert.ok(own.length > 0);
    const others = ALL_KINDS.filter((kind) => DESCRIPTORS[kind].placement !== 'state');
    for (const file of [...core, ...own]) {
      const text = readFileSync(file, 'utf8');
      const named = others.filter((kind) =>
        new RegExp(`\\b(Stored)?(${kind}|${KINDS[kind].plural})\\b`, 'u').test(code(text)),
      );
      assert.deepEqual(named, [], file);
    }
  });

  it('lets the pods of what is deleted go with it, by the garbage collector', () => {
    const heavy = (name: string): string => app(name, { replicas: 2, requests: { cpu: '2' } });
    const fleet = new Fleet(...nodes).apply(heavy('old'));
    assert.deepEqual(outcomeOf(forecast(fleet, [heavy('new')], { controllers: () => allControllers() })), {
      places: { 'deployments.apps/default/new': 'n1 x1, n2 x1' },
      unplaced: {},
    });
    const none = allControllers().filter(({ name }) => name !== 'garbage-collector');
    assert.deepEqual(outcomeOf(forecast(fleet, [heavy('new')], { controllers: () => none })), {
      places: {},
      unplaced: { 'deployments.apps/default/new': '2 of 2: 0/2 nodes are available: 2 Insufficient cpu.' },
    });
  });

  it('lets time pass for those that wait for it', () => {
    const web = (image: string): string =>
      app('web', {
        replicas: 2,
        image,
        requests: { cpu: '1' },
        spec: { ...rolling(1, 0), minReadySeconds: 3600, progressDeadlineSeconds: 7200 },
      });
    const outcome = (ms: number): Forecast | undefined =>
      forecast(new Fleet(...nodes).apply(web('app:1')), [web('app:2')], {
        bounds: { passes: 10_000, writes: 10_000, ms },
      });
    assert.deepEqual(outcomeOf(outcome(6 * 3_600_000)), {
      places: { 'deployments.apps/default/web': 'n1 x1, n2 x1' },
      unplaced: {},
    });
    const short = outcome(3_600_000 / 2) ?? assert.fail();
    assert.deepEqual(short.limits, ['what happens later than 0.5 hours from now']);
    assert.equal(short.placements[0]?.pods, 1);
  });

  it('has all pods made that are more than one pass makes', () => {
    const wide = new Fleet(node('n1', { allocatable: { cpu: '2', memory: '4Gi', pods: '9000' } }));
    const told = wide.forecast(app('web', { replicas: MOST_AT_ONCE + 1, requests: {} }));
    assert.deepEqual(outcomeOf(told), {
      places: { 'deployments.apps/default/web': `n1 x${MOST_AT_ONCE + 1}` },
      unplaced: {},
    });
  });

  it('makes up as many names as a controller asks for', () => {
    const names = new Set<string>();
    const many: Controller = {
      name: 'many',
      kind: 'ConfigMap',
      watches: {},
      decide(_key, { ids }) {
        for (let at = 0; at <= 100_000; at++) names.add(ids.suffix(5));
        return { steps: [] };
      },
    };
    forecast(new Fleet(...nodes), [toy(1)], { controllers: () => [many] });
    assert.equal(names.size, 100_001);
  });

  it('ends where controllers do not, and says so', () => {
    const restless: Controller = {
      name: 'restless',
      kind: 'ConfigMap',
      watches: {},
      decide(key, { view, ids }) {
        const { namespace, name } = parseKey(key);
        const map = view.get(objectKey('ConfigMap', namespace, name));
        return { steps: map ? [{ do: 'update', object: { ...map, data: { at: ids.uid() } } }] : [] };
      },
    };
    for (const [bounds, limit] of [
      [{ passes: 100, writes: 10_000, ms: 0 }, 'what controllers do after 100 passes'],
      [{ passes: 10_000, writes: 50, ms: 0 }, 'what comes after 50 writes of controllers'],
    ] as const) {
      const ended =
        forecast(new Fleet(...nodes), [toy(1), app('web')], {
          controllers: () => [...allControllers(), restless],
          bounds,
        }) ?? assert.fail();
      assert.deepEqual(ended.limits, [limit]);
      assert.ok(forecastLines(ended).includes(`not foretold: ${limit}`));
    }
  });

  it('goes on without a controller that fails, and says so', () => {
    const broken: Controller = {
      name: 'broken',
      kind: 'Deployment',
      watches: {},
      decide() {
        throw new Error('no');
      },
    };
    const told = forecast(new Fleet(...nodes), [app('web')], { controllers: () => [...allControllers(), broken] });
    assert.equal(told?.placements.length, 1);
    assert.deepEqual(told.limits, ['broken does not get through with Deployment/default/web: no']);
  });
});

/** Without comments, and without the paths of what is imported. */
function code(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|\/\/.*| from '[^']*'/g, '');
}
