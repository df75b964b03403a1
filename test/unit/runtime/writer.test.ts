import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  LimitRangeManifest,
  objectKey,
  type Event,
  type StoredConfigMap,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { RetryableError } from '../../../reconciler/core/errors.ts';
import type { Step } from '../../../reconciler/core/step.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { configMap, pod } from '../../contract/object-store/objects.ts';
import { write } from '../../../reconciler/controllers/runtime/writer.ts';
import { world, type World } from './world.ts';

/** A clock whose `now` is set by the test; the rest is real. */
class SetClock extends SystemClock {
  at = new Date('2026-01-01T00:00:00Z');
  override now(): Date {
    return this.at;
  }
}

const inWorld = (body: (w: World, clock: SetClock) => Promise<void>) => async (): Promise<void> => {
  const clock = new SetClock();
  const w = await world({ clock });
  try {
    await body(w, clock);
  } finally {
    await w.close();
  }
};

const POD = objectKey('Pod', 'default', 'a');
const remove = (w: World, more: Partial<Extract<Step, { do: 'delete' }>> = {}): Step => ({
  do: 'delete',
  key: POD,
  uid: w.cache.get(POD)?.metadata.uid ?? '',
  ...more,
});

describe('Writer', () => {
  it(
    'lets others have their turns among thousands of steps, and writes them in one round trip',
    inWorld(async (w, clock) => {
      let recorded = 0;
      const steps = Array.from({ length: 1000 }, (_, i): readonly Step[] => {
        const object = configMap(`m${i}`, {});
        return [
          { do: 'create', object },
          { do: 'event', regarding: object, type: 'Normal', reason: 'Test', message: 'made' },
        ];
      }).flat();
      const record = (): void => {
        recorded += 1;
      };
      const writing = write(steps, { by: 'test', view: w.cache, now: () => clock.now(), record });
      const trips: number[] = [];
      let rests = 0;
      for (let turn = writing.next(), before = 0; !turn.done; before = recorded) {
        if (turn.value.length > 0) trips.push(turn.value.length);
        else rests += 1;
        turn = writing.next(await w.cache.write(turn.value));
        assert.ok(recorded - before <= 50);
      }
      assert.deepEqual([trips, recorded], [[1000], 1000]);
      assert.ok(rests >= 2 * (1000 / 50) - 2, `${rests} rests among 1,000 decisions and as many events`);
    }),
  );
  it(
    'does contiguous writes in one round trip',
    inWorld(async (w) => {
      let trips = 0;
      const write = w.store.write.bind(w.store);
      w.store.write = async (ops, signal) => {
        trips += 1;
        return write(ops, signal);
      };
      await w.writer.submit(
        [
          { do: 'create', object: configMap('a', {}) },
          { do: 'event', regarding: configMap('a', {}), type: 'Normal', reason: 'Test', message: 'a' },
          { do: 'create', object: configMap('b', {}) },
        ],
        'test',
        w.signal,
      );
      assert.equal(trips, 1);
      assert.equal(w.cache.list('ConfigMap').length, 2);
    }),
  );

  it(
    'judges objects by the rules that are written with them',
    inWorld(async (w) => {
      const range = LimitRangeManifest.parse({
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'limits', namespace: 'default' },
        spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '10m' } }] },
      });
      await w.writer.submit(
        [
          { do: 'create', object: range },
          { do: 'create', object: pod('a') },
        ],
        'git:main',
        w.signal,
      );
      assert.deepEqual(w.cache.get(POD)?.spec.containers[0]?.resources.requests, { cpu: '10m' });
    }),
  );

  it(
    'lets a second write to one object build on the first',
    inWorld(async (w) => {
      await w.writer.submit([{ do: 'create', object: pod('a') }], 'test', w.signal);
      const a = w.cache.get(POD) as StoredPod;
      await w.writer.submit(
        [
          { do: 'update', object: { ...a, metadata: { ...a.metadata, labels: { x: 'y' } } } },
          { do: 'updateStatus', object: { ...a, status: { phase: 'Running' } } },
        ],
        'test',
        w.signal,
      );
      const after = w.cache.get(POD) as StoredPod;
      assert.deepEqual([after.metadata.labels, after.status], [{ x: 'y' }, { phase: 'Running' }]);
    }),
  );

  it(
    'does not make a second write to one object whose first was refused',
    inWorld(async (w) => {
      await w.writer.submit([{ do: 'create', object: pod('a') }], 'test', w.signal);
      const a = w.cache.get(POD) as StoredPod;
      await w.writer.submit([{ do: 'updateStatus', object: { ...a, status: { phase: 'Running' } } }], 'node', w.signal);
      const stale: Step = { do: 'updateStatus', object: { ...a, status: { phase: 'Failed' } } };
      const problems = await w.writer.attempt([stale, remove(w)], 'test', w.signal);
      assert.deepEqual(
        problems.map(({ step, reason }) => [step.do, reason]),
        [['updateStatus', 'Conflict']],
      );
      assert.equal(w.cache.get(POD)?.metadata.deletionTimestamp, undefined);
      assert.equal((w.cache.get(POD) as StoredPod).status?.phase, 'Running');
    }),
  );

  it(
    'throws WriteConflict after the rest was done, and leaves out the events of what was refused',
    inWorld(async (w) => {
      await w.writer.submit([{ do: 'create', object: configMap('a', { v: '1' }) }], 'test', w.signal);
      const stale = w.cache.get(objectKey('ConfigMap', 'default', 'a')) as StoredConfigMap;
      await w.cache.write([{ op: 'update', object: { ...stale, data: { v: '2' } } }]);
      const event = (reason: string): Step => ({
        do: 'event',
        regarding: stale,
        type: 'Normal',
        reason,
        message: reason,
      });
      await assert.rejects(
        w.writer.submit(
          [
            { do: 'update', object: { ...stale, data: { v: '3' } } },
            event('Updated'),
            { do: 'create', object: configMap('b', {}) },
            event('Created'),
          ],
          'test',
          w.signal,
        ),
        { name: 'RetryableError', code: 'WriteConflict', message: /update ConfigMap\/default\/a/ },
      );
      assert.ok(w.cache.get(objectKey('ConfigMap', 'default', 'b')));
      await w.recorder.flush();
      assert.deepEqual(
        w.cache.list('Event').map((e) => e.reason),
        ['Created'],
      );
    }),
  );

  it(
    'takes a deletion of nothing as done',
    inWorld(async (w) => {
      await w.writer.submit([{ do: 'delete', key: POD, uid: 'gone-already' }], 'test', w.signal);
    }),
  );

  it(
    'removes an unbound pod at once',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: pod('a') }]);
      await w.writer.submit([remove(w)], 'test', w.signal);
      assert.equal(w.cache.get(POD), undefined);
    }),
  );

  it(
    'marks a bound pod, only ever shortens the grace, and removes it once it is gone',
    inWorld(async (w) => {
      await w.cache.write([
        { op: 'create', object: pod('a', { nodeName: 'node-1', terminationGracePeriodSeconds: 30 }) },
      ]);
      const marks = (): unknown[] => {
        const { deletionTimestamp, deletionGracePeriodSeconds, generation } = (w.cache.get(POD) as StoredPod).metadata;
        return [deletionTimestamp, deletionGracePeriodSeconds, generation];
      };
      await w.writer.submit([remove(w)], 'test', w.signal);
      assert.deepEqual(marks(), ['2026-01-01T00:00:30Z', 30, 2]);
      await w.writer.submit([remove(w, { graceSeconds: 60 })], 'test', w.signal);
      assert.deepEqual(marks(), ['2026-01-01T00:00:30Z', 30, 2]);
      await w.writer.submit([remove(w, { graceSeconds: 5 })], 'test', w.signal);
      assert.deepEqual(marks(), ['2026-01-01T00:00:05Z', 5, 2]);
      await w.writer.submit([remove(w, { gone: true })], 'test', w.signal);
      assert.equal(w.cache.get(POD), undefined);
    }),
  );

  it(
    'deletes an object that somebody changed in between, and keeps what was changed',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: configMap('a', { v: '1' }) }]);
      const key = objectKey('ConfigMap', 'default', 'a');
      const before = w.cache.get(key) as StoredConfigMap;
      const write = w.store.write.bind(w.store);
      w.store.write = async (ops, signal) => {
        w.store.write = write;
        const finalizers = ['example.com/x'];
        await w.cache.write([{ op: 'update', object: { ...before, metadata: { ...before.metadata, finalizers } } }]);
        return write(ops, signal);
      };
      await w.writer.submit([{ do: 'delete', key, uid: before.metadata.uid }], 'test', w.signal);
      const { deletionTimestamp, finalizers } = (w.cache.get(key) as StoredConfigMap).metadata;
      assert.deepEqual([deletionTimestamp, finalizers], ['2026-01-01T00:00:00Z', ['example.com/x']]);
    }),
  );

  it(
    'lets an object go with its last finalizer, and makes it anew in the same call',
    inWorld(async (w) => {
      const key = objectKey('ConfigMap', 'default', 'a');
      const finalizers = ['example.com/x'];
      await w.writer.submit([{ do: 'create', object: configMap('a', {}, { finalizers }) }], 'test', w.signal);
      const first = w.cache.get(key) as StoredConfigMap;
      await w.writer.submit([{ do: 'delete', key, uid: first.metadata.uid }], 'test', w.signal);
      const held = w.cache.get(key) as StoredConfigMap;
      assert.equal(held.metadata.uid, first.metadata.uid);
      await w.writer.submit(
        [
          { do: 'update', object: { ...held, metadata: { ...held.metadata, finalizers: [] } } },
          { do: 'create', object: configMap('a', { v: '2' }) },
        ],
        'test',
        w.signal,
      );
      const second = w.cache.get(key) as StoredConfigMap;
      assert.notEqual(second.metadata.uid, first.metadata.uid);
      assert.deepEqual(second.data, { v: '2' });
    }),
  );

  it(
    'keeps the marks of a deletion when a change of the same call was made without them',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: pod('a', { nodeName: 'node-1' }) }]);
      const before = w.cache.get(POD) as StoredPod;
      const change: Step = {
        do: 'update',
        object: { ...before, metadata: { ...before.metadata, labels: { x: 'y' } } },
      };
      await w.writer.submit([remove(w), change], 'test', w.signal);
      const { labels, deletionTimestamp } = (w.cache.get(POD) as StoredPod).metadata;
      assert.deepEqual([labels, deletionTimestamp], [{ x: 'y' }, '2026-01-01T00:00:30Z']);
    }),
  );

  it(
    'does the rest when admission refuses a step, and says that trying again is no use',
    inWorld(async (w) => {
      const steps: Step[] = [
        { do: 'create', object: configMap('a', {}, { finalizers: ['mine'] }) },
        { do: 'create', object: configMap('b', {}) },
      ];
      await assert.rejects(w.writer.submit(steps, 'test', w.signal), {
        retry: 'never',
        code: 'AdmissionRefused',
        message: /create ConfigMap\/default\/a: metadata\.finalizers\.0: must have a domain in front/,
      });
      assert.deepEqual(
        w.cache.list('ConfigMap').map(({ metadata }) => metadata.name),
        ['b'],
      );
    }),
  );

  it(
    'makes nothing of what would be new in a namespace that goes, for a controller without an error',
    inWorld(async (w) => {
      const made = await w.cache.write([
        { op: 'create', object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } } },
        { op: 'create', object: configMap('a', {}, { namespace: 'team' }) },
      ]);
      const uid = made[0]?.ok ? made[0].object.metadata.uid : '';
      const late: Step = { do: 'create', object: configMap('late', {}, { namespace: 'team' }) };
      await w.writer.submit([{ do: 'delete', key: 'namespaces//team', uid }], 'test', w.signal);
      await w.writer.submit([late], 'test', w.signal);
      assert.deepEqual(
        w.cache.list('ConfigMap').map(({ metadata }) => metadata.name),
        ['a'],
      );
      assert.equal((await w.writer.attempt([late], 'git:main', w.signal))[0]?.reason, 'NamespaceTerminating');
    }),
  );

  it(
    'names some of the refused, however many there are',
    inWorld(async (w) => {
      const steps = Array.from({ length: 1000 }, (_, n): Step => ({
        do: 'delete',
        key: objectKey('ConfigMap', 'default', `c-${n}`),
        uid: 'the-one-before',
      }));
      await w.cache.write(
        Array.from({ length: 1000 }, (_, n) => ({ op: 'create' as const, object: configMap(`c-${n}`, {}) })),
      );
      await assert.rejects(w.writer.submit(steps, 'test', w.signal), ({ message }: Error) => {
        assert.match(message, /c-0: .*c-4: .* and 995 more: /);
        return message.length < 1000;
      });
    }),
  );

  it(
    'leaves a pod of the same name with another uid alone',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: pod('a', { nodeName: 'node-1' }) }]);
      await assert.rejects(w.writer.submit([{ do: 'delete', key: POD, uid: 'the-one-before' }], 'test', w.signal), {
        code: 'WriteConflict',
      });
      assert.equal((w.cache.get(POD) as StoredPod).metadata.deletionTimestamp, undefined);
    }),
  );
});

describe('EventRecorder', () => {
  const events = (w: World): Event[] => [...w.cache.list('Event')];

  it(
    'counts equal events, tells different ones apart',
    inWorld(async (w, clock) => {
      const say = (message: string): void => {
        w.recorder.record({
          regarding: pod('a'),
          type: 'Warning',
          reason: 'BackOff',
          message,
          component: 'nodeagent',
          host: 'node-1',
        });
      };
      say('restarting');
      say('restarting');
      await w.recorder.flush();
      clock.at = new Date('2026-01-01T00:01:00Z');
      say('restarting');
      say('something else');
      await w.recorder.flush();
      assert.deepEqual(
        events(w)
          .map((e) => [e.message, e.count, e.firstTimestamp, e.lastTimestamp])
          .sort(),
        [
          ['restarting', 3, '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'],
          ['something else', 1, '2026-01-01T00:01:00Z', '2026-01-01T00:01:00Z'],
        ],
      );
      assert.match(events(w)[0]?.metadata.name ?? '', /^a\.[0-9a-f]{16}$/);
      assert.deepEqual(events(w)[0]?.source, { component: 'nodeagent', host: 'node-1' });
    }),
  );

  it(
    'writes them by itself',
    inWorld(async (w) => {
      w.recorder.record({ regarding: pod('a'), type: 'Normal', reason: 'Pulled', message: 'm', component: 'c' });
      await w.until(() => w.cache.list('Event').length === 1, 'the event is there');
    }),
  );

  it(
    'keeps them while the store is away, and counts on',
    inWorld(async (w) => {
      const write = w.store.write.bind(w.store);
      const say = (): void => {
        w.recorder.record({ regarding: pod('a'), type: 'Normal', reason: 'Pulled', message: 'm', component: 'c' });
      };
      let refused = 0;
      w.store.write = async (ops, signal) => {
        if (refused++ > 0) return write(ops, signal);
        say();
        throw new RetryableError('StoreUnavailable', 'out of memory');
      };
      say();
      await w.recorder.flush();
      assert.deepEqual(
        events(w).map(({ count }) => count),
        [2],
      );
    }),
  );

  it(
    'drops what waits for a store that is away when it is closed',
    inWorld(async (w) => {
      w.store.write = async () => {
        throw new RetryableError('StoreUnavailable', 'gone');
      };
      w.recorder.record({ regarding: pod('a'), type: 'Normal', reason: 'Pulled', message: 'm', component: 'c' });
      await w.recorder.close();
      assert.deepEqual(events(w), []);
    }),
  );

  it(
    'puts those of cluster-scoped objects into default',
    inWorld(async (w) => {
      w.recorder.record({
        regarding: { kind: 'Node', metadata: { name: 'node-1' } },
        type: 'Normal',
        reason: 'NodeReady',
        message: 'm',
        component: 'c',
      });
      await w.recorder.flush();
      assert.equal(events(w)[0]?.metadata.namespace, 'default');
      assert.deepEqual(events(w)[0]?.involvedObject, { kind: 'Node', name: 'node-1' });
    }),
  );

  it(
    'keeps the newest 25 of an object, and none for longer than an hour',
    inWorld(async (w, clock) => {
      for (let n = 0; n < 30; n += 1) {
        clock.at = new Date(Date.UTC(2026, 0, 1, 0, n));
        w.recorder.record({ regarding: pod('a'), type: 'Normal', reason: `R${n}`, message: 'm', component: 'c' });
        await w.recorder.flush();
      }
      assert.equal(events(w).length, 25);
      assert.ok(!events(w).some((e) => e.reason === 'R4'));
      clock.at = new Date('2026-01-01T01:15:00Z');
      await w.recorder.sweep();
      assert.deepEqual(
        events(w)
          .map((e) => Number(e.reason.slice(1)))
          .sort((a, b) => a - b),
        Array.from({ length: 15 }, (_, n) => n + 15),
      );
    }),
  );

  it(
    'lets none go for others that is told again with them',
    inWorld(async (w, clock) => {
      const say = (reason: string): void => {
        w.recorder.record({ regarding: pod('a'), type: 'Normal', reason, message: 'm', component: 'c' });
      };
      for (let n = 0; n < 25; n += 1) {
        clock.at = new Date(Date.UTC(2026, 0, 1, 0, n));
        say(`R${n}`);
        await w.recorder.flush();
      }
      clock.at = new Date('2026-01-01T00:30:00Z');
      say('R0');
      say('R25');
      await w.recorder.flush();
      const counts = new Map(events(w).map(({ reason, count }) => [reason, count]));
      assert.equal(counts.size, 25);
      assert.deepEqual([counts.get('R0'), counts.get('R1'), counts.get('R25')], [2, undefined, 1]);
    }),
  );

  it(
    'combines what a ReplicaSet says of each of its pods, however many, and counts on from what is there',
    inWorld(async (w) => {
      const say = (from: number): void => {
        for (let n = from; n < from + 500; n += 1)
          w.recorder.record({
            regarding: { kind: 'ReplicaSet', metadata: { name: 'web', namespace: 'default', uid: 'u' } },
            type: 'Normal',
            reason: 'SuccessfulCreate',
            message: `Created pod: web-${n}`,
            component: 'replicaset-controller',
          });
      };
      say(0);
      await w.recorder.flush();
      const before = Number((await w.store.list('Event')).resourceVersion);
      say(500);
      await w.recorder.flush();
      assert.equal(Number((await w.store.list('Event')).resourceVersion) - before, 1, 'one write');
      assert.equal(events(w).length, 10);
      assert.equal(
        events(w).reduce((sum, { count }) => sum + count, 0),
        1000,
      );
      assert.ok(events(w).some(({ message }) => message === '(combined from similar events): Created pod: web-999'));
    }),
  );

  it(
    'writes what a push of thousands of pods tells in small part, and all of a pod that fails',
    inWorld(async (w) => {
      const say = (name: string, type: 'Normal' | 'Warning', reason: string): void => {
        w.recorder.record({ regarding: pod(name), type, reason, message: 'm', component: 'nodeagent' });
      };
      for (let n = 0; n < 5000; n += 1)
        for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) say(`p-${n}`, 'Normal', reason);
      say('p-4990', 'Warning', 'BackOff');
      const failed = (): string[] =>
        events(w)
          .filter(({ involvedObject }) => involvedObject.name === 'p-4990')
          .map(({ reason }) => reason);
      await w.until(() => failed().includes('BackOff'), 'the warning is there');
      assert.deepEqual(failed().sort(), ['BackOff', 'Created', 'Pulled', 'Scheduled', 'Started']);
      await w.recorder.flush();
      assert.ok(events(w).length <= 2001, `${events(w).length} Events`);
    }),
  );

  it(
    'counts on when another control plane recorded the same event first',
    inWorld(async (w) => {
      const record = { regarding: pod('a'), type: 'Normal' as const, reason: 'Same', message: 'm', component: 'c' };
      w.recorder.record(record);
      await w.recorder.flush();
      const [known] = w.cache.list('Event');
      assert.ok(known);
      await w.other.write([{ op: 'update', object: { ...known, count: 7 } }]);
      w.recorder.record(record);
      await w.recorder.flush();
      await w.until(() => w.cache.list('Event')[0]?.count === 8, 'both counts are in');
    }),
  );
});
