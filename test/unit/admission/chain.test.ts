/** What every write has to keep to, each rule with the place in Kubernetes that has it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf, type Namespace, type Stored } from '../../../contracts/objects/index.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import type { AdmissionRequest } from '../../../reconciler/core/admission/request.ts';
import { configMap, pod } from '../../contract/object-store/objects.ts';
import { NO_VIEW, NOW, stored, viewOf } from './objects.ts';

type Metadata = Stored['metadata'];
const ask = (request: Pick<AdmissionRequest, 'operation'> & Partial<AdmissionRequest>): AdmissionRequest =>
  ({ by: 'test', view: NO_VIEW, now: NOW, ...request }) as AdmissionRequest;
const create = (metadata: Partial<Metadata>): AdmissionRequest =>
  ask({ operation: 'create', object: configMap('a', {}, metadata) });
const update = (before: Partial<Metadata>, after: Partial<Metadata>): AdmissionRequest => {
  const old = stored(configMap('a', {}), before);
  return ask({ operation: 'update', old, object: stored(configMap('a', {}), after) });
};
const owner = (name: string): NonNullable<Metadata['ownerReferences']>[number] => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name,
  uid: name,
  controller: true,
});
const namespace = (deletionTimestamp?: string): Stored<Namespace> =>
  stored<Namespace>(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } },
    deletionTimestamp === undefined ? {} : { deletionTimestamp },
  );
const inNamespace = (home: Stored): Pick<AdmissionRequest, 'view'> => ({
  view: viewOf(new Map([[keyOf(home), home]])),
});
const ENDS = '2026-01-01T00:00:00Z';

describe('a write that is refused', () => {
  const cases: readonly [source: string, AdmissionRequest, reason: string, message: RegExp][] = [
    [
      'apis/core/validation ValidateFinalizerName: neither standard nor fully qualified',
      create({ finalizers: ['mine'] }),
      'Invalid',
      /^create ConfigMap\/default\/a: metadata\.finalizers\.0: must have a domain in front \(example\.com\/name\)/,
    ],
    [
      'objectmeta.go ValidateFinalizerName: IsQualifiedName',
      create({ finalizers: ['example.com/'] }),
      'Invalid',
      /metadata\.finalizers\.0: must be a name of at most 63 characters/,
    ],
    [
      'own bound',
      create({ finalizers: Array.from({ length: 65 }, (_, n) => `example.com/f${n}`) }),
      'Invalid',
      /metadata\.finalizers: must be no more than 64/,
    ],
    [
      'objectmeta.go ValidateFinalizers: cannot be both set',
      update({}, { finalizers: ['orphan', 'foregroundDeletion'] }),
      'Invalid',
      /metadata\.finalizers: cannot have both orphan and foregroundDeletion/,
    ],
    [
      'objectmeta.go ValidateOwnerReferences: only one reference can have Controller set to true',
      create({ ownerReferences: [owner('a'), owner('b')] }),
      'Invalid',
      /ReplicaSet\/a and ReplicaSet\/b cannot both be its controller/,
    ],
    [
      'namespace/lifecycle/admission.go: being terminated',
      { ...create({ namespace: 'team' }), ...inNamespace(namespace(ENDS)) },
      'NamespaceTerminating',
      /namespace team is being terminated/,
    ],
  ];
  for (const [source, request, reason, message] of cases)
    it(source, () => {
      const verdict = admit(request);
      assert.ok(!verdict.admitted);
      assert.equal(verdict.reason, reason);
      assert.match(verdict.message, message);
    });
});

describe('a write that is admitted', () => {
  const cases: readonly [what: string, AdmissionRequest][] = [
    ['finalizers with a domain, and standard ones', create({ finalizers: ['example.com/x', 'kubernetes', 'orphan'] })],
    ['one controller among owners', create({ ownerReferences: [owner('a'), { ...owner('b'), controller: false }] })],
    ['something new in a namespace that is there', { ...create({ namespace: 'team' }), ...inNamespace(namespace()) }],
    ['something new in a namespace that is not there yet', create({})],
    [
      'a change of what is in a namespace that is going',
      {
        ...update({ namespace: 'team' }, { namespace: 'team', labels: { a: 'b' } }),
        ...inNamespace(namespace(ENDS)),
      },
    ],
  ];
  for (const [what, request] of cases)
    it(what, () => {
      const verdict = admit(request);
      assert.ok(verdict.admitted);
      assert.equal(verdict.write?.op, request.operation);
      // What needs no change is passed on as it is, not copied: thousands of pods a second go through here.
      if (verdict.write && verdict.write.op !== 'delete' && request.operation !== 'delete')
        assert.equal(verdict.write.object, request.object);
    });

  const marks = (request: AdmissionRequest): unknown[] => {
    const verdict = admit(request);
    assert.ok(verdict.admitted && verdict.write && verdict.write.op !== 'delete');
    const { deletionTimestamp, deletionGracePeriodSeconds, labels } = verdict.write.object.metadata;
    return [deletionTimestamp, deletionGracePeriodSeconds, labels];
  };
  it('is not born with the marks of a deletion (rest/meta.go FillObjectMetaSystemFields)', () => {
    assert.deepEqual(marks(create({ deletionTimestamp: ENDS, deletionGracePeriodSeconds: 0, labels: { a: 'b' } })), [
      undefined,
      undefined,
      { a: 'b' },
    ]);
  });
  it('does not take a deletion back, nor begin one (objectmeta.go: deletionTimestamp is immutable)', () => {
    const ending = { deletionTimestamp: ENDS, deletionGracePeriodSeconds: 5, finalizers: ['example.com/x'] };
    assert.deepEqual(marks(update(ending, { finalizers: ['example.com/x'], labels: { a: 'b' } })), [
      ENDS,
      5,
      { a: 'b' },
    ]);
    assert.deepEqual(marks(update({}, { deletionTimestamp: ENDS })), [undefined, undefined, undefined]);
  });
  it('of a status is what the store is given', () => {
    const old = stored(pod('a'));
    const object = { ...old, status: { phase: 'Running' as const } };
    const verdict = admit(ask({ operation: 'updateStatus', old, object }));
    assert.deepEqual(verdict, { admitted: true, write: { op: 'updateStatus', object } });
  });
});
