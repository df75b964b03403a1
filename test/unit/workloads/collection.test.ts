/** What becomes of an object by its owners, each rule with its place in Kubernetes' garbage collector. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  keyOf,
  type ConfigMap,
  type Kind,
  type KubeObject,
  type ObjectKey,
  type OwnerReference,
  type Stored,
  type StoredAt,
  type StoredOf,
} from '../../../contracts/objects/index.ts';
import { CustomTable } from '../../../reconciler/controllers/runtime/custom-table.ts';
import { planCollection } from '../../../reconciler/core/workloads/collection.ts';

type Metadata = Stored['metadata'];
const ENDS = '2026-01-01T00:00:00Z';

function map(name: string, metadata: Partial<Metadata> = {}): Stored<ConfigMap> {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: ENDS,
      ...metadata,
    },
    data: {},
  };
}
const node = (name: string): Stored => {
  const { namespace: _none, ...metadata } = map(name).metadata;
  return { apiVersion: 'v1', kind: 'Node', metadata, spec: {} };
};
const ownedBy = (...names: string[]): Pick<Metadata, 'ownerReferences'> => ({
  ownerReferences: names.map((name) => ref(name)),
});
const ref = (name: string, over: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name,
  uid: `uid-${name}`,
  blockOwnerDeletion: true,
  ...over,
});
const FOREGROUND = { deletionTimestamp: ENDS, finalizers: ['foregroundDeletion'] };

/** What one look at `object` among `others` comes to, in short. */
function look(object: Stored, others: readonly Stored[] = [], abandoned: readonly string[] = []): readonly unknown[] {
  const all = new Map<ObjectKey, Stored>([object, ...others].map((one) => [keyOf(one), one]));
  const { steps } = planCollection(
    object,
    {
      custom: new CustomTable(),
      get: <Key extends ObjectKey>(key: Key) => all.get(key) as StoredAt<Key> | undefined,
      dependents: <K extends Kind>(kind: K, uid: string) =>
        [...all.values()].filter(
          (one) => one.kind === kind && one.metadata.ownerReferences?.some((owner) => owner.uid === uid),
        ) as unknown as readonly StoredOf<K>[],
    },
    abandoned,
  );
  return steps.map((step) => {
    if (step.do === 'delete') return ['delete', step.key, ...(step.propagation ? [step.propagation] : [])];
    assert.equal(step.do, 'update');
    const { metadata } = (step as { object: KubeObject }).object;
    return [
      metadata.name,
      metadata.finalizers ?? [],
      (metadata.ownerReferences ?? []).map((owner) => `${owner.name}${owner.blockOwnerDeletion ? '!' : ''}`),
    ];
  });
}
const DELETED = [['delete', 'configmaps/default/a']];

describe('garbage collection of a dependent', () => {
  const cases: readonly [rule: string, source: string, found: readonly unknown[], expected: readonly unknown[]][] = [
    ['without owners stays', "attemptToDeleteItem: doesn't have an owner", look(map('a')), []],
    ['stays with its owner', 'one existing owner', look(map('a', ownedBy('o')), [map('o')]), []],
    ['goes when its owner is gone', 'no solid owner: Background', look(map('a', ownedBy('o'))), DELETED],
    ['goes when all of its owners are gone', 'no solid owner', look(map('a', ownedBy('o', 'p'))), DELETED],
    [
      'stays while one of its owners is there, and forgets the other',
      'remove dangling references',
      look(map('a', ownedBy('o', 'p')), [map('p')]),
      [['a', [], ['p!']]],
    ],
    [
      'goes when its owner is another object of that name',
      'isDangling: UID mismatch',
      look(map('a', ownedBy('o')), [map('o', { uid: 'another' })]),
      DELETED,
    ],
    [
      'goes when its owner is in another namespace, where nobody looks for it',
      "isDangling: the item's namespace",
      look(map('a', ownedBy('o')), [map('o', { namespace: 'other' })]),
      DELETED,
    ],
    [
      'stays with an owner that has no namespace',
      'isDangling: resourceDefaultNamespace',
      look(map('a', { ownerReferences: [ref('n', { kind: 'Node' })] }), [node('n')]),
      [],
    ],
    [
      'goes when such an owner is gone',
      'isDangling: absentOwnerCacheKey.Namespace',
      look(map('a', { ownerReferences: [ref('n', { kind: 'Node' })] })),
      DELETED,
    ],
    [
      'stays with an owner of a kind that is not kept here',
      'restMappingError: retried, never deleted',
      look(map('a', { ownerReferences: [ref('o', { kind: 'Widget', apiVersion: 'example.com/v1' })] })),
      [],
    ],
    [
      'stays with an owner whose kind is of another group',
      'apiResource(reference.APIVersion, reference.Kind)',
      look(map('a', { ownerReferences: [ref('o', { apiVersion: 'example.com/v1' })] })),
      [],
    ],
    [
      'stays when it has no namespace and its owner should have one',
      'namespacedOwnerOfClusterScopedObjectErr',
      look({ ...node('a'), metadata: { ...node('a').metadata, ...ownedBy('o') } }),
      [],
    ],
    [
      'stays with an owner that is being deleted in the background',
      'classifyReferences: solid',
      look(map('a', ownedBy('o')), [map('o', { deletionTimestamp: ENDS, finalizers: ['example.com/x'] })]),
      [],
    ],
    [
      'goes before an owner that waits for it',
      'default: Background',
      look(map('a', ownedBy('o')), [map('o', FOREGROUND)]),
      DELETED,
    ],
    [
      'goes in the foreground before an owner that waits for it, when it owns others',
      'waitingForDependentsDeletion with dependents',
      look(map('a', ownedBy('o')), [map('o', FOREGROUND), map('b', ownedBy('a'))]),
      [['delete', 'configmaps/default/a', 'Foreground']],
    ],
    [
      'that owns one who waits for it blocks nobody any more',
      'unblockOwnerReferencesStrategicMergePatch',
      look(map('a', ownedBy('o')), [map('o', { ...FOREGROUND, ...ownedBy('a') })]),
      [
        ['a', [], ['o']],
        ['delete', 'configmaps/default/a', 'Foreground'],
      ],
    ],
    [
      'stays with one owner, and lets go of the one that waits for it',
      'remove waiting references',
      look(map('a', ownedBy('o', 'p')), [map('o', FOREGROUND), map('p')]),
      [['a', [], ['p!']]],
    ],
    [
      'that is being deleted is left to its end',
      'being deleted is an one-way trip',
      look(map('a', { ...ownedBy('o'), deletionTimestamp: ENDS, finalizers: ['example.com/x'] })),
      [],
    ],
  ];
  for (const [rule, source, found, expected] of cases)
    it(`${rule} (${source})`, () => {
      assert.deepEqual(found, expected);
    });
});

describe('an owner that is being deleted', () => {
  const both = map('a', { deletionTimestamp: ENDS, finalizers: ['foregroundDeletion', 'example.com/x'] });
  const orphaning = map('a', { deletionTimestamp: ENDS, finalizers: ['orphan'] });
  const cases: readonly [rule: string, source: string, found: readonly unknown[], expected: readonly unknown[]][] = [
    ['waits for dependents that block it', 'blockingDependents', look(both, [map('b', ownedBy('a'))]), []],
    [
      'waits for no dependent that does not block it',
      'blockingDependents: BlockOwnerDeletion',
      look(both, [map('b', { ownerReferences: [ref('a', { blockOwnerDeletion: false })] })]),
      [['a', ['example.com/x'], []]],
    ],
    [
      'waits for none of another namespace',
      'isDangling: such a reference is none',
      look(both, [map('b', { namespace: 'other', ...ownedBy('a') })]),
      [['a', ['example.com/x'], []]],
    ],
    [
      'with none left loses its finalizer',
      'removeFinalizer(FinalizerDeleteDependents)',
      look(both),
      [['a', ['example.com/x'], []]],
    ],
    [
      'lets go of those that shall stay, and keeps its finalizer until that is done',
      'orphanDependents',
      look(orphaning, [map('b', ownedBy('a', 'p')), map('c', ownedBy('a'))]),
      [
        ['b', [], ['p!']],
        ['c', [], []],
      ],
    ],
    ['goes when all are let go of', 'removeFinalizer(FinalizerOrphanDependents)', look(orphaning), [['a', [], []]]],
    [
      'loses a finalizer that the settings have given up, and waits on for the others',
      'own rule: a finalizer without a controller is no trap',
      look(both, [map('b', ownedBy('a'))], ['example.com/x']),
      [['a', ['foregroundDeletion'], []]],
    ],
    [
      'keeps such a finalizer while it is not being deleted',
      'own rule',
      look(map('a', { finalizers: ['example.com/x'] }), [], ['example.com/x']),
      [],
    ],
  ];
  for (const [rule, source, found, expected] of cases)
    it(`${rule} (${source})`, () => {
      assert.deepEqual(found, expected);
    });
});
