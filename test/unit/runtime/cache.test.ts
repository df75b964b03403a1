import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  objectKey,
  type ConfigMap,
  type Stored,
  type StoredConfigMap,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { configMap, pod } from '../../contract/object-store/objects.ts';
import { created, world, type World } from './world.ts';

const inWorld =
  (body: (w: World) => Promise<void>, options?: Parameters<typeof world>[0]) => async (): Promise<void> => {
    const w = await world(options);
    try {
      await body(w);
    } finally {
      await w.close();
    }
  };

/** Every change as `type name data.v`. */
function changesOf(w: World): string[] {
  const seen: string[] = [];
  w.cache.subscribe((type, object, previous) => {
    seen.push(`${type} ${object.metadata.name}${previous ? ` after ${previous.metadata.resourceVersion}` : ''}`);
  });
  return seen;
}

describe('StoreCache', () => {
  it(
    'follows what others write, deletions included',
    inWorld(async (w) => {
      const seen = changesOf(w);
      await w.other.write([
        { op: 'create', object: configMap('a', { v: '1' }) },
        { op: 'create', object: configMap('b', {}) },
      ]);
      await w.until(() => w.cache.list('ConfigMap').length === 2, 'both are there');
      await w.other.write([{ op: 'delete', key: objectKey('ConfigMap', 'default', 'a') }]);
      await w.until(() => w.cache.list('ConfigMap').length === 1, 'one is gone');
      assert.deepEqual(seen, ['put a', 'put b', 'delete a after 1']);
    }),
  );

  for (const [whose, writer] of [
    ['of others', 'other'],
    ['of its own', 'cache'],
  ] as const)
    it(
      `lets others go on while it takes many changes ${whose} in`,
      inWorld(async (w) => {
        const turns = new Set<number>();
        let turn = 0;
        let over = false;
        w.cache.subscribe(() => {
          turns.add(turn);
          for (const end = performance.now() + 2; performance.now() < end;);
        });
        const going = (): void => {
          turn += 1;
          if (!over) setImmediate(going);
        };
        going();
        const count = 60;
        await w[writer].write(
          Array.from({ length: count }, (_, i) => ({ op: 'create', object: configMap(`c${i}`, {}) }) as const),
        );
        await w.until(() => w.cache.list('ConfigMap').length === count, 'all are there');
        over = true;
        assert.ok(turns.size > 5, `all were taken in within ${turns.size} turns`);
      }),
    );

  it(
    'shows own writes at once, and tells each change exactly once',
    inWorld(async (w) => {
      const seen = changesOf(w);
      const [result] = await w.cache.write([{ op: 'create', object: configMap('a', { v: '1' }) }]);
      assert.ok(result?.ok);
      assert.deepEqual(w.cache.get(objectKey('ConfigMap', 'default', 'a')), result.object);
      await w.cache.write([{ op: 'update', object: { ...result.object, data: { v: '2' } } as StoredConfigMap }]);
      await w.cache.write([{ op: 'delete', key: objectKey('ConfigMap', 'default', 'a') }]);
      assert.equal(w.cache.get(objectKey('ConfigMap', 'default', 'a')), undefined);
      // The stream has told everything once the marker is there.
      await w.other.write([{ op: 'create', object: configMap('marker', {}) }]);
      await w.until(
        () => w.cache.get(objectKey('ConfigMap', 'default', 'marker')) !== undefined,
        'the stream caught up',
      );
      assert.deepEqual(seen, ['put a', 'put a after 1', 'delete a after 2', 'put marker']);
    }),
  );

  it(
    'never lets an older answer or event undo a newer one',
    inWorld(async (w) => {
      const a = await created<StoredConfigMap>(w.store, { op: 'create', object: configMap('a', { v: '1' }) });
      await w.until(() => w.cache.get(objectKey('ConfigMap', 'default', 'a')) !== undefined, 'a is there');
      // The answer of an own write is held back while another control plane deletes the object, and the stream tells
      // that first.
      const write = w.store.write.bind(w.store);
      const held = deferred();
      w.store.write = async (ops, signal) => {
        const results = await write(ops, signal);
        await held.promise;
        return results;
      };
      const writing = w.cache.write([{ op: 'update', object: { ...a, data: { v: '2' } } }]);
      await w.until(
        () => (w.cache.get(objectKey('ConfigMap', 'default', 'a')) as ConfigMap | undefined)?.data?.['v'] === '2',
        'the stream told the write',
      );
      await w.other.write([
        { op: 'delete', key: objectKey('ConfigMap', 'default', 'a') },
        { op: 'create', object: configMap('marker', {}) },
      ]);
      await w.until(
        () => w.cache.get(objectKey('ConfigMap', 'default', 'marker')) !== undefined,
        'the stream told the deletion',
      );
      held.resolve();
      await writing;
      assert.equal(
        w.cache.get(objectKey('ConfigMap', 'default', 'a')),
        undefined,
        'the late answer does not bring it back',
      );
    }),
  );

  it(
    'lists again when it fell behind, and tells the difference',
    inWorld(
      async (w) => {
        await w.other.write([
          { op: 'create', object: configMap('stays', {}) },
          { op: 'create', object: configMap('goes', {}) },
          { op: 'create', object: configMap('changes', { v: '1' }) },
          { op: 'create', object: configMap('comes-back', {}) },
        ]);
        const [first, behind] = [new AbortController(), deferred()];
        const watch = w.store.watch.bind(w.store);
        let held = true;
        w.store.watch = async function* (version, signal) {
          if (held) {
            held = false;
            await behind.promise;
          }
          yield* watch(version, signal);
        };
        const running = w.cache.run(first.signal);
        await w.cache.waitSynced(first.signal);
        const seen = changesOf(w);
        const changes = w.cache.get(objectKey('ConfigMap', 'default', 'changes')) as StoredConfigMap;
        await w.other.write([
          { op: 'delete', key: objectKey('ConfigMap', 'default', 'goes') },
          { op: 'update', object: { ...changes, data: { v: '2' } } },
          { op: 'delete', key: objectKey('ConfigMap', 'default', 'comes-back') },
          { op: 'create', object: configMap('comes-back', {}) },
        ]);
        await w.other.write(
          Array.from({ length: 30 }, (_, n) => ({ op: 'create' as const, object: configMap(`filler-${n}`, {}) })),
        );
        const caughtUp = w.until(
          () => w.cache.get(objectKey('ConfigMap', 'default', 'filler-29')) !== undefined,
          'it caught up',
        );
        behind.resolve();
        await caughtUp;
        first.abort();
        await running;
        assert.deepEqual(
          seen.filter((line) => !line.includes('filler')),
          ['put changes after 3', 'delete comes-back after 4', 'put comes-back', 'delete goes after 2'],
        );
        assert.ok(w.cache.get(objectKey('ConfigMap', 'default', 'stays')));
      },
      { streamBytes: 2000, synced: false },
    ),
  );

  for (const when of ['while a listing is taken in', 'after it'] as const)
    it(
      `keeps nothing that was deleted before a listing, when the answer of the write that made it comes ${when}`,
      inWorld(
        async (w) => {
          const [trimmed, written, answered] = [deferred(), deferred(), deferred()];
          const [watch, write] = [w.store.watch.bind(w.store), w.store.write.bind(w.store)];
          let isTrimmed = false;
          w.store.watch = async function* (version, signal) {
            if (isTrimmed) return yield* watch(version, signal);
            await trimmed.promise;
            isTrimmed = true;
            yield { type: 'relist' };
          };
          w.store.write = async (ops, signal) => {
            const results = await write(ops, signal);
            written.resolve();
            await answered.promise;
            return results;
          };
          const keyed = (name: string) => objectKey('ConfigMap', 'default', name);
          const created = (name: string) => ({ op: 'create' as const, object: configMap(name, {}) });
          const stop = new AbortController();
          const running = w.cache.run(stop.signal);
          await w.cache.waitSynced(stop.signal);
          const writing = w.cache.write([created('goes'), created('stays')]);
          await written.promise;
          const others = await w.other.write([{ op: 'delete', key: keyed('goes') }, created('a'), created('b')]);
          const last = others.at(-1);
          assert.ok(last?.ok);
          w.cache.subscribe((_, { metadata }) => {
            if (metadata.name !== 'a') return;
            if (when === 'while a listing is taken in') answered.resolve();
            // A turn ends here: the answer is taken in before the next.
            for (const end = performance.now() + 20; performance.now() < end;);
          });
          trimmed.resolve();
          await w.cache.reached(last.object.metadata.resourceVersion, w.signal);
          answered.resolve();
          const results = await writing;
          assert.ok(results.every(({ ok }) => ok));
          stop.abort();
          await running;
          assert.deepEqual(
            w.cache.list('ConfigMap').map(({ metadata }) => metadata.name),
            ['a', 'b', 'stays'],
          );
        },
        { synced: false },
      ),
    );

  it(
    'ends with StoreLost when the store is emptied, and keeps what it knows',
    inWorld(async (w) => {
      await w.cache.write([{ op: 'create', object: configMap('a', {}) }]);
      w.state.flush();
      await assert.rejects(w.running, { code: 'StoreLost' });
      assert.equal(w.cache.list('ConfigMap').length, 1, 'nothing is taken as deleted');
    }),
  );

  it(
    'orders lists by key and keeps them while nothing changes',
    inWorld(async (w) => {
      const make = (name: string, namespace: string) => ({
        op: 'create' as const,
        object: configMap(name, {}, { namespace }),
      });
      await w.cache.write([make('b', 'x'), make('a', 'y'), make('a', 'x')]);
      const names = (list: readonly Stored[]): string[] =>
        list.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
      assert.deepEqual(names(w.cache.list('ConfigMap')), ['x/a', 'x/b', 'y/a']);
      assert.deepEqual(names(w.cache.list('ConfigMap', 'x')), ['x/a', 'x/b']);
      assert.deepEqual(names(w.cache.list('ConfigMap', 'none')), []);
      assert.equal(w.cache.list('ConfigMap'), w.cache.list('ConfigMap'));
    }),
  );

  it(
    'finds by owner, label and node, and knows what is pending',
    inWorld(async (w) => {
      const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs-uid', controller: true };
      const owned = pod('owned');
      await w.cache.write([
        {
          op: 'create',
          object: { ...owned, metadata: { ...owned.metadata, ownerReferences: [owner], labels: { app: 'web' } } },
        },
        {
          op: 'create',
          object: {
            ...pod('adopted'),
            metadata: { name: 'adopted', namespace: 'default', ownerReferences: [{ ...owner, controller: false }] },
          },
        },
        { op: 'create', object: pod('bound', { nodeName: 'node-1' }) },
      ]);
      const names = (list: readonly Stored[]): string[] => list.map(({ metadata }) => metadata.name);
      assert.deepEqual(names(w.cache.ownedBy('Pod', 'rs-uid')), ['owned']);
      assert.deepEqual(names(w.cache.ownedBy('ReplicaSet', 'rs-uid')), []);
      assert.deepEqual(names(w.cache.labelled('Pod', 'app', 'web')), ['owned']);
      assert.deepEqual(names(w.cache.labelled('Pod', 'app', 'web', 'elsewhere')), []);
      assert.deepEqual(names(w.cache.podsOnNode('node-1')), ['bound']);
      assert.deepEqual(names(w.cache.pendingPods()), ['adopted', 'owned']);
      const current = w.cache.get(objectKey('Pod', 'default', 'owned')) as StoredPod;
      await w.cache.write([
        {
          op: 'update',
          object: {
            ...current,
            metadata: { ...current.metadata, labels: { app: 'db' } },
            spec: { ...current.spec, nodeName: 'node-1' },
          },
        },
      ]);
      assert.deepEqual(names(w.cache.labelled('Pod', 'app', 'web')), []);
      assert.deepEqual(names(w.cache.podsOnNode('node-1')), ['bound', 'owned']);
      assert.deepEqual(names(w.cache.pendingPods()), ['adopted']);
      await w.cache.write([{ op: 'delete', key: objectKey('Pod', 'default', 'owned') }]);
      assert.deepEqual(names(w.cache.ownedBy('Pod', 'rs-uid')), []);
      assert.deepEqual(names(w.cache.podsOnNode('node-1')), ['bound']);
    }),
  );
});

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return {
    promise,
    resolve: () => {
      resolve();
    },
  };
}
