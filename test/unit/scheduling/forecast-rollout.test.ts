/** How far a rolling update of a plan would come, and that it does come there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { node } from '../controllers/objects.ts';
import { app, GANG, podGroup, RECREATE, rolling, type App } from './apps.ts';
import { Fleet, placesOf, outcomeOf } from './fleet.ts';

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
        { 'deployments.apps/default/web': 'n1 x1' },
      );
      const forecast = fleet.forecast(web('app:3'));
      assert.deepEqual(
        [outcomeOf(forecast), forecast?.rollouts],
        [{ places: { 'deployments.apps/default/web': 'n1 x2' }, unplaced: {} }, []],
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
        { 'deployments.apps/default/web': 'n1 x1' },
      );
    });

    it('is replaced where its pods do not become ready: they go first', () => {
      const fleet = underWay(0);
      fleet.schedule();
      const forecast = fleet.forecast(web('app:3'));
      assert.deepEqual([placesOf(forecast), forecast?.rollouts], [{ 'deployments.apps/default/web': 'n1 x2' }, []]);
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
    assert.deepEqual(placesOf(forecast), { 'deployments.apps/default/many': 'n1 x100' });
    assert.deepEqual(
      forecast?.rollouts.map(({ workload, oldLeft }) => [workload, oldLeft]),
      [['deployments.apps/default/tight', 2]],
    );
  });
});
