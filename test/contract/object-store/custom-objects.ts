/** What every ObjectStore promises of objects of custom kinds, beside the typed ones. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  customKey,
  isCustom,
  keyOf,
  objectKey,
  RESOURCE,
  type AnyObject,
  type StoredUnstructured,
} from '../../../contracts/objects/index.ts';
import type { ChangeEvent, ObjectStore, WriteResult } from '../../../reconciler/ports/object-store.ts';
import { customSecret, secret } from './objects.ts';
import type { StoreFixture } from './suite.ts';
import { inPatience } from '../../support/patience.ts';

export function customObjectsSuite(name: string, start: () => Promise<StoreFixture>): void {
  describe(`custom objects in the object store: ${name}`, () => {
    const signal = inPatience(60_000);
    let fixture: StoreFixture;
    let stores: ObjectStore[] = [];

    const opened = async (): Promise<ObjectStore> => {
      const store = fixture.connect();
      stores.push(store);
      await store.open(signal);
      return store;
    };
    const on = (body: () => Promise<void>) => async (): Promise<void> => {
      try {
        await fixture.flush();
        await body();
      } finally {
        await Promise.all(stores.map((store) => store.close()));
        stores = [];
      }
    };
    const create = async (store: ObjectStore, object: AnyObject): Promise<StoredUnstructured> =>
      custom((await store.write([{ op: 'create', object }]))[0]);

    before(async () => {
      fixture = await start();
    });
    after(async () => {
      await fixture?.close();
    });

    it(
      'are what was written, of any shape, for whoever opens the store next',
      on(async () => {
        const store = await opened();
        const spec = { size: 3, on: false, tags: ['a', null, { deep: [[]] }], constructor: 'x', 'a.b/c': '' };
        const made = await create(store, customSecret('a', spec));
        const { objects } = await (await opened()).list(undefined);
        assert.deepEqual(objects, [made]);
        const [found] = objects;
        assert.ok(found && isCustom(found));
        assert.deepEqual(found['spec'], spec);
        assert.equal(found[RESOURCE], 'secrets.vault.example.com');
        assert.equal(keyOf(found), 'secrets.vault.example.com/default/a');
        assert.deepEqual(Object.keys(found.metadata).sort(), [
          'creationTimestamp',
          'generation',
          'name',
          'namespace',
          'resourceVersion',
          'uid',
        ]);
      }),
    );

    it(
      'are not what a kind of ours of the same word is, and nobody who asks for that one gets them',
      on(async () => {
        const store = await opened();
        const data = { password: 'aHVzaA==' };
        await create(store, { ...customSecret('a', {}), data });
        await store.write([{ op: 'create', object: secret('a', { other: 'eA==' }) }]);
        const [own] = (await store.list('Secret')).objects;
        assert.ok(own?.kind === 'Secret');
        assert.deepEqual(own.data, { other: 'eA==' });
        assert.deepEqual(await store.get(objectKey('Secret', 'default', 'a')), own);
        const all = (await store.list(undefined)).objects;
        assert.equal(all.length, 2);
        const [foreign] = all.filter((object) => isCustom(object));
        assert.deepEqual(foreign?.['data'], data, 'without a field that was not there');
      }),
    );

    it(
      'are nothing of the kind that theirs is called as',
      on(async () => {
        const store = await opened();
        const { spec: _none, ...rest } = customSecret('b', {});
        const namesake = await create(store, { ...rest, kind: 'Pod', [RESOURCE]: 'pods.vault.example.com' });
        assert.equal(namesake.metadata.generation, 1);
      }),
    );

    it(
      'are written by compare-and-set; the generation rises with all but metadata and status',
      on(async () => {
        const store = await opened();
        const a = await create(store, customSecret('a', { size: 1 }));
        const labelled = custom(
          (await store.write([{ op: 'update', object: { ...a, metadata: { ...a.metadata, labels: { x: 'y' } } } }]))[0],
        );
        assert.equal(labelled.metadata.generation, 1);
        const grown = custom((await store.write([{ op: 'update', object: { ...labelled, spec: { size: 2 } } }]))[0]);
        assert.equal(grown.metadata.generation, 2);
        const told = custom(
          (await store.write([{ op: 'updateStatus', object: { ...grown, spec: {}, status: { phase: 'Up' } } }]))[0],
        );
        assert.equal(told.metadata.generation, 2);
        assert.deepEqual([told['spec'], told['status']], [{ size: 2 }, { phase: 'Up' }]);
        const outcomes = await store.write([
          { op: 'create', object: customSecret('a', {}) },
          { op: 'update', object: a },
          { op: 'delete', key: keyOf(a), uid: 'another' },
          { op: 'delete', key: customKey('secrets.vault.example.com', 'default', 'none') },
          { op: 'delete', key: keyOf(a), uid: a.metadata.uid, resourceVersion: told.metadata.resourceVersion },
        ]);
        assert.deepEqual(
          outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.reason)),
          ['AlreadyExists', 'Conflict', 'Conflict', 'NotFound', 'ok'],
        );
        assert.deepEqual((await store.list(undefined)).objects, []);
      }),
    );

    it(
      'are in the one stream of changes, in order, with their ends',
      on(async () => {
        const store = await opened();
        const a = await create(store, customSecret('a', {}));
        await store.write([
          { op: 'create', object: secret('b', {}) },
          { op: 'update', object: { ...a, spec: { size: 2 } } },
          { op: 'delete', key: keyOf(a) },
        ]);
        const seen: ChangeEvent[] = [];
        for await (const batch of (await opened()).watch('0', signal)) {
          assert.equal(batch.type, 'events');
          if (batch.type === 'events') seen.push(...batch.events);
          if (seen.length >= 4) break;
        }
        assert.deepEqual(
          seen.map(({ type, object }) => [type, keyOf(object), object.metadata.resourceVersion]),
          [
            ['put', 'secrets.vault.example.com/default/a', '1'],
            ['put', 'secrets/default/b', '2'],
            ['put', 'secrets.vault.example.com/default/a', '3'],
            ['delete', 'secrets.vault.example.com/default/a', '4'],
          ],
        );
      }),
    );
  });
}

function custom(result: WriteResult | undefined): StoredUnstructured {
  assert.ok(result?.ok, result && !result.ok ? result.message : 'no result');
  assert.ok(isCustom(result.object));
  return result.object;
}
