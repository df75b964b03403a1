import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectKey, type ConfigMap, type ObjectKey, type StoredConfigMap } from '../../../contracts/objects/index.ts';
import { queueOf } from '../../../reconciler/controllers/runtime/manager.ts';
import type { Controller } from '../../../reconciler/controllers/runtime/controller.ts';
import { TerminalError } from '../../../reconciler/core/errors.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { podGcController } from '../../../reconciler/controllers/pod-gc.ts';
import { taintEvictionController } from '../../../reconciler/controllers/taint-eviction.ts';
import { NodeMonitor } from '../../../reconciler/core/health/node-monitor.ts';
import { boundPod, nodeObject, withStatus } from '../nodes/stored.ts';
import { configMap } from '../../contract/object-store/objects.ts';
import { Counter } from '../../contract/work-queue/waiting.ts';
import { pod as podObject } from '../controllers/objects.ts';
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
  worksOnGone: true,
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
      for (const { metadata } of w.cache.list('ConfigMap')) await w.queue.add(queueOf(copier), key(metadata.name));
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
    'holds up no controller while another of the same kind is slow, or fails',
    inWorld(async (w) => {
      const done = new Counter();
      let over = false;
      const slow: Controller = {
        name: 'slow',
        kind: 'ConfigMap',
        watches: {},
        *decide() {
          done.hit('slow');
          while (!over) yield;
          return { steps: [] };
        },
      };
      const failing: Controller = {
        name: 'failing',
        kind: 'ConfigMap',
        watches: {},
        decide: () => {
          done.hit('failing');
          throw new TerminalError('TreeInvalid', 'no use');
        },
      };
      const well: Controller = {
        name: 'well',
        kind: 'ConfigMap',
        watches: {},
        decide: () => {
          done.hit('well');
          return { steps: [] };
        },
      };
      const manager = w.manager([slow, failing, well]);
      await w.cache.write(
        Array.from({ length: 20 }, (_, index) => ({ op: 'create' as const, object: configMap(`c-${index}`, {}) })),
      );
      manager.start();
      await done.reach('slow', 8);
      await done.reach('well', 20);
      await done.reach('failing', 20);
      const { queues } = manager.stats();
      assert.deepEqual([queues.get('slow')?.running, queues.get('slow')?.depth], [8, 12]);
      over = true;
      await done.reach('slow', 20);
    }),
  );

  it(
    'is not woken by the status that it wrote itself, and is by that of others',
    inWorld(async (w) => {
      const passes = new Counter();
      const manager = w.manager([
        {
          name: 'phase',
          kind: 'Namespace',
          watches: {},
          decide: (k, { view }) => {
            const found = view.get(k as ObjectKey<'Namespace'>);
            passes.hit(k);
            if (!found || found.status) return { steps: [] };
            return { steps: [{ do: 'updateStatus', object: { ...found, status: { phase: 'Active' } } }] };
          },
        },
      ]);
      const of = (name: string): ObjectKey<'Namespace'> => objectKey('Namespace', undefined, name);
      const make = async (name: string): Promise<void> => {
        await w.cache.write([{ op: 'create', object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } } }]);
      };
      await make('a');
      manager.start();
      await w.until(() => w.cache.get(of('a'))?.status !== undefined, 'the status');
      // Another one goes the whole way after it.
      await make('b');
      await passes.reach(of('b'), 1);
      assert.equal(passes.count(of('a')), 1);
      const found = w.cache.get(of('a'));
      assert.ok(found);
      await w.other.write([{ op: 'updateStatus', object: { ...found, status: { phase: 'Terminating' } } }]);
      await passes.reach(of('a'), 2);
    }),
  );

  it(
    'wakes nobody for a heartbeat who does not ask for it, and every one for what else a node says',
    inWorld(async (w) => {
      const passes = new Counter();
      const watcher = (name: string, hearsHeartbeats: boolean): Controller => ({
        name,
        kind: 'Node',
        hearsHeartbeats,
        watches: {
          Node: () => {
            passes.hit(`${name} maps`);
            return [];
          },
        },
        decide: () => {
          passes.hit(name);
          return { steps: [] };
        },
      });
      const beat = async (lastHeartbeatTime: string, status: 'True' | 'False'): Promise<void> => {
        const node = w.cache.get(objectKey('Node', undefined, 'n'));
        assert.ok(node);
        const condition = {
          type: 'Ready',
          status,
          reason: 'R',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        };
        await w.cache.write([
          {
            op: 'updateStatus',
            object: { ...node, status: { ...node.status, conditions: [{ ...condition, lastHeartbeatTime }] } },
          },
        ]);
      };
      await w.cache.write([
        { op: 'create', object: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' }, spec: {} } },
      ]);
      await beat('2026-01-01T00:00:00Z', 'True');
      const manager = w.manager([watcher('deaf', false), watcher('hears', true)]);
      manager.start();
      await passes.reach('deaf', 1);
      await passes.reach('hears', 1);
      await beat('2026-01-01T00:00:10Z', 'True');
      await passes.reach('hears', 2);
      assert.deepEqual([passes.count('deaf'), passes.count('deaf maps')], [1, 0]);
      await beat('2026-01-01T00:00:20Z', 'False');
      await passes.reach('deaf', 2);
      await passes.reach('hears', 3);
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
    'tells the fault of an object again when one of its name is made anew',
    inWorld(async (w) => {
      const passes = new Counter();
      const manager = w.manager([
        {
          name: 'faulty',
          kind: 'ConfigMap',
          watches: {},
          decide: (k) => {
            passes.hit(k);
            throw new TerminalError('AdmissionRefused', 'never');
          },
        },
      ]);
      manager.start();
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      await w.until(() => w.cache.list('Event').length === 1, 'the first is told');
      await w.cache.write([{ op: 'delete', key: key('a') }]);
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      await passes.reach(key('a'), 2);
      await manager.close();
      await w.recorder.flush();
      assert.equal(w.cache.list('Event').length, 2);
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
    'tells the owner of pods that are refused, and goes on with the rest of the pass',
    inWorld(async (w) => {
      await w.cache.write([
        {
          op: 'create',
          object: {
            apiVersion: 'v1',
            kind: 'Namespace',
            metadata: { name: 'default', labels: { 'pod-security.kubernetes.io/enforce': 'baseline' } },
          },
        },
        { op: 'create', object: configMap('a', {}) },
      ]);
      const passes = new Counter();
      const manager = w.manager([
        {
          name: 'maker',
          kind: 'ConfigMap',
          watches: {},
          decide(k, { view }) {
            passes.hit(k);
            const owner = view.get(k as ObjectKey<'ConfigMap'>);
            if (!owner || view.list('Pod').length > 0) return { steps: [] };
            return {
              steps: [
                { do: 'create', object: podObject('bad', { hostPID: true }) },
                { do: 'create', object: podObject('good') },
              ],
            };
          },
        },
      ]);
      manager.start();
      await w.until(() => w.cache.list('Pod').length > 0, 'the pod that is allowed is made');
      await passes.reach(key('a'), 1);
      await manager.close();
      await w.recorder.flush();
      assert.deepEqual(
        w.cache.list('Pod').map(({ metadata }) => metadata.name),
        ['good'],
      );
      assert.deepEqual(
        w.cache.list('Event').map((e) => [e.type, e.reason, e.involvedObject.kind, e.message]),
        [
          [
            'Warning',
            'FailedCreate',
            'ConfigMap',
            'Error creating: create Pod/default/bad: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
          ],
        ],
      );
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

  it(
    'looks in the slow beat, and at the start, at what has work in it, whatever was missed; not at all that is well',
    inWorld(async (w) => {
      const [passes, looks] = [new Counter(), new Counter()];
      const manager = w.manager(
        [
          {
            name: 'c',
            kind: 'ConfigMap',
            concerns: ({ metadata }, previous) => {
              if (previous === undefined) looks.hit(metadata.name);
              return metadata.name === 'ill' && previous === undefined;
            },
            watches: {},
            decide: (k) => {
              passes.hit(k);
              return { steps: [] };
            },
          },
        ],
        { resyncMs: 100 },
      );
      await w.cache.write(['ill', 'well'].map((name) => ({ op: 'create' as const, object: configMap(name, {}) })));
      manager.start();
      await Promise.all([passes.reach(key('ill'), 3), looks.reach('well', 3)]);
      assert.equal(passes.count(key('well')), 0);
    }),
  );

  it(
    'costs the queue nothing to begin with thousands of pods that are well',
    inWorld(async (w) => {
      const nodes = Array.from({ length: 3 }, (_, n) => nodeObject(`n-${n}`, `198.18.${n}.0/24`));
      const pods = Array.from({ length: 3000 }, (_, n) =>
        withStatus(boundPod(`p-${n}`, `n-${n % 3}`), {
          phase: 'Running',
          conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
        }),
      );
      const lost = boundPod('lost', 'no-such-node');
      await w.cache.write([...nodes, ...pods, lost].map((object) => ({ op: 'create' as const, object })));
      const manager = w.manager([garbageCollector, podGcController, taintEvictionController(new NodeMonitor())]);
      manager.start();
      await w.until(() => w.cache.get(objectKey('Pod', 'default', 'lost')) === undefined, 'the lost pod is gone');
      await manager.close();
      assert.equal(manager.stats().enqueued, 1);
    }),
  );
});
