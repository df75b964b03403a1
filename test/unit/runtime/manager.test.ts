import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, type ConfigMap, type ObjectKey, type StoredConfigMap } from '../../../contracts/objects/index.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { Counter } from '../../contract/work-queue/waiting.ts';
import { world, type World } from './world.ts';

const inWorld = (body: (w: World) => Promise<void>) => async (): Promise<void> => {
  const w = await world();
  try {
    await body(w);
  } finally {
    await w.close();
  }
};

const key = (name: string): ObjectKey<'ConfigMap'> => objectKey('ConfigMap', 'default', name);
const copyKey = (name: string): ObjectKey<'Secret'> => objectKey('Secret', 'default', name);

/** Keeps one Secret per ConfigMap with the label copy=yes: a small controller with a child. */
const copier: Controller = {
  name: 'copier',
  kind: 'ConfigMap',
  watches: { Secret: (secret) => [key(secret.metadata.name)] },
  decide(k, { view }) {
    const source = view.get(k as ObjectKey<'ConfigMap'>);
    const name = k.split('/')[2] ?? '';
    const copy = view.get(copyKey(name));
    const wanted = source?.metadata.labels?.['copy'] === 'yes' ? { v: source.data?.['v'] ?? '' } : undefined;
    if (!wanted) return { steps: copy ? [{ do: 'delete', key: copyKey(name), uid: copy.metadata.uid }] : [] };
    if (!copy) {
      return {
        steps: [
          {
            do: 'create',
            object: {
              apiVersion: 'v1',
              kind: 'Secret',
              metadata: { name, namespace: 'default' },
              type: 'Opaque',
              data: wanted,
            },
          },
          { do: 'event', regarding: source as ConfigMap, type: 'Normal', reason: 'Copied', message: `made ${name}` },
        ],
      };
    }
    return { steps: copy.data['v'] === wanted.v ? [] : [{ do: 'update', object: { ...copy, data: wanted } }] };
  },
};

const source = (name: string, v: string, copy = 'yes'): ConfigMap => configMap(name, { v }, { labels: { copy } });

describe('ControllerManager', () => {
  it(
    'brings about what the controller wants: at start, on a change, on drift, on deletion',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: source('before', '1') }]);
      const manager = w.manager([copier]);
      manager.start();
      await w.until(() => w.cache.get(copyKey('before')) !== undefined, 'what was there at the start');
      await w.other.write([{ op: 'create', object: source('later', '1') }]);
      await w.until(() => w.cache.get(copyKey('later')) !== undefined, 'what another process made');
      const changed = w.cache.get(key('later')) as StoredConfigMap;
      await w.cache.write([{ op: 'update', object: { ...changed, data: { v: '2' } } }]);
      await w.until(() => w.cache.get(copyKey('later'))?.data['v'] === '2', 'a change');
      await w.other.write([{ op: 'delete', key: copyKey('later') }]);
      await w.until(() => w.cache.get(copyKey('later')) === undefined, 'the drift');
      await w.until(() => w.cache.get(copyKey('later'))?.data['v'] === '2', 'the healing of the drift');
      await w.cache.write([{ op: 'delete', key: key('later') }]);
      await w.until(() => w.cache.get(copyKey('later')) === undefined, 'the deletion');
      assert.equal(w.log.lines.length, 0, JSON.stringify(w.log.lines));
    }),
  );

  it(
    'comes to rest: nothing is written when nothing is to do',
    inWorld(async (w) => {
      await w.cache.write(
        Array.from({ length: 50 }, (_, n) => ({ op: 'create' as const, object: source(`c-${n}`, '1') })),
      );
      const manager = w.manager([copier]);
      manager.start();
      await w.until(() => w.cache.list('Secret').length === 50, 'all copies');
      await w.recorder.flush();
      const before = (await w.store.list(undefined)).resourceVersion;
      for (const { metadata } of w.cache.list('ConfigMap')) await w.queue.add('controllers', key(metadata.name));
      await manager.close();
      assert.equal((await w.store.list(undefined)).resourceVersion, before);
      assert.equal(manager.stats().running, 0);
    }),
  );

  it(
    'tells what an object concerned before a change too',
    inWorld(async (w) => {
      const passes = new Counter();
      const byLabel: Controller = {
        name: 'by-label',
        kind: 'ConfigMap',
        watches: { Secret: (s) => (s.metadata.labels?.['of'] ? [key(s.metadata.labels['of'])] : []) },
        decide: (k) => {
          passes.hit(k);
          return { steps: [] };
        },
      };
      const manager = w.manager([byLabel]);
      manager.start();
      const [made] = await w.cache.write([
        {
          op: 'create',
          object: {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 's', namespace: 'default', labels: { of: 'old' } },
            type: 'Opaque',
            data: {},
          },
        },
      ]);
      assert.ok(made?.ok);
      await passes.reach(key('old'), 1);
      await w.cache.write([
        { op: 'update', object: { ...made.object, metadata: { ...made.object.metadata, labels: { of: 'new' } } } },
      ]);
      await passes.reach(key('new'), 1);
      await passes.reach(key('old'), 2);
    }),
  );

  it(
    'runs the controllers of one kind in order, and the later ones although an earlier fails',
    inWorld(async (w) => {
      const order: string[] = [];
      const done = new Counter();
      const controller = (name: string, fails: boolean): Controller => ({
        name,
        kind: 'ConfigMap',
        watches: {},
        decide: () => {
          order.push(name);
          done.hit(name);
          if (fails) throw new TerminalError('TreeInvalid', 'no use');
          return { steps: [] };
        },
      });
      const manager = w.manager([controller('first', true), controller('second', false)]);
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      manager.start();
      await done.reach('second', 1);
      assert.deepEqual(order, ['first', 'second']);
    }),
  );

  it(
    'looks again after requeueAfterMs',
    inWorld(async (w) => {
      const passes = new Counter();
      const manager = w.manager([
        {
          name: 'timer',
          kind: 'ConfigMap',
          watches: {},
          decide: (k) => {
            passes.hit(k);
            return { steps: [], requeueAfterMs: 20 };
          },
        },
      ]);
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      manager.start();
      await passes.reach(key('a'), 3);
    }),
  );

  it(
    'tells a fault once, as a log line and an event, until it changes or is over',
    inWorld(async (w) => {
      const passes = new Counter();
      let fault: string | undefined = 'first fault';
      const manager = w.manager([
        {
          name: 'faulty',
          kind: 'ConfigMap',
          watches: {},
          decide: (k) => {
            passes.hit(k);
            if (fault) throw new Error(fault);
            return { steps: [] };
          },
        },
      ]);
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      manager.start();
      await passes.reach(key('a'), 3);
      fault = 'second fault';
      await passes.reach(key('a'), 5);
      fault = undefined;
      const sofar = passes.count(key('a'));
      await passes.reach(key('a'), sofar + 1);
      await manager.close();
      await w.recorder.flush();
      const told = w.log.lines.map(({ level, fields }) =>
        `${level} ${typeof fields?.['error'] === 'string' ? fields['error'] : ''}`.trim(),
      );
      assert.deepEqual(told, ['warn first fault', 'warn second fault', 'info']);
      assert.deepEqual(
        w.cache
          .list('Event')
          .map((e) => [e.type, e.reason, e.message, e.count])
          .sort(),
        [
          ['Warning', 'ReconcileError', 'InternalError: first fault', 1],
          ['Warning', 'ReconcileError', 'InternalError: second fault', 1],
        ],
      );
      assert.ok(manager.stats().failures >= 4);
    }),
  );

  it(
    'decides anew, quietly, when somebody else wrote in between',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: configMap('a', { n: '0' }) }]);
      let meddle = true;
      const manager = w.manager([
        {
          name: 'counter',
          kind: 'ConfigMap',
          watches: {},
          decide: (k, { view }) => {
            const current = view.get(k as ObjectKey<'ConfigMap'>);
            if (!current || current.data?.['done']) return { steps: [] };
            if (meddle) {
              meddle = false;
              // Another control plane is faster; its change is not here yet when this decision is executed.
              void w.other.write([{ op: 'update', object: { ...current, data: { n: '1' } } }]);
            }
            return { steps: [{ do: 'update', object: { ...current, data: { ...current.data, done: 'yes' } } }] };
          },
        },
      ]);
      manager.start();
      await w.until(() => w.cache.get(key('a'))?.data?.['done'] === 'yes', 'the second decision');
      assert.deepEqual(w.cache.get(key('a'))?.data, { n: '1', done: 'yes' });
      assert.deepEqual(w.log.lines, []);
    }),
  );

  it(
    'goes round all objects in the slow beat',
    inWorld(async (w) => {
      const passes = new Counter();
      const manager = w.manager(
        [
          {
            name: 'c',
            kind: 'ConfigMap',
            watches: {},
            decide: (k) => {
              passes.hit(k);
              return { steps: [] };
            },
          },
        ],
        { resyncMs: 100 },
      );
      await w.cache.write([
        { op: 'create', object: configMap('a', {}) },
        { op: 'create', object: configMap('b', {}) },
      ]);
      manager.start();
      await Promise.all([passes.reach(key('a'), 3), passes.reach(key('b'), 3)]);
    }),
  );
});
