/** Data that Redis lost, brought back or had put into it: noticed, and never acted upon. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { objectKey, type Machine, type Stored, type StoredPod } from '../../../contracts/objects/index.ts';
import type { RedisObjectStore } from '../../../reconciler/adapters/redis/object-store.ts';
import { FiledMark, type PositionMark } from '../../../reconciler/adapters/redis/position-mark.ts';
import { configMap, pod, secret } from '../../contract/object-store/objects.ts';
import { makeFolder } from '../../support/folder.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { clock, create, LOST, META, nextOf, onRedis, sealKey, signal, storeOn, TAMPERED, write } from './open-store.ts';

/** All of the store's keys as Redis would put them into a snapshot. */
async function snapshot({ client }: TestRedis): Promise<() => Promise<void>> {
  const dumps = await Promise.all(
    (await client.keys('{plumb:test}:*')).map(async (key) => [key, await client.dumpBuffer(key)] as const),
  );
  return async () => {
    await client.flushall();
    for (const [key, dump] of dumps) if (dump) await client.restore(key, 0, dump);
  };
}

/** Whether the next control plane, with this mark, finds a store that is to be rebuilt. */
async function opensFresh(redis: TestRedis, mark: PositionMark): Promise<boolean> {
  const next = storeOn(redis, mark);
  try {
    return (await next.open(signal)).fresh;
  } finally {
    await next.close();
  }
}

describe('a store that came back with older data', () => {
  it(
    'is lost to calls and watches, and is opened as a fresh one',
    onRedis(async (redis, store) => {
      const a = await create(store, 'a');
      const restore = await snapshot(redis);
      await create(store, 'b');
      const watch = assert.rejects(nextOf(store, '2'), LOST);
      await restore();
      await watch;
      await assert.rejects(store.write([{ op: 'update', object: { ...a, data: { x: 'y' } } }]), LOST);
      assert.equal((await store.open(signal)).fresh, true);
      assert.deepEqual((await store.list(undefined)).objects, []);
    }),
  );

  it(
    'is lost to whoever opens it with the mark of before',
    onRedis(async (redis, store, mark) => {
      await create(store, 'a');
      const restore = await snapshot(redis);
      await create(store, 'b');
      await restore();
      assert.equal(await opensFresh(redis, mark), true);
    }),
  );

  it(
    'is lost also when it is an incarnation that was over',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      const restore = await snapshot(redis);
      await redis.client.flushall();
      await store.open(signal);
      await store.markReady(signal);
      await restore();
      await assert.rejects(store.list(undefined), LOST);
      assert.equal((await store.open(signal)).fresh, true);
    }),
  );

  it(
    'goes on where it is as far as it was',
    onRedis(async (redis, store, mark) => {
      await create(store, 'a');
      const restore = await snapshot(redis);
      await restore();
      await create(store, 'b');
      const next = storeOn(redis, mark);
      try {
        assert.equal((await next.open(signal)).fresh, false);
        assert.equal((await next.list(undefined)).objects.length, 2);
      } finally {
        await next.close();
      }
    }),
  );

  it('is noticed by a control plane that was restarted', async () => {
    const dir = makeFolder('plumb-mark-');
    const redis = await startTestRedis();
    try {
      const before = await FiledMark.open(join(dir, 'mark.json'), clock);
      const store = storeOn(redis, before);
      await store.open(signal);
      await store.markReady(signal);
      const restore = await snapshot(redis);
      await create(store, 'a');
      await store.close();
      await before.close();
      await restore();
      const after = await FiledMark.open(join(dir, 'mark.json'), clock);
      assert.deepEqual([after.incarnation, after.version], [before.incarnation, 1]);
      assert.equal(await opensFresh(redis, after), true);
    } finally {
      await redis.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a store without some of its data', () => {
  for (const [what, damage] of [
    ['a hash', (redis: TestRedis) => redis.client.del('{plumb:test}:objects:configmaps')],
    ['one object', (redis: TestRedis) => redis.client.hdel('{plumb:test}:objects:configmaps', 'default/a')],
    ['its position', (redis: TestRedis) => redis.client.hdel(META, 'version')],
    [
      'a hash, which is something else now',
      (redis: TestRedis) => redis.client.set('{plumb:test}:objects:configmaps', 'x'),
    ],
    ['its meta, which is something else now', (redis: TestRedis) => redis.client.set(META, 'x')],
  ] as const) {
    it(
      `is lost when ${what} is gone`,
      onRedis(async (redis, store) => {
        await create(store, 'a');
        await create(store, 'b');
        const watch = assert.rejects(nextOf(store, '2'), LOST);
        await damage(redis);
        await watch;
        await assert.rejects(store.list(undefined), LOST);
        assert.equal((await store.open(signal)).fresh, true);
        await create(store, 'a');
      }),
    );
  }

  it(
    'has its watchers list again when the change stream is gone',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      const next = nextOf(store, '1');
      const [stream = ''] = await redis.client.keys('{plumb:test}:changes:*');
      // In one step: the watcher reads the change or finds no stream, never the change first.
      await redis.client.eval(
        "redis.call('HINCRBY', KEYS[1], 'version', 1) redis.call('DEL', KEYS[2])",
        2,
        META,
        stream,
      );
      assert.deepEqual(await next, { done: false, value: { type: 'relist' } });
    }),
  );

  it(
    'is claimed anew where records are of another format',
    onRedis(async (redis, store, mark) => {
      await create(store, 'a');
      await redis.client.hdel(META, 'format');
      assert.equal(await opensFresh(redis, mark), true);
    }),
  );

  it('is no place to begin with where Redis may evict', async () => {
    const redis = await startTestRedis();
    const store = storeOn(redis);
    try {
      await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await assert.rejects(store.open(signal), { name: 'TerminalError', code: 'RedisEvicts' });
    } finally {
      await store.close();
      await redis.close();
    }
  });
});

describe('a count of epochs that somebody else set', () => {
  for (const count of ['9007199254740990', 'inf', 'nan', '1e300']) {
    it(
      `reaches no agent: ${count}`,
      onRedis(async (redis, store) => {
        await redis.client.hset(META, 'epoch', count);
        await assert.rejects(store.nextEpoch(0, signal), TAMPERED);
        assert.equal((await store.open(signal)).fresh, true);
        const epoch = await store.nextEpoch(0, signal);
        assert.ok(epoch <= Date.now(), String(epoch));
      }),
    );
  }
});

describe('a count of epochs that somebody else set back', () => {
  it(
    'gives no epoch twice',
    onRedis(async (redis, store) => {
      const first = await store.nextEpoch(0, signal);
      await redis.client.hset(META, 'epoch', '5');
      assert.ok((await store.nextEpoch(0, signal)) > first);
    }),
  );

  it('gives none twice to a control plane that was restarted', async () => {
    const dir = makeFolder('plumb-mark-');
    const redis = await startTestRedis();
    try {
      const before = await FiledMark.open(join(dir, 'mark.json'), clock);
      const store = storeOn(redis, before);
      await store.open(signal);
      const first = await store.nextEpoch(0, signal);
      await store.close();
      await before.close();
      await redis.client.hdel(META, 'epoch');
      const next = storeOn(redis, await FiledMark.open(join(dir, 'mark.json'), clock));
      await next.open(signal);
      // The clock is not ahead of the epoch in the mark where it was set back.
      await redis.client.hset(META, 'epoch', '1');
      assert.ok((await next.nextEpoch(0, signal)) > first);
      await next.close();
    } finally {
      await redis.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a record that somebody else put into Redis', () => {
  const PODS = '{plumb:test}:objects:pods';

  /** As who can write Redis but has no key would: into the hash and the change stream. */
  async function plant({ client }: TestRedis, record: string, field = 'default/p', type = 'put'): Promise<void> {
    const [stream = ''] = await client.keys('{plumb:test}:changes:*');
    await client.eval(
      `
      local version = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'version', 1))
      local record = string.gsub(ARGV[1], '^%d+', version)
      if redis.call('HSET', KEYS[3], ARGV[2], record) == 1 then redis.call('HINCRBY', KEYS[1], 'count:pods', 1) end
      redis.call('XADD', KEYS[2], version .. '-0', ARGV[3], record)`,
      3,
      META,
      stream,
      PODS,
      record,
      field,
      type,
    );
  }

  const recordOf = async (redis: TestRedis, field = 'default/p'): Promise<string> =>
    (await redis.client.hget(PODS, field)) ?? '';

  for (const [what, forge] of [
    ['another image', (record: string) => record.replace('app:1', 'evil:1')],
    ['another name', (record: string) => record.replace('"name":"p"', '"name":"q"')],
    ['another uid', (record: string) => record.replace(/^((?:[^|]*\|){2})[^|]*/, '$1uid-of-theirs')],
    ['a status', (record: string) => `${record}{"phase":"Running"}`],
    ['another base', (record: string) => record.replace(/\|0\./, '|7.')],
    ['a proof of their own', (record: string) => record.replace(/\|0\.[\w-]+/, `|0.${'A'.repeat(22)}`)],
    ['no proof', (record: string) => record.replace(/\|0\.[\w-]+/, '|')],
    ['nothing that is a record', () => 'x'],
  ] as const) {
    it(
      `is believed by nobody: ${what}`,
      onRedis(async (redis, store) => {
        const { metadata } = await write<StoredPod>(store, { op: 'create', object: pod('p') });
        const watch = assert.rejects(nextOf(store, metadata.resourceVersion), TAMPERED);
        await plant(redis, forge(await recordOf(redis)));
        await watch;
        await assert.rejects(store.list(undefined), TAMPERED, 'nothing of this incarnation is believed any more');
        await assert.rejects(store.write([{ op: 'create', object: pod('other') }]), TAMPERED);
        assert.equal((await store.open(signal)).fresh, true);
        assert.deepEqual((await store.list(undefined)).objects, []);
        await write(store, { op: 'create', object: pod('p') });
      }),
    );
  }

  it(
    'is refused to get, list and write as well',
    onRedis(async (redis, store) => {
      for (const read of [
        () => store.get(objectKey('Pod', 'default', 'p')),
        () => store.list('Pod'),
        () => store.list(undefined),
        () => store.write([{ op: 'delete', key: objectKey('Pod', 'default', 'p') }]),
      ]) {
        await store.open(signal);
        await write(store, { op: 'create', object: pod('p') });
        await redis.client.hset(PODS, 'default/p', (await recordOf(redis)).replace('app:1', 'evil:1'));
        await assert.rejects(read(), TAMPERED);
      }
    }),
  );

  it(
    "is refused where it is another object's, and where a status is",
    onRedis(async (redis, store) => {
      const status = { phase: 'Running' as const, podIP: '198.18.0.1' };
      const a = await write<StoredPod>(store, { op: 'create', object: pod('a') });
      await write(store, { op: 'updateStatus', object: { ...a, status } });
      const b = await write<StoredPod>(store, { op: 'create', object: pod('b') });
      await write(store, { op: 'updateStatus', object: { ...b, status: { ...status, podIP: '198.18.0.2' } } });
      const [ofA, ofB] = [await recordOf(redis, 'default/a'), await recordOf(redis, 'default/b')];
      await redis.client.hset(PODS, 'default/b', ofA);
      await assert.rejects(store.list('Pod'), TAMPERED);
      await redis.client.hset(PODS, 'default/b', ofB.replace(/\n[^\n]*$/, ofA.slice(ofA.lastIndexOf('\n'))));
      const fresh = storeOn(redis);
      try {
        await fresh.open(signal);
        await assert.rejects(fresh.list('Pod'), TAMPERED);
      } finally {
        await fresh.close();
      }
    }),
  );

  it(
    'is refused where it is an earlier one, given a newer version',
    onRedis(async (redis, store) => {
      const first = await write<StoredPod>(store, { op: 'create', object: pod('p') });
      const early = await recordOf(redis);
      const second = await write<StoredPod>(store, {
        op: 'update',
        object: { ...first, metadata: { ...first.metadata, labels: { a: 'b' } } },
      });
      const watch = assert.rejects(nextOf(store, second.metadata.resourceVersion), TAMPERED);
      await plant(redis, early);
      await watch;
    }),
  );

  for (const [verb, ask] of [
    ['get', (store) => store.get(objectKey('Pod', 'default', 'p'))],
    ['list', (store) => store.list(undefined)],
    ['list of its kind', (store) => store.list('Pod')],
    ['delete', (store) => store.write([{ op: 'delete', key: objectKey('Pod', 'default', 'p') }])],
    ['create', (store) => store.write([{ op: 'create', object: pod('p') }])],
    ['update', (store, object) => store.write([{ op: 'update', object }])],
    [
      'update of another version',
      (store, { metadata, ...rest }) =>
        store.write([{ op: 'update', object: { ...rest, metadata: { ...metadata, resourceVersion: '99' } } }]),
    ],
  ] as readonly (readonly [string, (store: RedisObjectStore, object: StoredPod) => Promise<unknown>])[])
    it(
      `is refused to a ${verb} where its object was deleted since`,
      onRedis(async (redis, store) => {
        const object = await write<StoredPod>(store, { op: 'create', object: pod('p') });
        const early = await recordOf(redis);
        await write(store, { op: 'delete', key: objectKey('Pod', 'default', 'p') });
        await redis.client.hset(PODS, 'default/p', early);
        await redis.client.hincrby(META, 'count:pods', 1);
        await assert.rejects(ask(store, object), TAMPERED);
      }),
    );

  it(
    'is refused where it is an earlier body under the newest status',
    onRedis(async (redis, store) => {
      const first = await write<StoredPod>(store, { op: 'create', object: pod('p') });
      const early = await recordOf(redis);
      const second = await write<StoredPod>(store, {
        op: 'update',
        object: { ...first, metadata: { ...first.metadata, labels: { a: 'b' } } },
      });
      const third = await write<StoredPod>(store, {
        op: 'updateStatus',
        object: { ...second, status: { phase: 'Running' } },
      });
      const [head = '', , status = ''] = (await recordOf(redis)).split('\n');
      const [earlyHead = '', earlyBody = ''] = early.split('\n');
      const mixed = [...earlyHead.split('|').slice(0, 7), head.split('|')[7]].join('|');
      const watch = assert.rejects(nextOf(store, third.metadata.resourceVersion), TAMPERED);
      await plant(redis, `${mixed}\n${earlyBody}\n${status}`);
      await watch;
    }),
  );

  it(
    "is refused where it is a deleted object's",
    onRedis(async (redis, store) => {
      await write<StoredPod>(store, { op: 'create', object: pod('p') });
      const early = await recordOf(redis);
      const gone = await write(store, { op: 'delete', key: objectKey('Pod', 'default', 'p') });
      const watch = assert.rejects(nextOf(store, gone.metadata.resourceVersion), TAMPERED);
      await plant(redis, early);
      await watch;
    }),
  );

  it(
    'is refused where it is of an incarnation before',
    onRedis(async (redis, store) => {
      const { metadata } = await write<StoredPod>(store, { op: 'create', object: pod('p') });
      const early = await recordOf(redis);
      await redis.client.flushall();
      await store.open(signal);
      const again = await write<StoredPod>(store, {
        op: 'create',
        object: { ...pod('p'), metadata: { ...pod('p').metadata, uid: metadata.uid } },
      });
      const watch = assert.rejects(nextOf(store, again.metadata.resourceVersion), TAMPERED);
      await plant(redis, early);
      await watch;
    }),
  );

  it(
    'is not seen in a recovery that brings back what was deleted',
    onRedis(async (_redis, store) => {
      const { metadata } = await write<StoredPod>(store, { op: 'create', object: pod('p') });
      await write(store, { op: 'delete', key: objectKey('Pod', 'default', 'p') });
      const { uid } = await write<StoredPod>(store, {
        op: 'create',
        object: { ...pod('p'), metadata: { ...pod('p').metadata, uid: metadata.uid } },
      }).then((p) => p.metadata);
      assert.equal(uid, metadata.uid);
      assert.equal((await store.list('Pod')).objects.length, 1);
    }),
  );

  it(
    'is refused to get where it is an earlier one',
    onRedis(async (redis, store) => {
      const first = await write<StoredPod>(store, { op: 'create', object: pod('p') });
      const early = await recordOf(redis);
      await write(store, { op: 'updateStatus', object: { ...first, status: { phase: 'Running' } } });
      await redis.client.hset(PODS, 'default/p', early);
      await assert.rejects(store.get(objectKey('Pod', 'default', 'p')), TAMPERED);
    }),
  );

  it(
    'has nothing of the key in it',
    onRedis(async (redis, store) => {
      await write(store, { op: 'create', object: secret('s', { a: 'YQ==' }) });
      const dump = JSON.stringify([
        await redis.client.hgetall(META),
        await redis.client.hgetall('{plumb:test}:objects:secrets'),
      ]);
      for (const text of [sealKey.toString('base64'), sealKey.toString('base64url'), sealKey.toString('hex')])
        assert.ok(!dump.includes(text));
    }),
  );
});

describe('a deletion that somebody else made in Redis', () => {
  const MACHINES = '{plumb:test}:objects:machines.plumbline.dev';
  const KEY = objectKey('Machine', undefined, 'm');
  const machine = {
    apiVersion: 'plumbline.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name: 'm' },
    spec: { address: '192.0.2.1', user: 'root', port: 22, hostKey: 'ssh-ed25519 AAAA' },
  } as unknown as Machine;

  /** As who can write Redis but has no key would: out of the hash, and with `record` into the change stream. */
  async function cut({ client }: TestRedis, record?: string): Promise<void> {
    const [stream = ''] = await client.keys('{plumb:test}:changes:*');
    await client.eval(
      `
      redis.call('HDEL', KEYS[3], '/m')
      redis.call('HINCRBY', KEYS[1], 'count:machines.plumbline.dev', -1)
      if ARGV[1] == '' then return end
      local version = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'version', 1))
      redis.call('XADD', KEYS[2], version .. '-0', 'delete', (string.gsub(ARGV[1], '^%d+', version)))`,
      3,
      META,
      stream,
      MACHINES,
      record ?? '',
    );
  }

  const recordOf = async (redis: TestRedis): Promise<string> => (await redis.client.hget(MACHINES, '/m')) ?? '';
  const made = (store: RedisObjectStore): Promise<Stored<Machine>> => write(store, { op: 'create', object: machine });

  it(
    'is believed by nobody who watches',
    onRedis(async (redis, store) => {
      const { metadata } = await made(store);
      const watch = assert.rejects(nextOf(store, metadata.resourceVersion), TAMPERED);
      await cut(redis, await recordOf(redis));
      await watch;
      assert.equal((await store.open(signal)).fresh, true);
    }),
  );

  it(
    'is not believed either with the proof of an earlier deletion',
    onRedis(async (redis, store) => {
      const first = await made(store);
      await write(store, { op: 'delete', key: KEY });
      const [stream = ''] = await redis.client.keys('{plumb:test}:changes:*');
      const early = (await redis.client.xrevrange(stream, '+', '-', 'COUNT', 1))[0]?.[1][1] ?? '';
      const again = await write<Stored<Machine>>(store, {
        op: 'create',
        object: { ...machine, metadata: { ...machine.metadata, uid: first.metadata.uid } },
      });
      const watch = assert.rejects(nextOf(store, again.metadata.resourceVersion), TAMPERED);
      await cut(redis, early);
      await watch;
    }),
  );

  for (const [how, read] of [
    ['get', (store: RedisObjectStore) => store.get(KEY)],
    ['list', (store: RedisObjectStore) => store.list(undefined)],
    ['a list of its kind', (store: RedisObjectStore) => store.list('Machine')],
    ['delete', (store: RedisObjectStore) => store.write([{ op: 'delete', key: KEY }])],
  ] as const) {
    it(
      `is a lost store to ${how}, also where the count was changed and the streams are gone`,
      onRedis(async (redis, store) => {
        await made(store);
        await cut(redis);
        await redis.client.del(...(await redis.client.keys('{plumb:test}:*:*-*')));
        await assert.rejects(read(store), LOST);
        await assert.rejects(store.list(undefined), LOST, 'nothing of this incarnation is believed any more');
        assert.equal((await store.open(signal)).fresh, true);
      }),
    );
  }

  it(
    'is not what another control plane does',
    onRedis(async (redis, store, mark) => {
      const other = storeOn(redis, mark);
      try {
        await other.open(signal);
        const own = await made(store);
        await write(store, { op: 'create', object: configMap('a', {}) });
        assert.equal((await other.list(undefined)).objects.length, 2);
        await write(store, { op: 'updateStatus', object: { ...own, status: { phase: 'x' } } as unknown as Stored });
        await write(other, { op: 'delete', key: KEY, uid: own.metadata.uid });
        assert.equal(await store.get(KEY), undefined);
        await made(store);
        await write(other, { op: 'delete', key: KEY });
        assert.deepEqual((await store.list('Machine')).objects, []);
        assert.equal((await store.list(undefined)).objects.length, 1);
      } finally {
        await other.close();
      }
    }),
  );

  it(
    'leaves a count: a get of what is there finds that something is missing',
    onRedis(async (redis, store) => {
      await create(store, 'a');
      await create(store, 'b');
      await redis.client.hdel('{plumb:test}:objects:configmaps', 'default/b');
      await assert.rejects(store.get(objectKey('ConfigMap', 'default', 'a')), LOST);
    }),
  );
});
