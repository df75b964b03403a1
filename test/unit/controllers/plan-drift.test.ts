import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyKey, StoredDeployment } from '../../../contracts/objects/index.ts';
import { partOf, planDrift, standAlone, stepsOf } from '../../../reconciler/controllers/sync/plan-live.ts';
import type { AnyPlanItem } from '../../../reconciler/core/diff/index.ts';
import { finish } from '../../../reconciler/core/paced.ts';
import { Fleet } from '../scheduling/fleet.ts';
import { deployment, manifests, wanted } from '../diff/states.ts';

const NAMESPACE = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}';
const map = (name: string, namespace = 'shop'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: {a: "1"}`;
const FILES = [NAMESPACE, map('one'), map('two'), map('one', 'default'), deployment('web'), deployment('api')] as const;
const REVISION = wanted(manifests(...FILES));

const WEB: AnyKey = 'deployments.apps/default/web';
const API: AnyKey = 'deployments.apps/default/api';
const ONE: AnyKey = 'configmaps/shop/one';
const TWO: AnyKey = 'configmaps/shop/two';

function applied(): Fleet {
  const fleet = new Fleet();
  fleet.begin(...FILES);
  return fleet;
}

function scale({ world }: Fleet, key: typeof WEB, replicas: number): void {
  const live = world.get(key as 'deployments.apps/default/web') as StoredDeployment;
  world.put({ ...live, spec: { ...live.spec, replicas } });
}

function drift({ world }: Fleet, ...keys: readonly AnyKey[]): readonly AnyPlanItem[] {
  const of = new Set(keys);
  assert.ok(standAlone(of, REVISION));
  const part = partOf(REVISION, of);
  return finish(planDrift(world, 'main', part, part, 'named')).items;
}

function allDrift({ world }: Fleet): readonly AnyPlanItem[] {
  return finish(planDrift(world, 'main', REVISION, REVISION, 'all')).items;
}

describe('drift of named objects', () => {
  it('is what a look at everything says of them', () => {
    const fleet = applied();
    assert.deepEqual(allDrift(fleet), []);
    scale(fleet, WEB, 7);
    scale(fleet, API, 9);
    fleet.world.remove(ONE);
    const all = allDrift(fleet);
    assert.deepEqual(all.map(({ action, key }) => [action, key]).sort(), [
      ['create', ONE],
      ['update', API],
      ['update', WEB],
    ]);
    for (const key of [WEB, API, ONE, TWO])
      assert.deepEqual(
        drift(fleet, key),
        all.filter((item) => item.key === key),
      );
    assert.deepEqual(
      drift(fleet, WEB, ONE, TWO),
      all.filter(({ key }) => key !== API),
    );
  });

  it('looks at the Namespace as well, and makes nothing in one that goes', () => {
    const fleet = applied();
    fleet.world.remove(ONE);
    const shop = fleet.world.get('namespaces//shop');
    assert.ok(shop);
    fleet.world.put({ ...shop, metadata: { ...shop.metadata, deletionTimestamp: '2026-01-01T00:00:00.000Z' } });
    assert.deepEqual(drift(fleet, ONE), []);
    fleet.world.remove('namespaces//shop');
    assert.deepEqual(
      drift(fleet, ONE).map(({ action, key }) => [action, key]),
      [
        ['create', 'namespaces//shop'],
        ['create', ONE],
      ],
    );
  });

  it('is not enough where others go with one, or the revision does not have it', () => {
    assert.equal(standAlone(new Set<AnyKey>([WEB, 'namespaces//shop']), REVISION), false);
    assert.equal(standAlone(new Set<AnyKey>([WEB, 'configmaps/shop/three']), REVISION), false);
    assert.equal(standAlone(new Set(), REVISION), true);
  });

  it('reads of the live state nothing but what is named', () => {
    const fleet = applied();
    scale(fleet, WEB, 7);
    const { world } = fleet;
    const read: string[] = [];
    const view = new Proxy(world, {
      get: (target, name) => {
        if (name === 'get')
          return (key: 'namespaces//shop') => {
            read.push(key);
            return target.get(key);
          };
        if (name === 'custom') return target.custom;
        throw new Error(`${String(name)} is read`);
      },
    });
    const part = partOf(REVISION, new Set([WEB, TWO]));
    assert.equal(stepsOf(finish(planDrift(view, 'main', part, part, 'named'))).length, 1);
    assert.deepEqual(read.sort(), [TWO, WEB, 'namespaces//shop']);
  });
});
