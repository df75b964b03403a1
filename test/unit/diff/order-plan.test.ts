import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { displayKey, keyOf, type AnyKey, type AnyObject } from '../../../contracts/objects/index.ts';
import { orderPlan, planSync, type Ordered } from '../../../reconciler/core/diff/index.ts';
import { DEPENDS_ON, HOOK_RUN } from '../../../reconciler/core/diff/sync-order.ts';
import type { WrittenObject } from '../../../reconciler/core/diff/planned-hooks.ts';
import { healthy, progressing, type Health } from '../../../reconciler/core/health/health.ts';
import type { DesiredState } from '../../../reconciler/core/manifests/index.ts';
import { desired, manifests, planInput, type Live } from './states.ts';

const WAVE = 'argocd.argoproj.io/sync-wave';
const HOOK = 'argocd.argoproj.io/hook';

function map(name: string, annotations: Readonly<Record<string, string>> = {}, value = '1'): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, annotations }, data: { value } });
}
function app(name: string, ...dependsOn: readonly string[]): string {
  return JSON.stringify({
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'App',
    metadata: { name },
    spec: { path: name, dependsOn: dependsOn.map((one) => ({ name: one })) },
  });
}
/** The state of a text, with each App's objects: those whose names begin with its own. */
function state(...texts: readonly string[]): DesiredState {
  return new Map(
    [...desired(manifests(...texts))].map(([key, one]) => {
      const owner = /^([a-z]+)-/.exec(one.object.metadata.name)?.[1];
      return [key, owner === undefined ? one : { ...one, app: owner }];
    }),
  );
}

/** A cluster that a sync is carried out on, turn by turn. */
class World {
  live = new Map<AnyKey, AnyObject>();
  readonly health = new Map<string, Health>();
  last: Ordered | undefined;
  #uid = 0;

  /** What one sync does, `a b` for each turn, until it has to wait. */
  sync(applied: DesiredState, wanted: DesiredState, revision = 'r1'): string[] {
    const told: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      const plan = planSync(planInput({ applied, desired: wanted, live: this.live as Live }));
      const order = orderPlan({
        plan,
        sourceName: 'main',
        revision,
        applied: [...applied.values()] as WrittenObject[],
        desired: [...wanted.values()] as WrittenObject[],
        live: (key) => this.live.get(key),
        health: (object) => this.health.get(object.metadata.name) ?? healthy('is stored'),
      });
      this.last = order;
      const words: string[] = [];
      for (const step of order.hooks) {
        if (step.do === 'create') this.#make(step.object, words);
        else if (step.do === 'delete') this.#drop(step.key, words);
      }
      for (const item of order.items) {
        if (item.action === 'delete') this.#drop(item.key, words);
        else this.#make(item.object, words);
      }
      if (words.length === 0) return told;
      told.push(words.join(' '));
    }
    return [...told, 'has no end'];
  }

  #make(object: AnyObject, words: string[]): void {
    words.push(`+${object.metadata.name}`);
    const stored = { uid: String(++this.#uid), resourceVersion: '1', generation: 1, creationTimestamp: '' };
    this.live.set(keyOf(object), { ...object, metadata: { ...object.metadata, ...stored } });
  }

  #drop(key: AnyKey, words: string[]): void {
    words.push(`-${displayKey(key).split('/').at(-1) ?? ''}`);
    this.live.delete(key);
  }

  get waits(): string {
    return (this.last?.waiting ?? []).join('; ');
  }
}

const NONE: DesiredState = new Map();
const after = (...names: readonly string[]): Readonly<Record<string, string>> => ({
  [DEPENDS_ON]: names.map((name) => `/namespaces/default/ConfigMap/${name}`).join(', '),
});

describe('the order of a sync', () => {
  it('is one step where nothing is said', () => {
    assert.deepEqual(new World().sync(NONE, state(map('b'), map('a'))), ['+a +b']);
  });

  it('goes wave by wave, each once the one before is healthy', () => {
    const wanted = state(map('late', { [WAVE]: '2' }), map('first', { [WAVE]: '-1' }), map('a'), map('b'));
    const world = new World();
    world.health.set('a', progressing('0 of 1'));
    assert.deepEqual(world.sync(NONE, wanted), ['+first', '+a +b']);
    assert.equal(world.waits, 'ConfigMap/default/late: waits for ConfigMap/default/a: 0 of 1');
    world.health.clear();
    assert.deepEqual(world.sync(NONE, wanted), ['+late']);
    assert.equal(world.waits, '');
  });

  it('asks nobody how he is where nothing comes after', () => {
    const before = state(map('a'), map('late', { [WAVE]: '2' }));
    const world = new World();
    world.sync(NONE, before);
    world.health.set('late', progressing('no'));
    const after = state(map('a', {}, '2'), map('late', { [WAVE]: '2' }));
    assert.deepEqual(world.sync(before, after, 'r2'), ['+a']);
    assert.equal(world.waits, '');
  });

  it('says that it will not come where an object before it gave up', () => {
    const world = new World();
    world.health.set('a', { status: 'Degraded', message: 'no such image', gaveUp: true });
    world.sync(NONE, state(map('a'), map('late', { [WAVE]: '2' })));
    assert.equal(world.last?.failed, 'what comes after it waits for ConfigMap/default/a: no such image');
  });

  it('deletes the highest wave first, after the changes', () => {
    const before = state(map('a'), map('mid', { [WAVE]: '1' }), map('top', { [WAVE]: '2' }), map('stay'));
    const world = new World();
    world.sync(NONE, before);
    assert.deepEqual(world.sync(before, state(map('stay'), map('new')), 'r2'), ['+new', '-top', '-mid', '-a']);
  });
});

describe('Apps that depend on Apps', () => {
  const both = [app('web', 'db'), map('web-1'), map('web-2', { [WAVE]: '1' }), app('db'), map('db-1')];

  it('wait until all of the others is made and healthy', () => {
    const world = new World();
    world.health.set('db-1', progressing('starts'));
    assert.deepEqual(world.sync(NONE, state(...both)), ['+db +web +db-1']);
    assert.match(world.waits, /^ConfigMap\/default\/web-1: waits for App db: ConfigMap\/default\/db-1: starts/);
    world.health.clear();
    assert.deepEqual(world.sync(NONE, state(...both)), ['+web-1', '+web-2']);
  });

  it('hold up nobody else', () => {
    const world = new World();
    world.health.set('db-1', progressing('starts'));
    assert.deepEqual(world.sync(NONE, state(...both, app('other'), map('other-1'))), [
      '+db +other +web +db-1 +other-1',
    ]);
  });

  it('go before those that they depend on', () => {
    const world = new World();
    world.sync(NONE, state(...both));
    const turns = world.sync(state(...both), state(map('plain')), 'r2');
    assert.deepEqual(turns, ['+plain -web-2', '-web-1 -db -web', '-db-1']);
  });

  it('a circle that got past the check ends nowhere and hangs nobody', () => {
    const world = new World();
    const other: Readonly<Record<string, string>> = { a: 'b', b: 'a' };
    const circle = new Map(
      [...state(app('a'), map('a-1'), app('b'), map('b-1'))].map(([key, one]) => {
        const { object } = one;
        if (object.kind !== 'App') return [key, one];
        const dependsOn = [{ name: other[object.metadata.name] ?? '' }];
        return [key, { ...one, object: { ...object, spec: { ...object.spec, dependsOn } } }];
      }),
    );
    assert.ok(!world.sync(NONE, circle).includes('has no end'));
  });
});

describe('hooks', () => {
  const before = map('setup', { [HOOK]: 'PreSync' });
  const after = map('check', { [HOOK]: 'PostSync' });
  const all = state(before, map('a'), after);

  it('run before all, and after all is healthy', () => {
    const world = new World();
    world.health.set('setup', progressing('runs'));
    world.health.set('a', progressing('starts'));
    assert.deepEqual(world.sync(NONE, all), ['+setup']);
    assert.match(world.waits, /^hook ConfigMap\/default\/setup runs: runs/);
    world.health.delete('setup');
    assert.deepEqual(world.sync(NONE, all), ['+a']);
    assert.match(world.waits, /check: waits for ConfigMap\/default\/a: starts/);
    world.health.clear();
    assert.deepEqual(world.sync(NONE, all), ['+check']);
    assert.equal(world.waits, '');
    assert.equal(world.live.get('configmaps/default/check')?.metadata.annotations?.[HOOK_RUN], 'r1/PostSync');
  });

  it('run once for a commit, again for the next that changes something of theirs, and never for drift', () => {
    const world = new World();
    world.sync(NONE, all);
    assert.deepEqual(world.sync(NONE, all), []);
    world.live.delete('configmaps/default/a');
    assert.deepEqual(world.sync(all, all), ['+a']);
    const next = state(before, map('a', {}, '2'), after);
    assert.deepEqual(world.sync(all, next, 'r2'), ['-setup', '+setup', '+a', '-check', '+check']);
    const more = state(before, map('a', {}, '2'), after, map('x-1'));
    assert.deepEqual(world.sync(next, more, 'r3'), ['+x-1']);
  });

  it('that fail keep the rest from being touched, and call for those of a failure', () => {
    const world = new World();
    world.health.set('setup', { status: 'Degraded', message: 'exit 1', gaveUp: true });
    const turns = world.sync(NONE, state(before, map('a'), map('page', { [HOOK]: 'SyncFail' })));
    assert.deepEqual(turns, ['+setup', '+page']);
    assert.equal(world.last?.failed, 'hook ConfigMap/default/setup has failed: exit 1');
    assert.deepEqual(world.sync(NONE, state(before, map('a'), map('page', { [HOOK]: 'SyncFail' }))), []);
  });

  it('do not take the place of what is not ours', () => {
    const world = new World();
    world.live.set('configmaps/default/setup', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'setup' } });
    assert.deepEqual(world.sync(NONE, all), []);
    assert.match(world.last?.failed ?? '', /not ours/);
  });

  it('of Helm run with an installation or an upgrade, by weight, and its tests never', () => {
    const helm = (name: string, hook: string, weight = '0'): string =>
      map(name, { 'helm.sh/hook': hook, 'helm.sh/hook-weight': weight });
    const hooks = [
      helm('db-second', 'pre-install,pre-upgrade', '5'),
      helm('db-first', 'pre-install', '-5'),
      helm('db-up', 'post-upgrade'),
      helm('db-test', 'test'),
    ];
    const world = new World();
    const first = state(...hooks, map('db-1'));
    assert.deepEqual(world.sync(NONE, first), ['+db-first', '+db-second', '+db-1']);
    const next = state(...hooks, map('db-1', {}, '2'));
    assert.deepEqual(world.sync(first, next, 'r2'), ['-db-second', '+db-second', '+db-1', '+db-up']);
  });
});

describe('objects that depend on objects', () => {
  it('are made after them, each once those are healthy, and alone wait', () => {
    const wanted = state(map('a', after('b', 'c')), map('b', after('c')), map('c'), map('d'));
    const world = new World();
    world.health.set('c', progressing('0 of 1'));
    assert.deepEqual(world.sync(NONE, wanted), ['+c +d']);
    assert.equal(
      world.waits,
      'ConfigMap/default/a: waits for ConfigMap/default/b, which is changed first; ConfigMap/default/b: waits for ConfigMap/default/c: 0 of 1',
    );
    world.health.clear();
    assert.deepEqual(world.sync(NONE, wanted), ['+b', '+a']);
    assert.equal(world.waits, '');
  });

  it('are in different Apps, and what comes after them in their own waits too', () => {
    const wanted = state(
      app('x'),
      app('y'),
      map('x-a', after('y-a')),
      map('x-late', { [WAVE]: '1' }),
      map('y-a'),
      map('y-b'),
    );
    const world = new World();
    world.health.set('y-a', progressing('no'));
    const [first = ''] = world.sync(NONE, wanted);
    assert.doesNotMatch(first, /x-/);
    world.health.clear();
    assert.deepEqual(world.sync(NONE, wanted), ['+x-a', '+x-late']);
  });

  it('wait again where what they depend on changes, and not where nothing of them does', () => {
    const before = state(map('a', after('b')), map('b'));
    const world = new World();
    world.sync(NONE, before);
    world.health.set('b', progressing('no'));
    assert.deepEqual(world.sync(before, state(map('a', after('b')), map('b', {}, '2')), 'r2'), ['+b']);
    assert.equal(world.waits, '');
    const both = state(map('a', after('b'), '2'), map('b', {}, '3'));
    assert.deepEqual(world.sync(before, both, 'r3'), ['+b']);
    assert.match(world.waits, /default\/a: waits for ConfigMap\/default\/b: no/);
  });

  it('say that it will not come where one gave up', () => {
    const world = new World();
    world.health.set('b', { status: 'Degraded', message: 'no such image', gaveUp: true });
    world.sync(NONE, state(map('a', after('b')), map('b')));
    assert.equal(world.last?.failed, 'what comes after it waits for ConfigMap/default/b: no such image');
  });

  it('go before them', () => {
    const before = state(map('a', after('b')), map('b', after('c')), map('c'), map('stay'));
    const world = new World();
    world.sync(NONE, before);
    assert.deepEqual(world.sync(before, state(map('stay')), 'r2'), ['-a', '-b', '-c']);
  });
});
