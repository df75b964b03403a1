/**
 * What a control plane makes of objects whose owners and labels somebody changed: a hand that writes to its store, as
 * kubectl would. Sources: kubernetes/test/e2e/apps/{replica_set,job}.go, apimachinery/namespace.go.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  JOB_TRACKING,
  KINDS,
  PodManifest,
  type Kind,
  type OwnerReference,
  type Pod,
  type StoredOf,
  type StoredPod,
} from '../../../contracts/objects/index.ts';
import { controlPlane } from '../../../cli/control-plane.ts';
import { PositionMark } from '../../../reconciler/adapters/redis/position-mark.ts';
import { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { SystemClock } from '../../../reconciler/adapters/system/clock.ts';
import { CryptoIds } from '../../../reconciler/adapters/system/ids.ts';
import { controllerOf } from '../../../reconciler/core/workloads/owners.ts';
import { type ControlPlane, startControlPlane } from '../../../reconciler/main.ts';
import { scratchRepository, type ScratchRepository } from '../../contract/git-source/scratch-repository.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { CLUSTER } from '../git/sync-bench.ts';
import { inPatience, polled } from '../../support/patience.ts';

const signal = inPatience(600_000);
const CONTAINERS = 'containers: [{name: main, image: "app:1"}]';

describe('a control plane whose objects somebody changes', () => {
  let redis: TestRedis;
  let repository: ScratchRepository;
  let home: string;
  let plane: ControlPlane;
  let hand: RedisObjectStore;

  beforeEach(async () => {
    redis = await startTestRedis();
    repository = scratchRepository();
    home = makeFolder('plumb-home-');
    push();
    plane = await startControlPlane({
      home,
      repo: repository.dir,
      branch: 'main',
      sourceName: 'main',
      version: '0',
      redis: `unix://${redis.connection.path ?? ''}`,
      progress: () => undefined,
      signal,
    });
    hand = new RedisObjectStore({
      connection: redis.connection,
      cluster: 'main',
      sealKey: readFileSync(join(home, 'seal.key')),
      clock: new SystemClock(),
      ids: new CryptoIds(),
      mark: new PositionMark(),
    });
    await hand.open(signal);
  });
  afterEach(async () => {
    await hand.close();
    await plane.close();
    await redis.close();
    repository.remove();
    rmSync(home, { recursive: true, force: true });
  });

  function push(...manifests: readonly string[]): void {
    repository.commit([
      { path: 'plumbline.yaml', content: CLUSTER.replace('3600', '1') },
      ...manifests.map((content, index) => ({ path: `${index}.yaml`, content: `${content}\n` })),
    ]);
  }
  async function list<K extends Kind>(kind: K, namespace: string): Promise<readonly StoredOf<K>[]> {
    const { apiVersion, plural } = KINDS[kind];
    const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    const found = await controlPlane(home).get<{ items: StoredOf<K>[] }>(
      `${group}/${KINDS[kind].namespaced ? `namespaces/${namespace}/` : ''}${plural}`,
    );
    return found.items;
  }
  const pods = (namespace = 'default'): Promise<readonly StoredPod[]> => list('Pod', namespace);
  const eventually = <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> =>
    polled(`not within 30 s: ${what}`, async () => (await look()) || undefined, { timeoutMs: 30_000 });
  const ownerOf = (one: StoredPod | undefined): OwnerReference | undefined => one && controllerOf(one.metadata);
  async function create(object: Pod): Promise<void> {
    const [result] = await hand.write([{ op: 'create', object }], signal);
    assert.ok(result?.ok, result && !result.ok ? result.message : 'no result');
  }
  /** Of what is there now: the control plane may write in between. */
  const edit = (name: string, namespace: string, metadata: Partial<StoredPod['metadata']>): Promise<true> =>
    eventually(`${name} can be changed`, async () => {
      const found = (await pods(namespace)).find((one) => one.metadata.name === name) ?? assert.fail();
      const object = { ...found, metadata: { ...found.metadata, ...metadata } };
      const [result] = await hand.write([{ op: 'update', object }], signal);
      return result?.ok;
    });
  const pod = (name: string, namespace: string, metadata: Partial<Pod['metadata']>): Pod => ({
    ...PodManifest.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace },
      spec: { containers: [{ name: 'main', image: 'app:1' }] },
    }),
    metadata: { name, namespace, ...metadata },
    status: { phase: 'Pending' },
  });
  it('a ReplicaSet takes over a pod that it matches, and lets go of it when it matches no more [conformance: replica-set-adopt-matching-pods-and-release-non]', async () => {
    await create(pod('left', 'default', { labels: { of: 'set' } }));
    push(
      `apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: set}\nspec: {replicas: 1, selector: {matchLabels: {of: set}}, template: {metadata: {labels: {of: set}}, spec: {${CONTAINERS}}}}`,
    );
    const owner = await eventually('it is taken over', async () => ownerOf((await pods())[0]));
    assert.deepEqual(
      [owner.kind, owner.name, owner.uid],
      ['ReplicaSet', 'set', (await list('ReplicaSet', 'default'))[0]?.metadata.uid],
    );
    assert.equal((await pods()).length, 1);
    await edit('left', 'default', { labels: { of: 'nobody' } });
    const found = await eventually('another one in its place', async () => {
      const now = await pods();
      return now.length === 2 && now;
    });
    const released = found.find(({ metadata }) => metadata.name === 'left');
    assert.deepEqual(released?.metadata.ownerReferences, []);
    assert.equal(ownerOf(found.find((one) => one !== released))?.uid, owner.uid);
  });

  it('a Job takes back a pod that lost its owner, and lets go of one that lost its labels [conformance: jobs-orphan-pods-re-adoption]', async () => {
    push(
      `apiVersion: batch/v1\nkind: Job\nmetadata: {name: task}\nspec: {parallelism: 2, completions: 2, template: {spec: {restartPolicy: Never, ${CONTAINERS}}}}`,
    );
    const [first] = await eventually('both pods', async () => {
      const now = await pods();
      return now.length === 2 && now;
    });
    const name = first?.metadata.name ?? assert.fail();
    const named = async (): Promise<StoredPod | undefined> =>
      (await pods()).find(({ metadata }) => metadata.name === name);
    await edit(name, 'default', { ownerReferences: [] });
    const owner = await eventually('it is its own again', async () => ownerOf(await named()));
    assert.equal(owner.uid, (await list('Job', 'default'))[0]?.metadata.uid);
    assert.deepEqual((await named())?.metadata.finalizers, [JOB_TRACKING]);
    assert.equal((await pods()).length, 2);
    await edit(name, 'default', { labels: {} });
    await eventually('another one in its place', async () => (await pods()).length === 3);
    const { ownerReferences, finalizers } = (await named())?.metadata ?? {};
    assert.deepEqual([ownerReferences, finalizers], [[], []]);
    await eventually('both are counted', async () => (await list('Job', 'default'))[0]?.status?.active === 2);
  });

  it('a Namespace that goes keeps all else until its pods are gone [conformance: ordered-namespace-deletion]', async () => {
    push(
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: team}',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: team}',
    );
    await eventually('what is in it', async () => (await list('ConfigMap', 'team')).length === 1);
    await create(pod('held', 'team', { finalizers: ['example.com/x'] }));
    push();
    await eventually(
      'the pod is to end',
      async () => (await pods('team'))[0]?.metadata.deletionTimestamp !== undefined,
    );
    const team = async (): Promise<StoredOf<'Namespace'> | undefined> =>
      (await list('Namespace', '')).find(({ metadata }) => metadata.name === 'team');
    await eventually('it says so', async () => (await team())?.status?.phase === 'Terminating');
    const [kept] = await list('ConfigMap', 'team');
    assert.equal(kept?.metadata.deletionTimestamp, undefined);
    await edit('held', 'team', { finalizers: [] });
    await eventually('nothing is left', async () => (await team()) === undefined);
    assert.deepEqual([await pods('team'), await list('ConfigMap', 'team')], [[], []]);
  });
});
