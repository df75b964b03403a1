/** Objects of custom kinds through cache, writer and garbage collection, beside the typed ones. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CustomResourceDefinitionManifest,
  customKey,
  keyOf,
  KindRegistry,
  objectKey,
  unstructured,
  type AnyKey,
  type AnyObject,
  type AnyStored,
  type OwnerReference,
  type StoredCustomResourceDefinition,
  type Unstructured,
} from '../../../contracts/objects/index.ts';
import { customResourceDefinitionController } from '../../../reconciler/controllers/customresourcedefinition.ts';
import { garbageCollector } from '../../../reconciler/controllers/garbage-collector.ts';
import { namespaceControllers } from '../../../reconciler/controllers/namespace.ts';
import { SOURCE_ANNOTATION } from '../../../reconciler/core/diff/index.ts';
import { customHealth, objectAt } from '../../../reconciler/core/kinds/custom.ts';
import { planCollection } from '../../../reconciler/core/workloads/collection.ts';
import { configMap, pod } from '../../contract/object-store/objects.ts';
import { world, type World } from './world.ts';

const kinds = new KindRegistry([
  { group: 'example.com', version: 'v1', plural: 'widgets', kind: 'Widget', scope: 'Namespaced' },
]);

function widget(name: string, spec: unknown = {}, metadata: Partial<Unstructured['metadata']> = {}): Unstructured {
  return unstructured('widgets.example.com', {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: { name, namespace: 'default', ...metadata },
    spec,
  });
}
const widgetKey = (name: string): AnyKey => customKey('widgets.example.com', 'default', name);

function owned<T extends AnyObject>(object: T, owner: AnyStored, over: Partial<OwnerReference> = {}): T {
  const { apiVersion, kind, metadata } = owner;
  const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid, blockOwnerDeletion: true, ...over };
  return { ...object, metadata: { ...object.metadata, ownerReferences: [reference] } };
}

/** `as defined`: the kinds are those of the definitions in the store. */
function inWorld(body: (w: World) => Promise<void>, registry: KindRegistry | 'as defined' = kinds) {
  return async (): Promise<void> => {
    const w = await world(registry === 'as defined' ? {} : { kinds: registry });
    try {
      await body(w);
    } finally {
      await w.close();
    }
  };
}

async function made(w: World, object: AnyObject): Promise<AnyStored> {
  await w.writer.submit([{ do: 'create', object }], 'test', w.signal);
  const found = objectAt(w.cache, keyOf(object));
  assert.ok(found);
  return found;
}
const gone = (w: World, ...keys: readonly AnyKey[]): Promise<void> =>
  w.until(() => keys.every((key) => objectAt(w.cache, key) === undefined), `${keys.join(' and ')} are gone`);

describe('the cache', () => {
  it(
    'has custom objects in a view of their own, and tells of them apart',
    inWorld(async (w) => {
      const typed: string[] = [];
      const custom: string[] = [];
      w.cache.subscribe((type, object) => typed.push(`${type} ${object.kind}`));
      w.cache.subscribeCustom((type, object, previous) =>
        custom.push(`${type} ${object.metadata.name}${previous ? ' after another' : ''}`),
      );
      await w.other.write([
        { op: 'create', object: widget('b') },
        { op: 'create', object: configMap('c', {}) },
        { op: 'create', object: widget('a', {}, { namespace: 'other' }) },
        { op: 'delete', key: customKey('widgets.example.com', 'default', 'b') },
        { op: 'create', object: configMap('last', {}) },
      ]);
      await w.until(() => w.cache.get(objectKey('ConfigMap', 'default', 'last')) !== undefined, 'all are read');
      assert.deepEqual(typed, ['put ConfigMap', 'put ConfigMap']);
      assert.deepEqual(custom, ['put b', 'put a', 'delete b after another']);
      assert.deepEqual(w.cache.keys(), ['configmaps/default/c', 'configmaps/default/last']);
      const names = (namespace?: string): string[] =>
        w.cache.custom.list('widgets.example.com', namespace).map(({ metadata }) => metadata.name);
      assert.deepEqual([names(), names('default'), names('other')], [['a'], [], ['a']]);
      assert.deepEqual(w.cache.custom.list('gadgets.example.com'), []);
    }),
  );
});

describe('the writer', () => {
  it(
    'lets a custom object with a finalizer stay until that is removed',
    inWorld(async (w) => {
      const a = await made(w, widget('a', {}, { finalizers: ['example.com/hold'] }));
      const key = keyOf(a);
      await w.writer.submit([{ do: 'delete', key, uid: a.metadata.uid }], 'test', w.signal);
      const ending = objectAt(w.cache, key);
      assert.ok(ending?.metadata.deletionTimestamp);
      await w.writer.submit(
        [{ do: 'update', object: { ...ending, metadata: { ...ending.metadata, finalizers: [] } } }],
        'test',
        w.signal,
      );
      assert.equal(objectAt(w.cache, key), undefined);
    }),
  );

  it(
    'notes owners of its fields: maps by field, lists whole',
    inWorld(async (w) => {
      const annotations = { [SOURCE_ANNOTATION]: 'main' };
      const a = await made(w, widget('a', { size: 1, tags: [{ name: 'x', v: 1 }] }, { annotations }));
      const spec = { size: 1, on: true, tags: [{ name: 'x', v: 2 }] };
      await w.writer.submit([{ do: 'update', object: { ...a, spec } as AnyStored }], 'operator', w.signal);
      const [entry] = objectAt(w.cache, keyOf(a))?.metadata.managedFields ?? [];
      assert.equal(entry?.manager, 'operator');
      assert.deepEqual(entry?.fieldsV1, { 'f:spec': { 'f:on': {}, 'f:tags': {} } });
    }),
  );
});

describe('garbage collection', () => {
  for (const [title, isOwnerCustom, isDependentCustom] of [
    ['a custom object goes with its custom owner', true, true],
    ['a custom object goes with its owner of ours', false, true],
    ['an object of ours goes with its custom owner', true, false],
  ] as const)
    it(
      title,
      inWorld(async (w) => {
        w.manager([garbageCollector]).start();
        const owner = await made(w, isOwnerCustom ? widget('owner') : configMap('owner', {}));
        const dependent = await made(
          w,
          owned(isDependentCustom ? widget('dependent') : configMap('dependent', {}), owner),
        );
        await w.writer.submit([{ do: 'delete', key: keyOf(owner), uid: owner.metadata.uid }], 'test', w.signal);
        await gone(w, keyOf(owner), keyOf(dependent));
      }),
    );

  it(
    'a custom owner that is deleted in the foreground goes after what it owns; one that orphans lets it stay',
    inWorld(async (w) => {
      w.manager([garbageCollector]).start();
      const [first, second] = [await made(w, widget('first')), await made(w, widget('second'))];
      await made(w, owned(widget('a'), first));
      await made(w, owned(configMap('b', {}), first));
      await made(w, owned(configMap('c', {}), second));
      await w.writer.submit(
        [
          { do: 'delete', key: keyOf(first), uid: first.metadata.uid, propagation: 'Foreground' },
          { do: 'delete', key: keyOf(second), uid: second.metadata.uid, propagation: 'Orphan' },
        ],
        'test',
        w.signal,
      );
      await gone(w, keyOf(first), keyOf(second), widgetKey('a'), objectKey('ConfigMap', 'default', 'b'));
      const left = w.cache.get(objectKey('ConfigMap', 'default', 'c'));
      assert.deepEqual(left?.metadata.ownerReferences, []);
    }),
  );

  it(
    'an owner of a kind that is not registered is not judged',
    inWorld(async (w) => {
      const owner = await made(w, widget('owner'));
      const dependent = await made(w, owned(configMap('a', {}), owner, { uid: 'another' }));
      assert.deepEqual(planCollection(dependent, w.cache, []), { steps: [] });
    }, new KindRegistry()),
  );

  it(
    'a pod that came back from its node keeps an owner that came back from Git with another uid',
    inWorld(async (w) => {
      // Of the owner's uid, the pod is no dependent: a resync finds it.
      w.manager([garbageCollector], { resyncMs: 200 }).start();
      const owner = await made(w, widget('owner'));
      await made(w, owned(pod('followed'), owner, { uid: 'before the loss' }));
      await made(w, owned(configMap('stale', {}), owner, { uid: 'before the loss' }));
      await gone(w, objectKey('ConfigMap', 'default', 'stale'));
      assert.ok(w.cache.get(objectKey('Pod', 'default', 'followed')));
      await w.writer.submit([{ do: 'delete', key: keyOf(owner), uid: owner.metadata.uid }], 'test', w.signal);
      await gone(w, objectKey('Pod', 'default', 'followed'));
    }),
  );

  it(
    'a namespace takes the custom objects in it along, and no others',
    inWorld(async (w) => {
      w.manager(namespaceControllers).start();
      const home = await made(w, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
      const inside = await made(w, widget('inside', {}, { namespace: 'team' }));
      const outside = await made(w, widget('outside'));
      await w.writer.submit([{ do: 'delete', key: keyOf(home), uid: home.metadata.uid }], 'test', w.signal);
      await gone(w, keyOf(inside));
      assert.ok(objectAt(w.cache, keyOf(outside)));
    }),
  );
});

describe('a definition', () => {
  const definition = CustomResourceDefinitionManifest.parse({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  });
  const key = objectKey('CustomResourceDefinition', undefined, 'widgets.example.com');
  const stored = (w: World): StoredCustomResourceDefinition | undefined => w.cache.get(key);
  const isEstablished = (w: World): boolean =>
    stored(w)?.status?.conditions.some(({ type, status }) => type === 'Established' && status === 'True') === true;

  it(
    'makes its kind, and takes the objects of it along when it goes',
    inWorld(async (w) => {
      w.manager([customResourceDefinitionController]).start();
      assert.equal(w.cache.custom.kinds.find('wd'), undefined);
      await made(w, definition);
      assert.equal(w.cache.custom.kinds.find('wd')?.kind, 'Widget');
      await w.until(() => isEstablished(w), 'the definition is established');
      await made(w, widget('a'));
      await made(w, widget('held', {}, { finalizers: ['example.com/hold'] }));
      await w.writer.submit([{ do: 'delete', key, uid: stored(w)?.metadata.uid ?? '' }], 'test', w.signal);
      await gone(w, widgetKey('a'));
      const isGoing = () => objectAt(w.cache, widgetKey('held'))?.metadata.deletionTimestamp !== undefined;
      await w.until(isGoing, 'the one that is held goes too');
      const held = objectAt(w.cache, widgetKey('held'));
      assert.ok(held);
      assert.ok(stored(w)?.metadata.deletionTimestamp, 'it waits for the last of its objects');
      const [problem] = await w.writer.attempt([{ do: 'create', object: widget('b') }], 'test', w.signal);
      assert.match(problem?.message ?? '', /definition of widgets.example.com is being deleted/);
      await w.writer.submit(
        [{ do: 'update', object: { ...held, metadata: { ...held.metadata, finalizers: [] } } }],
        'test',
        w.signal,
      );
      await gone(w, widgetKey('held'), key);
      assert.equal(w.cache.custom.kinds.find('wd'), undefined);
    }, 'as defined'),
  );

  it(
    'leaves nothing that its objects owned, though it may be gone before anybody looks at that',
    inWorld(async (w) => {
      w.manager([customResourceDefinitionController]).start();
      await made(w, definition);
      await w.until(() => isEstablished(w), 'the definition is established');
      const owner = await made(w, widget('owner'));
      const [ours, others] = [
        owned(configMap('ours', {}), owner),
        owned(configMap('others', {}), owner, { uid: 'unseen' }),
      ];
      await made(w, ours);
      await made(w, others);
      await w.writer.submit([{ do: 'delete', key, uid: stored(w)?.metadata.uid ?? '' }], 'test', w.signal);
      await gone(w, keyOf(owner), key);
      w.manager([garbageCollector]).start();
      await gone(w, keyOf(ours));
      assert.ok(objectAt(w.cache, keyOf(others)), 'an owner of which nothing is known is not judged');
    }, 'as defined'),
  );

  it(
    'of a kind that another one has is told so, until that is gone',
    inWorld(async (w) => {
      w.manager([customResourceDefinitionController]).start();
      await made(w, definition);
      const other = { ...definition, metadata: { name: 'zidgets.example.com' } };
      const names = { ...definition.spec.names, plural: 'zidgets' };
      await made(w, { ...other, spec: { ...definition.spec, names } });
      const otherKey = objectKey('CustomResourceDefinition', undefined, 'zidgets.example.com');
      const accepted = (): string | undefined =>
        w.cache.get(otherKey)?.status?.conditions.find(({ type }) => type === 'NamesAccepted')?.status;
      await w.until(() => accepted() === 'False', 'the second one is refused');
      await w.until(() => isEstablished(w), 'the first one is established');
      await w.writer.submit([{ do: 'delete', key, uid: stored(w)?.metadata.uid ?? '' }], 'test', w.signal);
      await w.until(() => accepted() === 'True', 'the second one has the kind');
    }, 'as defined'),
  );
});

describe('the health of a custom object', () => {
  const cases: [string, unknown, string][] = [
    ['without a status', undefined, 'Healthy: is stored'],
    ['with a status of another shape', { conditions: 'Ready' }, 'Healthy: is stored'],
    ['that is ready', { conditions: [null, { type: 'Ready', status: 'True' }] }, 'Healthy: is ready'],
    [
      'that is not',
      { conditions: [{ type: 'Ready', status: 'False', reason: 'NoDisk', message: 'no disk' }] },
      'Degraded: NoDisk: no disk',
    ],
    [
      'of which nobody knows',
      { conditions: [{ type: 'Ready', status: 'Unknown' }] },
      'Progressing: it is not known whether it is ready',
    ],
    [
      'that was ready before it changed',
      { conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }] },
      'Progressing: its newest version has not been looked at yet',
    ],
  ];
  for (const [title, status, expected] of cases)
    it(title, () => {
      const { status: found, message } = customHealth({ ...widget('a', {}, { generation: 2 }), status });
      assert.equal(`${found}: ${message}`, expected);
    });

  it('is told in bounded words', () => {
    const status = { conditions: [{ type: 'Ready', status: 'False', message: 'x'.repeat(100_000) }] };
    assert.equal(customHealth({ ...widget('a'), status }).message.length, 1000);
  });
});
