/** What every ObjectStore promises. Run on the memory adapter and on a real redis-server. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { ConfigMap, Pod, Stored } from '../../../contracts/objects/index.ts';
import { isCustom, objectKey } from '../../../contracts/objects/index.ts';
import type {
  ChangeEvent,
  ObjectStore,
  WatchBatch,
  WriteOp,
  WriteResult,
} from '../../../reconciler/ports/object-store.ts';
import { configMap, pod, secret } from './objects.ts';
import { inPatience } from '../../support/patience.ts';
import { inTime } from '../../support/in-time.ts';

export interface StoreFixture {
  /** A store over the fixture's one state; several are several control planes. */
  connect(options?: { readonly streamBytes?: number }): ObjectStore;
  /** Empties the state, as FLUSHALL does. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function objectStoreSuite(name: string, start: () => Promise<StoreFixture>): void {
  describe(`ObjectStore: ${name}`, () => {
    const signal = inPatience(60_000);
    let fixture: StoreFixture;
    let stores: ObjectStore[] = [];

    const connect = (options?: { readonly streamBytes?: number }): ObjectStore => {
      const store = fixture.connect(options);
      stores.push(store);
      return store;
    };
    const opened = async (options?: { readonly streamBytes?: number }): Promise<ObjectStore> => {
      const store = connect(options);
      await store.open(signal);
      return store;
    };
    /** Runs a test over an empty state, and closes its stores whatever happens. */
    const on = (body: () => Promise<void>) => async (): Promise<void> => {
      try {
        await fixture.flush();
        await body();
      } finally {
        await Promise.all(stores.map((store) => store.close()));
        stores = [];
      }
    };

    before(async () => {
      fixture = await start();
    });
    after(async () => {
      await fixture?.close();
    });

    describe('open', () => {
      it(
        'is fresh until somebody marks it ready, and keeps its incarnation',
        on(async () => {
          const store = connect();
          const first = await store.open(signal);
          assert.equal(first.fresh, true);
          assert.deepEqual(await store.open(signal), first, 'a crash in the middle of a recovery is another recovery');
          await store.markReady(signal);
          assert.deepEqual(await connect().open(signal), { incarnation: first.incarnation, fresh: false });
        }),
      );

      it(
        "counts epochs: above all that it gave out, whoever asks, and above what it is told; the first is the clock's",
        on(async () => {
          const store = connect();
          await store.open(signal);
          const before = Date.now();
          const first = await store.nextEpoch(0, signal);
          assert.ok(first >= before && first <= Date.now());
          assert.equal(await (await opened()).nextEpoch(0, signal), first + 1);
          assert.equal(await store.nextEpoch(first + 1_000_000, signal), first + 1_000_001);
          assert.equal(await store.nextEpoch(7, signal), first + 1_000_002);
          await fixture.flush();
          await assert.rejects(store.nextEpoch(0, signal), { code: 'StoreLost' });
          await store.open(signal);
          assert.equal(await store.nextEpoch(2 ** 52, signal), 2 ** 52 + 1);
        }),
      );

      it(
        'fails every call with StoreLost once the state was emptied, until it is opened again',
        on(async () => {
          const store = connect();
          const { incarnation } = await store.open(signal);
          await fixture.flush();
          const lost = { name: 'RetryableError', code: 'StoreLost' };
          await assert.rejects(store.get(objectKey('Pod', 'default', 'a')), lost);
          await assert.rejects(store.list(undefined), lost);
          await assert.rejects(store.write([{ op: 'create', object: pod('a') }]), lost);
          await assert.rejects(store.markReady(signal), lost);
          const other = await opened();
          await other.write([{ op: 'create', object: pod('b') }]);
          await assert.rejects(store.list(undefined), lost, 'also when somebody else claimed it meanwhile');
          const again = await store.open(signal);
          assert.notEqual(again.incarnation, incarnation);
          assert.equal((await store.list('Pod')).objects.length, 1);
        }),
      );

      it(
        'ends a running watch with StoreLost',
        on(async () => {
          const store = await opened();
          const { resourceVersion } = await store.list(undefined);
          const watch = store.watch(resourceVersion, signal)[Symbol.asyncIterator]();
          const lost = assert.rejects(watch.next(), { code: 'StoreLost' });
          await fixture.flush();
          await inTime('the watch ends', 10_000, lost);
        }),
      );
    });

    describe('write', () => {
      it(
        'sets uid, resourceVersion, generation and creationTimestamp on create',
        on(async () => {
          const store = await opened();
          const created = accepted((await store.write([{ op: 'create', object: pod('a') }]))[0]);
          const { metadata } = created;
          assert.match(metadata.uid, /^[0-9a-f-]{36}$/);
          assert.match(metadata.resourceVersion, /^\d+$/);
          assert.equal(metadata.generation, 1);
          assert.match(metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
          assert.deepEqual(await store.get(objectKey('Pod', 'default', 'a')), created);
          assert.deepEqual((created as Pod).spec, pod('a').spec, 'empty lists and maps come back as they were');
        }),
      );

      it(
        'keeps uid, creationTimestamp and status that a recovery gives',
        on(async () => {
          const store = await opened();
          const known: Pod = {
            ...pod('a'),
            metadata: { ...pod('a').metadata, uid: 'known', creationTimestamp: '2020-01-01T00:00:00Z' },
            status: { phase: 'Running' },
          };
          const created = accepted((await store.write([{ op: 'create', object: known }]))[0]) as Stored<Pod>;
          assert.equal(created.metadata.uid, 'known');
          assert.equal(created.metadata.creationTimestamp, '2020-01-01T00:00:00Z');
          assert.deepEqual(created.status, { phase: 'Running' });
        }),
      );

      it(
        'refuses a second create, and what is not there, and goes on with the rest',
        on(async () => {
          const store = await opened();
          const results = await store.write([
            { op: 'create', object: pod('a') },
            { op: 'create', object: pod('a') },
            { op: 'delete', key: objectKey('Pod', 'default', 'nothing') },
            { op: 'create', object: configMap('a', {}) },
          ]);
          assert.deepEqual(
            results.map((r) => (r.ok ? 'ok' : r.reason)),
            ['ok', 'AlreadyExists', 'NotFound', 'ok'],
          );
        }),
      );

      it(
        'raises the generation with the spec only, and leaves status alone',
        on(async () => {
          const store = await opened();
          const a = accepted(
            (await store.write([{ op: 'create', object: { ...pod('a'), status: { phase: 'Pending' } } as Pod }]))[0],
          ) as Stored<Pod>;
          const labelled = await update(store, {
            ...a,
            metadata: { ...a.metadata, labels: { x: 'y' } },
            status: { phase: 'Failed' },
          });
          assert.equal(labelled.metadata.generation, 1);
          assert.deepEqual(labelled.status, { phase: 'Pending' });
          assert.deepEqual(labelled.metadata.labels, { x: 'y' });
          const changed = await update(store, { ...labelled, spec: { ...labelled.spec, activeDeadlineSeconds: 60 } });
          assert.equal(changed.metadata.generation, 2);
          assert.equal(changed.metadata.uid, a.metadata.uid);
          assert.equal(changed.metadata.creationTimestamp, a.metadata.creationTimestamp);
        }),
      );

      it(
        'writes a binding without a new generation, and the beginning of an end with one',
        on(async () => {
          const store = await opened();
          const a = accepted((await store.write([{ op: 'create', object: pod('a') }]))[0]) as Stored<Pod>;
          const bound = await update(store, { ...a, spec: { ...a.spec, nodeName: 'node-1' } });
          assert.deepEqual([bound.spec.nodeName, bound.metadata.generation], ['node-1', 1]);
          assert.notEqual(bound.metadata.resourceVersion, a.metadata.resourceVersion);
          const marked = (object: Stored<Pod>, deletionTimestamp: string): Promise<Stored<Pod>> =>
            update(store, { ...object, metadata: { ...object.metadata, deletionTimestamp } });
          const ending = await marked(bound, '2026-01-01T00:00:30Z');
          const sooner = await marked(ending, '2026-01-01T00:00:05Z');
          assert.deepEqual([ending.metadata.generation, sooner.metadata.generation], [2, 2]);
        }),
      );

      it(
        'updateStatus replaces status only',
        on(async () => {
          const store = await opened();
          const a = accepted((await store.write([{ op: 'create', object: pod('a') }]))[0]) as Stored<Pod>;
          const meddled: Stored<Pod> = {
            ...a,
            spec: { ...a.spec, nodeName: 'elsewhere' },
            status: { phase: 'Running' },
          };
          const b = accepted((await store.write([{ op: 'updateStatus', object: meddled }]))[0]) as Stored<Pod>;
          assert.equal(b.spec.nodeName, undefined);
          assert.deepEqual(b.status, { phase: 'Running' });
          assert.equal(b.metadata.generation, 1);
          assert.notEqual(b.metadata.resourceVersion, a.metadata.resourceVersion);
        }),
      );

      it(
        'writes nothing where nothing changes, whatever the order of members',
        on(async () => {
          const store = await opened();
          const status: Pod['status'] = { phase: 'Running', podIP: '198.18.0.1' };
          const a = accepted(
            (await store.write([{ op: 'create', object: { ...pod('a'), status } as Pod }]))[0],
          ) as Stored<Pod>;
          const same = await store.write([
            { op: 'updateStatus', object: { ...a, status: { podIP: '198.18.0.1', phase: 'Running' } } },
            { op: 'update', object: { ...a } },
          ]);
          assert.deepEqual(
            same.map((r) => accepted(r).metadata.resourceVersion),
            [a.metadata.resourceVersion, a.metadata.resourceVersion],
          );
          assert.equal((await store.list(undefined)).resourceVersion, a.metadata.resourceVersion);
        }),
      );

      it(
        'refuses stale versions and foreign uids',
        on(async () => {
          const store = await opened();
          const a = accepted((await store.write([{ op: 'create', object: pod('a') }]))[0]) as Stored<Pod>;
          await update(store, { ...a, metadata: { ...a.metadata, labels: { x: '1' } } });
          const key = objectKey('Pod', 'default', 'a');
          const results = await store.write([
            { op: 'update', object: { ...a, metadata: { ...a.metadata, labels: { x: '2' } } } },
            { op: 'updateStatus', object: { ...a, status: { phase: 'Running' } } },
            { op: 'delete', key, resourceVersion: a.metadata.resourceVersion },
            { op: 'delete', key, uid: 'another' },
            { op: 'delete', key, uid: a.metadata.uid },
          ]);
          assert.deepEqual(
            results.map((r) => (r.ok ? 'ok' : r.reason)),
            ['Conflict', 'Conflict', 'Conflict', 'Conflict', 'ok'],
          );
          assert.equal(await store.get(key), undefined);
        }),
      );

      it(
        'tells the version of a deletion',
        on(async () => {
          const store = await opened();
          const a = accepted((await store.write([{ op: 'create', object: pod('a') }]))[0]);
          const gone = accepted((await store.write([{ op: 'delete', key: objectKey('Pod', 'default', 'a') }]))[0]);
          assert.equal(gone.metadata.uid, a.metadata.uid);
          assert.ok(Number(gone.metadata.resourceVersion) > Number(a.metadata.resourceVersion));
          assert.equal((await store.list(undefined)).resourceVersion, gone.metadata.resourceVersion);
        }),
      );

      it(
        'loses none of many concurrent increments',
        on(async () => {
          const writers = await Promise.all([opened(), opened(), opened(), opened()]);
          const [first] = writers;
          await first?.write([{ op: 'create', object: configMap('counter', { n: '0' }) }]);
          const key = objectKey('ConfigMap', 'default', 'counter');
          await Promise.all(
            writers.flatMap((store) =>
              Array.from({ length: 5 }, async () => {
                for (;;) {
                  const current = (await store.get(key)) as Stored<ConfigMap>;
                  const next: Stored<ConfigMap> = { ...current, data: { n: String(Number(current.data?.['n']) + 1) } };
                  const [result] = await store.write([{ op: 'update', object: next }]);
                  if (result?.ok) return;
                }
              }),
            ),
          );
          assert.deepEqual(((await first?.get(key)) as Stored<ConfigMap>).data, { n: '20' });
        }),
      );

      it(
        'shares nothing with what was passed in',
        on(async () => {
          const store = await opened();
          const given = configMap('a', { x: '1' });
          await store.write([{ op: 'create', object: given }]);
          (given.data as Record<string, string>)['x'] = '2';
          assert.deepEqual(((await store.get(objectKey('ConfigMap', 'default', 'a'))) as ConfigMap).data, { x: '1' });
        }),
      );

      it(
        'keeps text of any language and any size',
        on(async () => {
          const store = await opened();
          const data = { text: 'Grüße, 世界 \n|"\\ \u2028 🚀', large: 'x'.repeat(600_000) };
          await store.write([
            { op: 'create', object: configMap('a', data) },
            { op: 'create', object: secret('s', { k: 'R3LDvMOfZQ==' }) },
          ]);
          const { objects } = await store.list(undefined);
          assert.deepEqual((objects.find((o) => o.kind === 'ConfigMap') as ConfigMap).data, data);
          assert.deepEqual(
            objects.find((o) => o.kind === 'Secret'),
            { ...objects.find((o) => o.kind === 'Secret'), type: 'Opaque', data: { k: 'R3LDvMOfZQ==' } },
          );
        }),
      );

      it(
        'takes more operations than one script run does',
        on(async () => {
          const store = await opened();
          const results = await store.write(
            Array.from({ length: 1201 }, (_, n): WriteOp => ({ op: 'create', object: configMap(`c-${n}`, {}) })),
          );
          assert.equal(results.filter((r) => r.ok).length, 1201);
          assert.equal((await store.list('ConfigMap')).objects.length, 1201);
        }),
      );

      it(
        'obeys an aborted signal',
        on(async () => {
          const store = await opened();
          await assert.rejects(
            store.write([{ op: 'create', object: pod('a') }], AbortSignal.abort(new Error('enough'))),
            /enough/,
          );
          assert.equal((await store.list(undefined)).objects.length, 0);
        }),
      );
    });

    describe('watch', () => {
      it(
        'tells each change when it is made, and ends on abort',
        on(async () => {
          const store = await opened();
          const stop = new AbortController();
          const watch = store.watch('0', stop.signal)[Symbol.asyncIterator]();
          const latencies: number[] = [];
          for (let n = 0; n < 20; n += 1) {
            const next = watch.next();
            const began = performance.now();
            await store.write([{ op: 'create', object: configMap(`c-${n}`, {}) }]);
            const batch = value(await next);
            latencies.push(performance.now() - began);
            assert.equal(batch.type, 'events');
          }
          latencies.sort((a, b) => a - b);
          // Who would look once a second takes half of one.
          assert.ok((latencies[10] ?? 0) < 250, `median ${latencies[10]} ms`);
          const pending = watch.next();
          stop.abort();
          assert.equal((await pending).done, true);
        }),
      );

      it(
        'resumes from where it was, deletions included',
        on(async () => {
          const store = await opened();
          const [a] = await store.write([
            { op: 'create', object: configMap('a', {}) },
            { op: 'create', object: configMap('b', {}) },
          ]);
          await store.write([{ op: 'delete', key: objectKey('ConfigMap', 'default', 'a') }]);
          const seen = await collect(store, accepted(a).metadata.resourceVersion, 2, signal);
          assert.deepEqual(
            seen.map((e) => `${e.type} ${e.object.metadata.name}`),
            ['put b', 'delete a'],
          );
        }),
      );

      it(
        'asks to list again when the stream was trimmed past the watcher, or the version is from nowhere',
        on(async () => {
          const store = await opened({ streamBytes: 10_000 });
          await store.write(
            Array.from({ length: 1000 }, (_, n): WriteOp => ({ op: 'create', object: configMap(`c-${n}`, {}) })),
          );
          const { resourceVersion } = await store.list(undefined);
          for (const from of ['1', String(Number(resourceVersion) + 100)]) {
            const watch = store.watch(from, signal)[Symbol.asyncIterator]();
            assert.deepEqual(value(await watch.next()), { type: 'relist' }, `from ${from}`);
            assert.equal((await watch.next()).done, true);
          }
          const seen = collect(store, resourceVersion, 1, signal);
          await store.write([{ op: 'create', object: configMap('later', {}) }]);
          assert.deepEqual(
            (await seen).map((e) => e.object.metadata.name),
            ['later'],
          );
        }),
      );

      it(
        'reaches back by bytes: over more small changes than large ones, to what any other writer wrote too',
        on(async () => {
          const streamBytes = 160_000;
          const [one, other] = [await opened({ streamBytes }), await opened({ streamBytes })];
          const write = async (name: string, count: number, bytes: number): Promise<void> => {
            for (let n = 0; n < count; n += 1)
              await (n % 2 === 0 ? one : other).write([
                { op: 'create', object: configMap(`${name}-${n}`, { text: 'x'.repeat(bytes) }) },
              ]);
          };
          const isThere = async (from: string): Promise<boolean> => {
            const first = await one.watch(from, signal)[Symbol.asyncIterator]().next();
            return value(first)?.type === 'events';
          };
          const { resourceVersion: start } = await one.list(undefined);
          await write('small', 100, 100);
          assert.equal(await isThere(start), true, 'a hundred small changes are kept');
          const { resourceVersion: later } = await one.list(undefined);
          await write('large', 15, 10_000);
          assert.equal(await isThere(later), true, 'what is shorter than the bound is kept');
          await write('larger', 5, 10_000);
          assert.equal(await isThere(later), false, 'what is longer is not');
          const { resourceVersion: now } = await one.list(undefined);
          assert.equal(await isThere(String(Number(now) - 10)), true, 'and the newest are kept');
        }),
      );

      it(
        "has no gaps, no doubles and the store's own order under concurrent writers",
        on(async () => {
          await fc.assert(
            fc.asyncProperty(
              fc.array(
                fc.array(
                  fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), verb: fc.constantFrom('put', 'delete') }),
                  { maxLength: 12 },
                ),
                { minLength: 3, maxLength: 3 },
              ),
              async (scripts) => {
                await fixture.flush();
                const reader = await opened();
                const seen: string[] = [];
                const stop = new AbortController();
                const mirror = new Map<string, string>();
                const writers = await Promise.all(scripts.map(() => opened()));
                const target: { version?: number } = {};
                const done = (async () => {
                  for await (const batch of reader.watch('0', stop.signal)) {
                    assert.equal(batch.type, 'events');
                    if (batch.type !== 'events') continue;
                    for (const { type, object } of batch.events) {
                      seen.push(object.metadata.resourceVersion);
                      if (type === 'put') mirror.set(object.metadata.name, object.metadata.uid);
                      else mirror.delete(object.metadata.name);
                    }
                    if (target.version !== undefined && seen.length >= target.version) return;
                  }
                })();
                await Promise.all(
                  scripts.map(async (steps, index) => {
                    for (const { name: n, verb } of steps) {
                      await writers[index]?.write([
                        verb === 'put'
                          ? { op: 'create', object: configMap(n, {}) }
                          : { op: 'delete', key: objectKey('ConfigMap', 'default', n) },
                      ]);
                    }
                  }),
                );
                // One last change, so that the watcher has something to wake up for.
                await writers[0]?.write([{ op: 'create', object: configMap('last', {}) }]);
                const listed = await reader.list(undefined);
                const wanted = Number(listed.resourceVersion);
                target.version = wanted;
                if (seen.length < wanted) await done;
                stop.abort();
                await done;
                assert.deepEqual(
                  seen,
                  Array.from({ length: wanted }, (_, n) => String(n + 1)),
                );
                assert.deepEqual(
                  [...mirror].sort(),
                  listed.objects.map((o) => [o.metadata.name, o.metadata.uid]).sort(),
                  'replaying the changes gives the state',
                );
                await Promise.all([reader, ...writers].map((store) => store.close()));
              },
            ),
            { numRuns: 15 },
          );
        }),
      );
    });

    it(
      'ends its watches when it is closed',
      on(async () => {
        const store = await opened();
        const pending = store.watch('0', signal)[Symbol.asyncIterator]().next();
        await store.list(undefined);
        await store.close();
        assert.equal((await pending).done, true);
        await assert.rejects(store.list(undefined), { code: 'StoreUnavailable' });
      }),
    );
  });
}

function accepted(result: WriteResult | undefined): Stored {
  assert.ok(result?.ok, result && !result.ok ? result.message : 'no result');
  assert.ok(!isCustom(result.object));
  return result.object;
}

async function update(store: ObjectStore, object: Stored<Pod>): Promise<Stored<Pod>> {
  return accepted((await store.write([{ op: 'update', object }]))[0]) as Stored<Pod>;
}

function value(result: IteratorResult<WatchBatch>): WatchBatch {
  assert.ok(!result.done, 'the watch ended');
  return result.value;
}

async function collect(store: ObjectStore, from: string, count: number, signal: AbortSignal): Promise<ChangeEvent[]> {
  const seen: ChangeEvent[] = [];
  for await (const batch of store.watch(from, signal)) {
    assert.equal(batch.type, 'events');
    if (batch.type === 'events') seen.push(...batch.events);
    if (seen.length >= count) break;
  }
  return seen;
}
