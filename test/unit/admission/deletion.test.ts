/** The rules of a delete, each with the place in Kubernetes that has it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, Stored, StoredConfigMap } from '../../../contracts/objects/index.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import type { DeleteRequest } from '../../../reconciler/core/admission/request.ts';
import { configMap, pod } from '../../contract/object-store/objects.ts';
import { NO_VIEW, NOW, stored } from './objects.ts';

type Metadata = Stored['metadata'];
/** What is left of the object: its marks, or that it is gone, or that nothing was written. */
type Left = 'gone' | 'unchanged' | Pick<Metadata, 'deletionTimestamp' | 'deletionGracePeriodSeconds' | 'finalizers'>;

function deleted(old: Stored, options: Pick<DeleteRequest, 'graceSeconds' | 'gone' | 'propagation'> = {}): Left {
  const verdict = admit({ operation: 'delete', old, by: 'test', view: NO_VIEW, now: NOW, ...options });
  assert.ok(verdict.admitted);
  if (!verdict.write) return 'unchanged';
  const { write } = verdict;
  if (write.op === 'delete') {
    assert.deepEqual([write.uid, write.resourceVersion], [old.metadata.uid, old.metadata.resourceVersion]);
    return 'gone';
  }
  assert.equal(write.op, 'update');
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = write.object.metadata;
  return {
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
    ...(finalizers && { finalizers }),
  };
}

const X = 'example.com/x';
const map = (metadata: Partial<Metadata> = {}): StoredConfigMap => stored(configMap('a', {}), metadata);
const bound = (metadata: Partial<Metadata> = {}): Stored<Pod> =>
  stored(pod('a', { nodeName: 'node-1', terminationGracePeriodSeconds: 30 }), metadata);
const unbound = (metadata: Partial<Metadata> = {}): Stored<Pod> => stored(pod('a'), metadata);

const NOW_TEXT = '2026-01-01T00:00:00Z';
const IN_30 = '2026-01-01T00:00:30Z';
const marked = (finalizers: string[]): Left => ({
  deletionTimestamp: NOW_TEXT,
  deletionGracePeriodSeconds: 0,
  finalizers,
});
const waiting = { deletionTimestamp: NOW_TEXT, deletionGracePeriodSeconds: 0 };

describe('a delete', () => {
  const cases: readonly [rule: string, source: string, left: Left, expected: Left][] = [
    ['removes what nothing holds', 'store.go Delete: deleteImmediately', deleted(map()), 'gone'],
    [
      'marks what has finalizers, which then wait for nothing but those',
      'store.go markAsDeleting',
      deleted(map({ finalizers: [X] })),
      marked([X]),
    ],
    [
      'changes nothing of what is marked already',
      'store.go updateForGracefulDeletionAndFinalizers: a no-op update',
      deleted(map({ finalizers: [X], ...waiting })),
      'unchanged',
    ],
    [
      'in the foreground adds its finalizer',
      'store.go deletionFinalizersForGarbageCollection',
      deleted(map({ finalizers: [X] }), { propagation: 'Foreground' }),
      marked([X, 'foregroundDeletion']),
    ],
    [
      'that orphans adds its finalizer, also where there was none',
      'store.go Delete: shouldUpdateFinalizers',
      deleted(map(), { propagation: 'Orphan' }),
      marked(['orphan']),
    ],
    [
      'that says how takes the other way back',
      'store.go deletionFinalizersForGarbageCollection: first remove both',
      deleted(map({ finalizers: ['orphan'] }), { propagation: 'Foreground' }),
      marked(['foregroundDeletion']),
    ],
    [
      'in the background removes both, and with them all that held it',
      'store.go shouldOrphanDependents: an explicit policy overrides',
      deleted(map({ finalizers: ['orphan'] }), { propagation: 'Background' }),
      'gone',
    ],
    [
      'that does not say how follows the finalizers of the object',
      'store.go shouldDeleteDependents: if a finalizer is set in the object',
      deleted(map({ finalizers: ['foregroundDeletion'] })),
      marked(['foregroundDeletion']),
    ],
    [
      'that is asked again may choose another way, while the object is not graceful',
      'store.go updateForGracefulDeletionAndFinalizers: pendingGraceful is false',
      deleted(map({ finalizers: ['foregroundDeletion'], ...waiting }), { propagation: 'Orphan' }),
      marked(['orphan']),
    ],
    [
      'of a pod on a node waits for the node, at most its grace period',
      'rest/delete.go BeforeDelete',
      deleted(bound()),
      { deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 },
    ],
    [
      'of a pod on a node takes the finalizers along',
      'store.go updateForGracefulDeletionAndFinalizers',
      deleted(bound({ finalizers: [X] }), { propagation: 'Foreground' }),
      { deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30, finalizers: [X, 'foregroundDeletion'] },
    ],
    [
      'of a pod that is ending cannot be made longer',
      'rest/delete.go: only a shorter grace period may be provided by a user',
      deleted(bound({ deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 }), { graceSeconds: 60 }),
      'unchanged',
    ],
    [
      'of a pod that is ending can be made shorter',
      'rest/delete.go: newDeletionTimestamp',
      deleted(bound({ deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 }), { graceSeconds: 5 }),
      { deletionTimestamp: '2026-01-01T00:00:05Z', deletionGracePeriodSeconds: 5 },
    ],
    [
      'of a pod that is ending changes no finalizers',
      'store.go: finalizers cannot be updated via DeleteOptions if a deletion is already pending',
      deleted(bound({ deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 }), { propagation: 'Orphan' }),
      'unchanged',
    ],
    [
      'of a pod that is ending by itself (read back from its node, without a period) leaves it to its node',
      'own rule: what a node runs is not forgotten',
      deleted(bound({ deletionTimestamp: IN_30 })),
      'unchanged',
    ],
    ['of a pod without a node is at once', 'pod/strategy.go CheckGracefulDelete: period 0', deleted(unbound()), 'gone'],
    [
      'of a pod without a node waits for its finalizers',
      'store.go markAsDeleting',
      deleted(unbound({ finalizers: [X] })),
      marked([X]),
    ],
    [
      'of a pod that its node has ended removes it',
      'kubelet, status_manager.go: deletes with grace period 0',
      deleted(bound({ deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 }), { gone: true }),
      'gone',
    ],
    [
      'of a pod that its node has ended, and finalizers hold, leaves only those to wait for',
      'rest/delete.go: deletionGracePeriodSeconds nil or 0 forces the deletion',
      deleted(bound({ finalizers: [X], deletionTimestamp: IN_30, deletionGracePeriodSeconds: 30 }), { gone: true }),
      { deletionTimestamp: NOW_TEXT, finalizers: [X] },
    ],
    [
      'of such a pod again, by its node or by anybody, changes nothing',
      'store.go: a no-op update',
      deleted(bound({ finalizers: [X], deletionTimestamp: NOW_TEXT }), { gone: true }),
      'unchanged',
    ],
  ];
  for (const [rule, source, left, expected] of cases)
    it(`${rule} (${source})`, () => {
      assert.deepEqual(left, expected);
    });
});

describe('an update of an object that is being deleted', () => {
  const after = (old: Stored, finalizers: string[] | undefined): string => {
    const { finalizers: _before, ...metadata } = old.metadata;
    const object = { ...old, metadata: { ...metadata, ...(finalizers && { finalizers }) } } as Stored;
    const verdict = admit({ operation: 'update', object, old, by: 'test', view: NO_VIEW, now: NOW });
    return verdict.admitted ? (verdict.write?.op ?? 'nothing') : verdict.message;
  };
  const cases: readonly [rule: string, source: string, did: string, expected: string][] = [
    [
      'removes it with the last finalizer',
      'store.go ShouldDeleteDuringUpdate',
      after(map({ finalizers: [X], ...waiting }), []),
      'delete',
    ],
    [
      'removes it when the finalizers are left out',
      'store.go ShouldDeleteDuringUpdate',
      after(map({ finalizers: [X], ...waiting }), undefined),
      'delete',
    ],
    [
      'leaves it while another finalizer holds it',
      'store.go ShouldDeleteDuringUpdate',
      after(map({ finalizers: [X, 'example.com/y'], ...waiting }), ['example.com/y']),
      'update',
    ],
    [
      'leaves a pod that its node has not ended, however short its own grace period is',
      'store.go ShouldDeleteDuringUpdate: grace period 0; here the node has to say so',
      after(bound({ finalizers: [X], ...waiting }), []),
      'update',
    ],
    [
      'removes a pod that its node has ended',
      'store.go ShouldDeleteDuringUpdate',
      after(bound({ finalizers: [X], deletionTimestamp: NOW_TEXT }), []),
      'delete',
    ],
    [
      'leaves an ending pod that never had a finalizer to its node',
      'own rule: what a node runs is not forgotten',
      after(bound({ deletionTimestamp: IN_30 }), undefined),
      'update',
    ],
    [
      'adds no finalizer',
      'objectmeta.go ValidateNoNewFinalizers',
      after(map({ finalizers: [X], ...waiting }), [X, 'example.com/late']),
      'update ConfigMap/default/a: metadata.finalizers: example.com/late cannot be added, the object is being deleted: make it anew when it is gone',
    ],
  ];
  for (const [rule, source, did, expected] of cases)
    it(`${rule} (${source})`, () => {
      assert.equal(did, expected);
    });
});
