/** What a pod has from its ServiceAccount, from its making to a recovery. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Claim } from '../../../contracts/agent/index.ts';
import {
  keyOf,
  objectKey,
  ServiceAccountManifest,
  type KubeObject,
  type Namespace,
  type ObjectKey,
  type Pod,
  type ServiceAccount,
  type Stored,
} from '../../../contracts/objects/index.ts';
import { serviceAccountController } from '../../../reconciler/controllers/serviceaccount.ts';
import { admit } from '../../../reconciler/core/admission/chain.ts';
import { recoverState } from '../../../reconciler/core/nodes/recovered-state.ts';
import { withAccount } from '../../../reconciler/core/service-accounts/pod-account.ts';
import { NOW, stored, viewOf } from '../admission/objects.ts';
import { cluster, deployment, machine, pod } from '../controllers/objects.ts';
import { world } from '../runtime/world.ts';

function account(name: string, ...secrets: readonly string[]): ServiceAccount {
  return ServiceAccountManifest.parse({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'default' },
    ...(secrets.length > 0 && { imagePullSecrets: secrets.map((secret) => ({ name: secret })) }),
  });
}
function made(object: Pod, ...accounts: readonly ServiceAccount[]): ReturnType<typeof admit> {
  const there = accounts.map((one): [ObjectKey, Stored] => [keyOf(one), stored(one)]);
  return admit({ operation: 'create', object, by: 'test', now: NOW, view: viewOf(new Map(there)) });
}
/** Account and pull secrets. */
function has(spec: Pod['spec']): readonly unknown[] {
  return [spec.serviceAccountName, spec.imagePullSecrets?.map(({ name }) => name)];
}

describe('a pod that is made', () => {
  const rows: readonly (readonly [string, object, ServiceAccount[], readonly unknown[]])[] = [
    ['goes by default', {}, [account('default')], ['default', undefined]],
    ['also before that is made', {}, [], ['default', undefined]],
    ['has its pull secrets', {}, [account('default', 'a', 'b')], ['default', ['a', 'b']]],
    [
      'or those of the one it names',
      { serviceAccountName: 'robot' },
      [account('default', 'a'), account('robot', 'b')],
      ['robot', ['b']],
    ],
    ['or its own alone', { imagePullSecrets: [{ name: 'own' }] }, [account('default', 'a')], ['default', ['own']]],
    [
      "and the account's where it writes an empty list",
      { imagePullSecrets: [] },
      [account('default', 'a')],
      ['default', ['a']],
    ],
  ];
  for (const [what, spec, accounts, expected] of rows)
    it(what, () => {
      const verdict = made(pod('web', spec), ...accounts);
      assert.ok(verdict.admitted && verdict.write?.op === 'create');
      assert.deepEqual(has((verdict.write.object as Pod).spec), expected);
    });

  it('is refused where its account is not there', () => {
    assert.deepEqual(made(pod('web', { serviceAccountName: 'robot' }), account('default')), {
      admitted: false,
      reason: 'Forbidden',
      message:
        'create Pod/default/web: error looking up service account default/robot: serviceaccount "robot" not found',
    });
  });

  it('has no more of it when it is filled again', () => {
    const once = withAccount(pod('web'), account('default', 'a'));
    assert.equal(withAccount(once, account('default', 'a')), once);
  });
});

describe('serviceaccount-controller', () => {
  it('keeps a default account in every namespace, and makes none in one that goes', async () => {
    const w = await world();
    try {
      const namespace = (name: string): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      await w.cache.write([{ op: 'create', object: namespace('team') }]);
      const manager = w.manager([serviceAccountController]);
      manager.start();
      const key = objectKey('ServiceAccount', 'team', 'default');
      await w.until(() => w.cache.get(key) !== undefined, 'the account is made');
      const first = w.cache.get(key)?.metadata;
      await w.writer.submit([{ do: 'delete', key, uid: first?.uid ?? '' }], 'test', w.signal);
      await w.until(() => ![undefined, first?.uid].includes(w.cache.get(key)?.metadata.uid), 'it is made again');
      await manager.close();
    } finally {
      await w.close();
    }
    const going = stored(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', finalizers: ['a.b/c'] } } satisfies Namespace,
      { deletionTimestamp: '2026-01-01T00:00:00Z' },
    );
    const view = viewOf(new Map([[keyOf(going), going]]));
    assert.deepEqual(serviceAccountController.decide(keyOf(going), { view } as never), { steps: [] });
  });
});

describe('after the store was lost', () => {
  const LABELS = { app: 'web' };
  const owner = deployment({ replicas: 4 });
  const claimOf = (name: string, spec: object): Claim =>
    Claim.parse({
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'default',
        uid: `uid-${name}`,
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...(name.startsWith('web-') && {
          labels: { ...LABELS, 'pod-template-hash': 'h' },
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-h', controller: true }],
        }),
      },
      spec: { ...owner.spec.template.spec, ...spec, nodeName: 'a' },
    });
  const recovered = (objects: readonly KubeObject[], claims: readonly Claim[]): ReturnType<typeof recoverState> =>
    recoverState({
      words: [{ node: 'a', claims, pods: [] }],
      silent: [],
      machines: [machine('a', { maxPods: 20 })],
      source: { name: 'main', url: 'git', branch: 'main' },
      appliedRevision: undefined,
      applied: new Map(
        objects.map((object) => [
          keyOf(object),
          { key: keyOf(object), object, written: { ...object }, position: { file: 'a.yaml', line: 1, column: 1 } },
        ]),
      ),
      templates: new Map([[keyOf(owner), [owner.spec.template]]]),
      incarnation: 'i',
      now: NOW,
    });
  const podsOf = ({ objects }: ReturnType<typeof recoverState>): unknown =>
    Object.fromEntries(
      objects.flatMap((object) => (object.kind === 'Pod' ? [[object.metadata.name, has(object.spec)]] : [])),
    );
  const before = { serviceAccountName: undefined };
  const filled = (...names: readonly string[]): object => ({
    serviceAccountName: 'default',
    imagePullSecrets: names.map((name) => ({ name })),
  });

  it('pods of a workload are known again, whatever their account gave them when they were made', () => {
    const found = recovered(
      [cluster(), owner, account('default', 'new')],
      [claimOf('web-a', before), claimOf('web-b', filled('old')), claimOf('web-c', filled('new'))],
    );
    assert.deepEqual(found.refused, []);
    assert.deepEqual(podsOf(found), {
      'web-a': ['default', ['new']],
      'web-b': ['default', ['new']],
      'web-c': ['default', ['new']],
    });
  });

  it('and so are those whose account gives nothing any more', () => {
    const found = recovered([cluster(), owner], [claimOf('web-b', filled('old')), claimOf('web-a', before)]);
    assert.deepEqual(found.refused, []);
    assert.deepEqual(podsOf(found), { 'web-a': ['default', undefined], 'web-b': ['default', undefined] });
  });

  it('bare pods are, too', () => {
    const bare = pod('bare');
    const found = recovered(
      [cluster(), bare, account('default', 'new')],
      [claimOf('bare', { ...bare.spec, ...filled('old') })],
    );
    assert.deepEqual(found.refused, []);
    assert.deepEqual(podsOf(found), { bare: ['default', ['new']] });
  });

  it('one that Git gives other pull secrets is another', () => {
    const own = pod('bare', { imagePullSecrets: [{ name: 'own' }] });
    const found = recovered([cluster(), own], [claimOf('bare', { ...own.spec, ...filled('other') })]);
    assert.deepEqual(
      found.refused.map(({ why }) => why),
      ['the pod in Git is another'],
    );
  });
});
